//! Tasks that wait for the next item.

use std::collections::HashMap;
use std::task::Waker;

/// One entry for each follower that waits. It is kept under the lock of what is waited for, so
/// that no wake-up can be lost.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    keys: u64,
    waiting: HashMap<u64, Waker>,
}

impl Waiters {
    /// A key for a new follower.
    pub(super) fn key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// Notes that a follower waits; the latest waker counts.
    pub(super) fn wait(&mut self, key: u64, waker: &Waker) {
        self.waiting
            .entry(key)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
    }

    pub(super) fn forget(&mut self, key: u64) {
        self.waiting.remove(&key);
    }

    /// Everyone who waits, to be woken after the lock is gone.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.waiting.drain().map(|(_, waker)| waker).collect()
    }
}

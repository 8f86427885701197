//! Tasks that wait for the next item.

use std::collections::HashMap;
use std::task::Waker;

/// One entry for each follower that waits. It is kept under the lock of what is waited for, so
/// that no wake-up can be lost. Wakers are dropped outside of it: the task that ends with its last
/// waker may hold a follower itself.
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

    /// Notes that a follower waits; the latest waker counts. The one before is given back.
    #[must_use = "it is to be dropped after the lock is gone"]
    pub(super) fn wait(&mut self, key: u64, waker: &Waker) -> Option<Waker> {
        match self.waiting.get(&key) {
            Some(known) if known.will_wake(waker) => None,
            _ => self.waiting.insert(key, waker.clone()),
        }
    }

    #[must_use = "it is to be dropped after the lock is gone"]
    pub(super) fn forget(&mut self, key: u64) -> Option<Waker> {
        self.waiting.remove(&key)
    }

    /// Everyone who waits, to be woken after the lock is gone.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.waiting.drain().map(|(_, waker)| waker).collect()
    }
}

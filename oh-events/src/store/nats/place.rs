//! How far a log goes, and where in its stream events lie.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Largest number of places that are remembered.
const PLACES: usize = 4096;

/// What is known of the end of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// Id that the next event gets.
    pub(super) next: u64,
    /// Number of the last message of the stream.
    pub(super) sequence: u64,
    /// A writer of this process keeps it up to date.
    pub(super) written_here: bool,
    /// The session was removed.
    pub(super) removed: bool,
}

/// What the writer and the readers of a log share.
#[derive(Debug)]
pub(super) struct Place {
    end: watch::Sender<End>,
    /// First id of a batch to the number of its first message.
    known: Mutex<BTreeMap<u64, u64>>,
}

/// An id and a message that begins with it, or with an earlier one.
pub(super) type Known = (u64, u64);

impl Place {
    pub(super) fn new(end: End) -> Self {
        Self {
            end: watch::Sender::new(end),
            known: Mutex::default(),
        }
    }

    pub(super) fn end(&self) -> End {
        *self.end.borrow()
    }

    pub(super) fn watch(&self) -> watch::Receiver<End> {
        self.end.subscribe()
    }

    /// Notes what a writer of this process found.
    pub(super) fn begin(&self, end: End) {
        self.end.send_replace(end);
    }

    /// Notes that the log reaches this far at least.
    pub(super) fn reach(&self, next: u64, sequence: u64) {
        self.end.send_if_modified(|end| {
            let further = sequence > end.sequence;
            if further {
                end.next = end.next.max(next);
                end.sequence = sequence;
            }
            further
        });
    }

    pub(super) fn release(&self) {
        self.end.send_modify(|end| end.written_here = false);
    }

    pub(super) fn remove(&self) {
        self.end.send_modify(|end| end.removed = true);
    }

    /// Remembers where a batch begins.
    pub(super) fn note(&self, first: u64, begin: u64) {
        let mut known = self.known();
        let entry = known.entry(first).or_insert(begin);
        *entry = begin.min(*entry);
        if known.len() > PLACES {
            let mut keep = false;
            known.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }

    /// The nearest known places at or before an id, and after it.
    pub(super) fn around(&self, id: u64, end: End) -> (Known, Known) {
        let known = self.known();
        let before = known.range(..=id).next_back();
        let after = known.range(id.saturating_add(1)..).next();
        let pair = |(first, begin): (&u64, &u64)| (*first, *begin);
        (
            before.map_or((0, 1), pair),
            after.map_or((end.next, end.sequence.saturating_add(1)), pair),
        )
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

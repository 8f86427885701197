//! How much of a log is kept.

use std::time::Duration;

/// How much of a log is kept; everything by default. Where several limits are set, each holds.
///
/// What is over a limit is dropped when a snapshot was saved, in whole files from the oldest on:
/// a file goes once all of its events lie before [`Snapshot::next`](crate::Snapshot::next), and
/// the last file stays in any case. So a log can be larger than its limit by what was written
/// since the last snapshot, and smaller by up to one file; [`SegmentStore::segment_bytes`] and
/// [`SegmentStore::segment_age`] set how large a file is.
///
/// Ids go on: the oldest event that is left keeps its id. Large contents that only dropped events
/// name are dropped with them. A fork from before the last snapshot has no snapshot: it begins with
/// what the events fold to that are left.
///
/// [`SegmentStore::segment_bytes`]: crate::SegmentStore::segment_bytes
/// [`SegmentStore::segment_age`]: crate::SegmentStore::segment_age
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Largest number of bytes of events, without large contents.
    pub max_bytes: Option<u64>,
    /// Age of a file's last event from which on it is dropped.
    pub max_age: Option<Duration>,
    /// Largest number of events.
    pub max_events: Option<u64>,
}

impl Retention {
    /// Keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets [`max_events`](Self::max_events).
    #[must_use]
    pub fn max_events(mut self, events: u64) -> Self {
        self.max_events = Some(events);
        self
    }
}

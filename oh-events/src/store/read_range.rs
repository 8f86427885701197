//! What to read from a log.

use oh_core::EventId;

/// In which order events are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// Rising ids.
    #[default]
    Forward,
    /// Falling ids: the newest first.
    Reverse,
}

/// A page of a log: a range of ids, a direction, and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadRange {
    /// First id.
    pub from: EventId,
    /// First id after the range; what the log does not hold yet is left out.
    pub to: EventId,
    /// Which end to begin at.
    pub direction: Direction,
    /// Largest number of events.
    pub limit: usize,
    /// Bytes of JSON after which the page ends; it holds at least one event.
    pub max_bytes: usize,
}

impl Default for ReadRange {
    /// Everything, forward, in pages of 256 events or about 1 MiB.
    fn default() -> Self {
        Self {
            from: EventId(0),
            to: EventId(u64::MAX),
            direction: Direction::Forward,
            limit: 256,
            max_bytes: 1024 * 1024,
        }
    }
}

impl ReadRange {
    /// Reads ids from `from` up to, and without, `to`.
    pub fn new(from: EventId, to: EventId) -> Self {
        Self {
            from,
            to,
            ..Self::default()
        }
    }

    /// Sets the [`direction`](Self::direction).
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets the [`limit`](Self::limit).
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}

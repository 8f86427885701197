//! What to read once.

use oh_core::EventId;

use crate::filter::Filter;
use crate::store::Direction;

/// Which events to read, in which order, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// First id.
    pub from: EventId,
    /// First id after the range.
    pub to: EventId,
    /// Which end to begin at.
    pub direction: Direction,
    /// Largest number of events, after filtering; no limit if `None`.
    pub limit: Option<usize>,
    /// Which events.
    pub filter: Filter,
}

impl Default for Query {
    /// Everything, forward.
    fn default() -> Self {
        Self::new(EventId(0), EventId(u64::MAX))
    }
}

impl Query {
    /// Reads ids from `from` up to, and without, `to`.
    pub fn new(from: EventId, to: EventId) -> Self {
        Self {
            from,
            to,
            direction: Direction::Forward,
            limit: None,
            filter: Filter::default(),
        }
    }

    /// Reads the last `count` events, the newest first.
    pub fn latest(count: usize) -> Self {
        Self::default().direction(Direction::Reverse).limit(count)
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
        self.limit = Some(limit);
        self
    }

    /// Sets the [`filter`](Self::filter).
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }
}

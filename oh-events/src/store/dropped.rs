//! Which events a log does not hold any more.

use std::error::Error as StdError;
use std::fmt;

use oh_core::{Error, ErrorKind, EventId};

/// Events that a log does not hold any more: its store keeps a part of each log only.
///
/// It is the source of an error of kind [`Gone`](ErrorKind::Gone); [`Dropped::of`] finds it
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// First event that was wanted and is not there.
    pub from: EventId,
    /// First event after them: reading goes on here.
    pub to: EventId,
}

impl Dropped {
    /// Names the events from `from` up to, and without, `to`.
    pub fn new(from: EventId, to: EventId) -> Self {
        Self { from, to }
    }

    /// The events that an error says were dropped, if it says so.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "events {} to {} are not kept any more, read on at {}",
            self.from,
            self.to.0.saturating_sub(1),
            self.to
        )
    }
}

impl StdError for Dropped {}

impl From<Dropped> for Error {
    fn from(dropped: Dropped) -> Self {
        Self::new(ErrorKind::Gone, "read events")
            .with_detail(dropped.to_string())
            .with_source(dropped)
    }
}

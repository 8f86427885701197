//! What a walk along a chain found.

use std::fmt;

use oh_core::EventId;

use super::head::AuditHead;

/// What a walk along the chain of a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditReport {
    /// The first chained event; `None` if there is none, as in a log whose values were all taken
    /// out. Nothing vouches for events before it: the first event (0 unless a part of the log was
    /// [`Dropped`](crate::Dropped)) is what to expect of a log that was chained from its start.
    /// Where a part was dropped, nothing vouches for the text of the oldest event itself.
    pub from: Option<EventId>,
    /// The last event up to which the chain holds, and its value.
    pub head: Option<AuditHead>,
    /// Where the chain breaks first; `None` if it holds to the end of the log, and where there is
    /// no chain.
    pub broken: Option<AuditBreak>,
}

/// The first event at which a chain does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditBreak {
    /// The event.
    pub at: EventId,
    /// What is wrong there.
    pub fault: AuditFault,
}

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditFault {
    /// The event or one before it was edited, removed, put in or moved; or the key is another.
    Changed,
    /// The event cannot be read, or is not there although later ones are.
    Missing,
    /// The event has no value although those before it have one.
    Unchained,
    /// The value was made in another way: with a key where none is given, or the other way round.
    OtherMethod,
    /// The log ends before the event that was anchored, or does not reach back to it.
    Cut,
    /// The event that was anchored has another value: the chain was made anew.
    OtherHead,
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "it or an event before it was changed",
            Self::Missing => "it is missing or damaged",
            Self::Unchained => "it has no chain value",
            Self::OtherMethod => "its chain value was made in another way",
            Self::Cut => "the log does not reach it",
            Self::OtherHead => "its chain value is not the one that was kept",
        })
    }
}

impl fmt::Display for AuditBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chain breaks at event {}: {}", self.at, self.fault)
    }
}

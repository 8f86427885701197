//! Where a chain stands, to be kept elsewhere.

use std::fmt;
use std::str::FromStr;

use oh_core::{Error, EventId};

use crate::hex;

/// An event of a chain and its value. Kept where the log's writers cannot reach it, it vouches for
/// every event up to this one.
///
/// Its text is `<id>:<64 hex digits>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AuditHead {
    /// The event.
    pub at: EventId,
    /// Its value.
    pub value: [u8; 32],
}

impl AuditHead {
    pub(super) fn new(at: EventId, value: [u8; 32]) -> Self {
        Self { at, value }
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.at, hex::lower(&self.value))
    }
}

impl FromStr for AuditHead {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.split_once(':')
            .and_then(|(at, value)| {
                let value = hex::parse(value.as_bytes())?;
                Some(Self::new(EventId(at.parse().ok()?), value))
            })
            .ok_or_else(|| {
                let detail = "the head of a chain is `<id>:<64 hex digits>`";
                Error::invalid("read audit head", detail)
            })
    }
}

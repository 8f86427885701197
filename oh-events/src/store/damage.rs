//! Which events of a log cannot be read.

use std::error::Error as StdError;
use std::fmt;

use oh_core::{Error, ErrorKind, EventId};

/// Events of a log that cannot be read; the ones before and after them can.
///
/// It is the source of an error of kind [`Corrupt`](ErrorKind::Corrupt); [`Damage::of`] finds it
/// there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// First event that cannot be read.
    pub from: EventId,
    /// First event after the damage: reading goes on here.
    pub to: EventId,
    /// The file, or another name of the place.
    pub place: String,
    /// First damaged byte of that place.
    pub offset_bytes: u64,
}

impl Damage {
    /// Describes damage; `to` is the first event after it.
    pub fn new(from: EventId, to: EventId, place: impl Into<String>, offset_bytes: u64) -> Self {
        Self {
            from,
            to,
            place: place.into(),
            offset_bytes,
        }
    }

    /// The damage that an error reports, if it reports one.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "events {} to {} are damaged (byte {} of {}), read on at {}",
            self.from,
            self.to.0.saturating_sub(1),
            self.offset_bytes,
            self.place,
            self.to
        )
    }
}

impl StdError for Damage {}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::new(ErrorKind::Corrupt, "read events")
            .with_detail(damage.to_string())
            .with_source(damage)
    }
}

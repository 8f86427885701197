//! Who holds a log.

use std::error::Error as StdError;
use std::fmt;

use oh_core::{Error, ErrorKind, SessionId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock;

/// The writer that holds a log.
///
/// It is the source of the [`Conflict`](ErrorKind::Conflict) that a second writer gets;
/// [`Holder::of`] finds it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// Name that the writer gave itself.
    pub name: String,
    /// Process of the writer.
    pub pid: u32,
    /// When it took the log.
    pub since: Timestamp,
    /// Number of this tenure: it rises with every writer of the log.
    pub epoch: u64,
}

impl Holder {
    /// This process, from now on.
    pub fn this_process(name: impl Into<String>, epoch: u64) -> Self {
        Self {
            name: name.into(),
            pid: std::process::id(),
            since: clock::now(),
            epoch,
        }
    }

    /// The holder that an error names, if it names one.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// The error of a second writer.
    pub fn conflict(self, session: &SessionId) -> Error {
        Error::new(ErrorKind::Conflict, "open event log")
            .with_object(session.as_str())
            .with_detail(format!(
                "held by {self}; close it there, or open the log for reading"
            ))
            .with_source(self)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (process {}, since {})",
            self.name.escape_debug(),
            self.pid,
            self.since
        )
    }
}

impl StdError for Holder {}

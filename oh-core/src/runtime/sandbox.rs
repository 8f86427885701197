//! The sandbox as a whole: processes, figures, ports, pages and cells.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use crate::id::{ProcessId, SessionName};

/// A process that the runtime knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Its id.
    pub id: ProcessId,
    /// The command as one would type it.
    pub command: String,
    /// The persistent shell it runs in, if any.
    pub session: Option<SessionName>,
    /// Its process id, where there is one.
    pub pid: Option<u32>,
    /// Time since its start.
    pub age: Duration,
    /// How it ended; `None` while it runs.
    pub exit: Option<Exit>,
    /// Bytes of standard output so far.
    pub stdout_bytes: u64,
    /// Bytes of standard error so far.
    pub stderr_bytes: u64,
}

impl ProcessInfo {
    /// A process of which only id and command are known.
    pub fn new(id: ProcessId, command: impl Into<String>) -> Self {
        Self {
            id,
            command: command.into(),
            session: None,
            pid: None,
            age: Duration::ZERO,
            exit: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
        }
    }
}

/// Figures of the whole runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Commands started so far.
    pub commands_started: u64,
    /// Processes that run now.
    pub processes_running: u64,
    /// Persistent shells.
    pub sessions: u64,
    /// Bytes of kept output in memory and on disk.
    pub kept_output_bytes: u64,
    /// Time since the start.
    pub uptime: Duration,
}

/// A port of the sandbox that can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Port {
    /// Number inside the sandbox.
    pub number: u16,
    /// Address for the host.
    pub url: String,
}

impl Port {
    /// Joins both parts.
    pub fn new(number: u16, url: impl Into<String>) -> Self {
        Self {
            number,
            url: url.into(),
        }
    }
}

/// Name of a snapshot, as the runtime gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotId(pub String);

/// Something for a browser to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Browse {
    /// Opens a page.
    Open {
        /// Address of the page.
        url: String,
    },
    /// Runs browser actions in the syntax of the browser plug-in.
    Script {
        /// The actions.
        code: String,
    },
}

/// What the browser shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrowseOutput {
    /// Address of the page.
    pub url: String,
    /// The page as text.
    pub text: String,
    /// The page as a PNG picture.
    pub screenshot: Option<Bytes>,
    /// What went wrong, in words.
    pub error: Option<String>,
}

/// Python code for the interpreter of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PythonCell {
    /// The code.
    pub code: String,
    /// Ends the cell after this time.
    pub deadline: Option<Duration>,
}

impl PythonCell {
    /// Code without a deadline.
    pub fn new(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            deadline: None,
        }
    }
}

/// What a Python cell gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CellOutput {
    /// Printed text and the value of the last expression.
    pub text: String,
    /// Pictures as PNG.
    pub images: Vec<Bytes>,
    /// The exception, in words.
    pub error: Option<String>,
}

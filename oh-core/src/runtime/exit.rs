//! How a process ended, and what it cost.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a process ended. There is no "unknown" number: what is not known is [`Lost`](Self::Lost).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exit {
    /// It ended by itself with this code (0 to 255).
    Code(i32),
    /// A signal ended it, sent by itself, the kernel or someone else.
    Signal(i32),
    /// Its deadline passed and the runtime ended it with its whole tree.
    TimedOut,
    /// The caller withdrew it and the runtime ended it with its whole tree.
    Cancelled,
    /// The kernel ended it for want of memory (known from cgroup counters, never guessed).
    OutOfMemory,
    /// It never ran.
    SpawnFailed(SpawnError),
    /// It ran, and nobody can say how it ended (the runtime or the shell around it is gone).
    Lost,
}

impl Exit {
    /// True for `Code(0)` alone.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The exit code, if it ended by itself.
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            _ => None,
        }
    }

    /// The number a POSIX shell would show: the code, 128 + signal, 127 or 126 where nothing ran.
    /// `None` where no shell could know it.
    pub const fn shell_code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(signal) => Some(128 + *signal),
            Self::SpawnFailed(SpawnError {
                kind: SpawnErrorKind::NotFound,
                ..
            }) => Some(127),
            Self::SpawnFailed(_) => Some(126),
            Self::TimedOut | Self::Cancelled | Self::OutOfMemory | Self::Lost => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut => f.write_str("ended at its deadline"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::SpawnFailed(error) => write!(f, "did not start: {error}"),
            Self::Lost => f.write_str("lost: nobody knows how it ended"),
        }
    }
}

/// Why a program did not start.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpawnError {
    /// The class of the reason.
    pub kind: SpawnErrorKind,
    /// The program that was asked for.
    pub program: String,
    /// What the system said.
    pub message: String,
}

impl SpawnError {
    /// Describes a program that did not start.
    pub fn new(
        kind: SpawnErrorKind,
        program: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            program: program.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.program.escape_debug(), self.message)
    }
}

impl std::error::Error for SpawnError {}

/// Class of a [`SpawnError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpawnErrorKind {
    /// No such program, or its interpreter is missing.
    NotFound,
    /// Not executable, or the place forbids it.
    PermissionDenied,
    /// The file is no program that this system can run.
    NotExecutable,
    /// Arguments and environment are larger than the kernel takes.
    TooLarge,
    /// No process, descriptor or memory left.
    LimitExceeded,
    /// Anything else; the message says what.
    Other,
}

/// A measured value and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured<T> {
    /// The value.
    pub value: T,
    /// Where it was read.
    pub source: UsageSource,
}

/// Where a usage figure was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UsageSource {
    /// `wait4(2)`: the process and the descendants it waited for.
    Wait4,
    /// A control group: everything that ran in it.
    Cgroup,
    /// Difference of a shell's counters before and after: background children excluded.
    ShellCounters,
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTime {
    /// In the program.
    pub user: Duration,
    /// In the kernel on its behalf.
    pub system: Duration,
}

/// What a process cost. Figures that could not be read are `None`, never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// From start to exit, on a monotonic clock.
    pub wall: Duration,
    /// Processor time.
    pub cpu: Option<Measured<CpuTime>>,
    /// Largest resident set.
    pub peak_memory_bytes: Option<Measured<u64>>,
}

impl Usage {
    /// Usage of which only the wall time is known.
    pub fn wall(wall: Duration) -> Self {
        Self {
            wall,
            ..Self::default()
        }
    }
}

//! The [`Runtime`] trait and everything that its methods take and give.
//!
//! Two things are kept apart throughout: how long a process *lives*
//! ([`Command::deadline`], [`ProcessControl::cancel`]) and how long a call *waits* ([`Follow`]).

mod command;
mod descriptor;
mod exit;
mod ext;
mod file;
mod forward;
mod output;
mod path;
mod process;
mod sandbox;
mod traits;

#[cfg(test)]
mod tests;

pub use command::{Command, Follow, Limits, OutputMode, Position, PtySize, Stdin, Target, quote};
pub use descriptor::{Capabilities, Capability, Containment, Descriptor, Isolation};
pub use exit::{CpuTime, Exit, Measured, SpawnError, SpawnErrorKind, Usage, UsageSource};
pub use ext::RuntimeExt;
pub use file::{
    Body, ByteStream, Case, CopyFormat, CopyOptions, CopySummary, FileContent, FileKind, FileMeta,
    FileVersion, GlobOutput, GlobQuery, GrepLine, GrepOutput, GrepQuery, IgnoreRules, LineEnding,
    LineRange, LinkMode, ListOptions, Listing, Parents, PatternKind, ReadAs, ReadOptions,
    ReadOutput, RemoveMode, RenameMode, TextContent, WriteMode, WriteOptions,
};
pub use output::{
    ByteRange, Capture, CaptureLimit, Captured, CommandOutput, Gap, InputEvidence, Outcome,
    OutputStream, Pause, SessionReport, WaitsForInput,
};
pub use path::SandboxPath;
pub use process::{
    ExitReport, Process, ProcessControl, ProcessDriver, ProcessEvent, ProcessEvents, Signal,
};
pub use sandbox::{
    Browse, BrowseOutput, CellOutput, Port, ProcessInfo, PythonCell, SnapshotId, Stats,
};
pub use traits::{Runtime, StatusStream};

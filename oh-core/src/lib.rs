#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod action;
pub mod codec;
pub mod edit;
pub mod error;
pub mod event;
pub mod execute;
pub mod id;
pub mod message;
pub mod observation;
pub mod policy;
pub mod runtime;
pub mod secret;
pub mod status;
pub mod terminal;
pub mod time;
pub mod tool;

pub use action::Action;
pub use codec::DecodeError;
pub use edit::{Edit, EditError, EditOutput, Edited};
pub use error::{Error, ErrorClass, ErrorKind, Result};
pub use event::{BlobRef, Draft, Event, EventBody, RawJson, RawObject, Source};
pub use execute::{CaptureTap, DispatchOptions, Dispatcher, OutputTap, TapOutput};
pub use id::{CallId, EventId, IdempotencyKey, ProcessId, RuntimeId, SessionId, SessionName};
pub use observation::Observation;
pub use policy::{AllowAll, Decision, DenyAll, Policy, PolicyContext, RiskPolicy, UnknownRisk};
pub use runtime::{
    Body, Browse, BrowseOutput, ByteRange, ByteStream, Capabilities, Capability, Capture,
    CaptureLimit, Captured, Case, CellOutput, Command, CommandOutput, Containment, CopyFormat,
    CopyOptions, CopySummary, CpuTime, Descriptor, Exit, ExitReport, FileContent, FileKind,
    FileMeta, FileVersion, Follow, Gap, GlobOutput, GlobQuery, GrepLine, GrepOutput, GrepQuery,
    IgnoreRules, InputEvidence, Isolation, Limits, LineEnding, LineRange, LinkMode, ListOptions,
    Listing, Measured, Outcome, OutputMode, OutputStream, Parents, PatternKind, Pause, Port,
    Position, Process, ProcessControl, ProcessDriver, ProcessEvent, ProcessEvents, ProcessInfo,
    PtySize, PythonCell, ReadAs, ReadOptions, ReadOutput, RemoveMode, RenameMode, Runtime,
    RuntimeExt, SandboxPath, SessionReport, Signal, SnapshotId, SpawnError, SpawnErrorKind, Stats,
    StatusStream, Stdin, Target, TextContent, Usage, UsageSource, WaitsForInput, WriteMode,
    WriteOptions,
};
pub use secret::{Masker, Secret, StreamMasker};
pub use status::{
    AgentState, AgentTrigger, Folded, InvalidTransition, Irregular, RuntimeStatus, RuntimeTrigger,
    Transition,
};
pub use terminal::{TerminalEscaper, TerminalText, escape_for_terminal};
pub use time::Timestamp;

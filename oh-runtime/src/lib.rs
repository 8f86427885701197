#![doc = include_str!("../README.md")]
#![warn(rustdoc::unescaped_backticks)]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod executor;
#[cfg(all(feature = "local", target_os = "linux"))]
pub mod local;
#[cfg(all(feature = "local", target_os = "linux"))]
pub mod transfer;

#[doc(inline)]
pub use executor::{ActionLimits, Executor, ExecutorBuilder, Permissions};
#[cfg(all(feature = "local", target_os = "linux"))]
#[doc(inline)]
pub use local::{ContainmentChoice, FileScope, LocalFiles, LocalRuntime, LocalRuntimeBuilder};
pub use oh_core::{
    Action, AgentState, AgentTrigger, AllowAll, BlobRef, Body, Browse, BrowseOutput, ByteRange,
    ByteStream, CallId, Capabilities, Capability, Capture, CaptureLimit, CaptureTap, Captured,
    Case, CellOutput, Command, CommandOutput, Containment, CopyFormat, CopyOptions, CopySummary,
    CpuTime, Decision, DecodeError, DenyAll, Descriptor, DispatchOptions, Dispatcher, Draft, Edit,
    EditError, EditOutput, Edited, Error, ErrorClass, ErrorKind, Event, EventBody, EventId, Exit,
    ExitReport, FileContent, FileKind, FileMeta, FileVersion, Folded, Follow, Gap, GlobOutput,
    GlobQuery, GrepLine, GrepOutput, GrepQuery, IdempotencyKey, IgnoreRules, InputEvidence,
    InvalidTransition, Irregular, Isolation, Limits, LineEnding, LineRange, LinkMode, ListOptions,
    Listing, Masker, Measured, Observation, Outcome, OutputMode, OutputStream, OutputTap, Parents,
    PatternKind, Pause, Policy, PolicyContext, Port, Position, Process, ProcessControl,
    ProcessDriver, ProcessEvent, ProcessEvents, ProcessId, ProcessInfo, PtySize, PythonCell,
    RawJson, RawObject, ReadAs, ReadOptions, ReadOutput, RemoveMode, RenameMode, Result,
    RiskPolicy, Runtime, RuntimeExt, RuntimeId, RuntimeStatus, RuntimeTrigger, SandboxPath, Secret,
    SessionId, SessionName, SessionReport, Signal, SnapshotId, Source, SpawnError, SpawnErrorKind,
    Stats, StatusStream, Stdin, StreamMasker, TapOutput, Target, TerminalEscaper, TerminalText,
    TextContent, Timestamp, Transition, UnknownRisk, Usage, UsageSource, WaitsForInput, WriteMode,
    WriteOptions, escape_for_terminal,
};
pub use oh_core::{
    action, codec, edit, error, event, execute, id, message, observation, policy, runtime, secret,
    status, terminal, time, tool,
};
pub use oh_events as events;

/// The examples of the front page are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontPage;

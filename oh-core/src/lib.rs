#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod error;
pub mod id;
pub mod runtime;
pub mod status;
pub mod time;

pub use error::{Error, ErrorClass, ErrorKind, Result};
pub use id::{CallId, EventId, IdempotencyKey, ProcessId, RuntimeId, SessionId, SessionName};
pub use runtime::{CpuTime, Exit, Measured, SpawnError, SpawnErrorKind, Usage, UsageSource};
pub use status::{
    AgentState, AgentTrigger, Folded, InvalidTransition, Irregular, RuntimeStatus, RuntimeTrigger,
    Transition,
};
pub use time::Timestamp;

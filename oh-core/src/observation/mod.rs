//! What came of an action: one struct per kind, with the fields of OpenHands V0.

mod browse;
mod command;
mod control;
mod custom;
mod failure;
mod file;
mod kind;
mod message;
mod tool;

pub use browse::BrowseObservation;
pub use command::{CommandMetadata, RunDetails, RunObservation, RunPythonObservation};
pub use control::{
    AgentStateChangedObservation, CondenseObservation, DelegateObservation, Knowledge,
    LoopDetectionObservation, NullObservation, RecallObservation, TaskTrackingObservation,
    UserRejectedObservation,
};
pub use custom::CustomObservation;
pub use failure::{ErrorObservation, FailureObservation, SuccessObservation};
pub use file::{
    DownloadObservation, EditObservation, FileObservation, ReadObservation, WriteObservation,
};
pub use kind::Observation;
pub use message::ThinkObservation;
pub use tool::CallToolObservation;

//! What an agent or a user wants done: one struct per kind, with the fields of OpenHands V0.
//!
//! Fields are public and the structs can grow, so values are made by `new` (which takes what the
//! kind cannot do without) and changed by setters or by assignment.

mod browse;
mod command;
mod control;
mod custom;
mod file;
mod kind;
mod message;
mod risk;
mod tool;

pub use browse::{BrowseAction, BrowseInteractiveAction};
pub use command::{RunAction, RunOptions, RunPythonAction};
pub use control::{
    ChangeAgentStateAction, CondensationAction, CondensationRequestAction, ConfirmAction,
    ConfirmStep, DelegateAction, FinishAction, LoopRecoveryAction, NullAction, RecallAction,
    RecallKind, RejectAction, TaskItem, TaskTrackingAction,
};
pub use custom::CustomAction;
pub use file::{
    EditAction, EditSource, FileAction, FileOperation, ReadAction, ReadSource, WriteAction,
};
pub use kind::Action;
pub use message::{MessageAction, SystemAction, ThinkAction};
pub use risk::{ConfirmationState, SecurityRisk};
pub use tool::CallToolAction;

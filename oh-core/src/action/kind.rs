//! All kinds of actions.

use std::time::Duration;

use crate::action::*;
use crate::codec::payload::kinds;

kinds! {
    /// What an agent or a user wants done.
    pub enum Action {
        v0 {
            /// Runs a shell command.
            Run(RunAction) = "run",
            /// Runs Python code.
            RunPython(RunPythonAction) = "run_ipython",
            /// Opens a page.
            Browse(BrowseAction) = "browse",
            /// Acts in the open page.
            BrowseInteractive(BrowseInteractiveAction) = "browse_interactive",
            /// Reads a file.
            Read(ReadAction) = "read",
            /// Writes a file.
            Write(WriteAction) = "write",
            /// Changes a file.
            Edit(EditAction) = "edit",
            /// Calls a tool.
            CallTool(CallToolAction) = "call_tool_mcp",
            /// Does nothing.
            Null(NullAction) = "null",
            /// Says something.
            Message(MessageAction) = "message",
            /// Instructs the agent.
            System(SystemAction) = "system",
            /// Thinks.
            Think(ThinkAction) = "think",
            /// Ends the task.
            Finish(FinishAction) = "finish",
            /// Gives the task back.
            Reject(RejectAction) = "reject",
            /// Hands work on.
            Delegate(DelegateAction) = "delegate",
            /// Asks the memory.
            Recall(RecallAction) = "recall",
            /// Asks for another state.
            ChangeAgentState(ChangeAgentStateAction) = "change_agent_state",
            /// Forgets events.
            Condensation(CondensationAction) = "condensation",
            /// Asks for a condensation.
            CondensationRequest(CondensationRequestAction) = "condensation_request",
            /// Shows or replaces the task list.
            TaskTracking(TaskTrackingAction) = "task_tracking",
            /// Leads out of a loop.
            LoopRecovery(LoopRecoveryAction) = "loop_recovery",
        }
        native {
            /// Lists, searches, moves or removes files.
            File(FileAction),
            /// Asks the user, or answers.
            Confirm(ConfirmAction),
            /// A kind that this version has no struct for.
            Custom(CustomAction),
        }
    }
}

impl Action {
    /// Name of the kind: the discriminator in event JSON, `file` and `confirm` for ours.
    pub fn kind(&self) -> &str {
        match self {
            Self::File(_) => "file",
            Self::Confirm(_) => "confirm",
            Self::Custom(action) => &action.kind,
            known => known.v0_kind().unwrap_or_default(),
        }
    }

    /// True for the kinds that go to a runtime.
    pub fn is_runnable(&self) -> bool {
        self.timeout_field().is_some()
    }

    /// True for the kinds that end with exactly one observation: those that go to a runtime,
    /// thoughts and the task list.
    ///
    /// Of other kinds some are answered too (recall by a memory, delegation by another agent), as
    /// often as their peers like.
    pub fn expects_observation(&self) -> bool {
        self.is_runnable() || matches!(self, Self::Think(_) | Self::TaskTracking(_))
    }

    /// The author's reason, where the kind has one.
    pub fn thought(&self) -> Option<&str> {
        Some(match self {
            Self::Run(a) => &a.thought,
            Self::RunPython(a) => &a.thought,
            Self::Browse(a) => &a.thought,
            Self::BrowseInteractive(a) => &a.thought,
            Self::Read(a) => &a.thought,
            Self::Write(a) => &a.thought,
            Self::Edit(a) => &a.thought,
            Self::CallTool(a) => &a.thought,
            Self::Think(a) => &a.thought,
            Self::Finish(a) => &a.thought,
            Self::Reject(a) => &a.thought,
            Self::Delegate(a) => &a.thought,
            Self::Recall(a) => &a.thought,
            Self::ChangeAgentState(a) => &a.thought,
            Self::TaskTracking(a) => &a.thought,
            Self::File(a) => &a.thought,
            Self::Confirm(a) => &a.thought,
            _ => return None,
        })
    }

    /// The danger that the action states; unknown for kinds that state none.
    pub fn security_risk(&self) -> SecurityRisk {
        match self {
            Self::Run(a) => a.security_risk,
            Self::RunPython(a) => a.security_risk,
            Self::Browse(a) => a.security_risk,
            Self::BrowseInteractive(a) => a.security_risk,
            Self::Read(a) => a.security_risk,
            Self::Write(a) => a.security_risk,
            Self::Edit(a) => a.security_risk,
            Self::CallTool(a) => a.security_risk,
            Self::Message(a) => a.security_risk,
            Self::File(a) => a.security_risk,
            _ => SecurityRisk::Unknown,
        }
    }

    /// Whether the user agreed; `Confirmed` for kinds that are not asked about.
    pub fn confirmation_state(&self) -> ConfirmationState {
        match self {
            Self::Run(a) => a.confirmation_state,
            Self::RunPython(a) => a.confirmation_state,
            Self::File(a) => a.confirmation_state,
            _ => ConfirmationState::Confirmed,
        }
    }

    /// How long the action may be waited for, where the kind goes to a runtime.
    pub fn timeout(&self) -> Option<Duration> {
        *self.timeout_field()?
    }

    pub(crate) fn timeout_field(&self) -> Option<&Option<Duration>> {
        Some(match self {
            Self::Run(a) => &a.timeout,
            Self::RunPython(a) => &a.timeout,
            Self::Browse(a) => &a.timeout,
            Self::BrowseInteractive(a) => &a.timeout,
            Self::Read(a) => &a.timeout,
            Self::Write(a) => &a.timeout,
            Self::Edit(a) => &a.timeout,
            Self::CallTool(a) => &a.timeout,
            Self::File(a) => &a.timeout,
            _ => return None,
        })
    }

    pub(crate) fn timeout_mut(&mut self) -> Option<&mut Option<Duration>> {
        Some(match self {
            Self::Run(a) => &mut a.timeout,
            Self::RunPython(a) => &mut a.timeout,
            Self::Browse(a) => &mut a.timeout,
            Self::BrowseInteractive(a) => &mut a.timeout,
            Self::Read(a) => &mut a.timeout,
            Self::Write(a) => &mut a.timeout,
            Self::Edit(a) => &mut a.timeout,
            Self::CallTool(a) => &mut a.timeout,
            Self::File(a) => &mut a.timeout,
            _ => return None,
        })
    }
}

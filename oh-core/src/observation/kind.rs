//! All kinds of observations.

use crate::codec::payload::kinds;
use crate::error::Error;
use crate::observation::*;

kinds! {
    /// What came of an action.
    pub enum Observation {
        v0 {
            /// Output of a command.
            Run(RunObservation) = "run",
            /// Output of a Python cell.
            RunPython(RunPythonObservation) = "run_ipython",
            /// Content of a file.
            Read(ReadObservation) = "read",
            /// A file was written.
            Write(WriteObservation) = "write",
            /// A file was changed.
            Edit(EditObservation) = "edit",
            /// What the browser shows.
            Browse(BrowseObservation) = "browse",
            /// A file was downloaded.
            Download(DownloadObservation) = "download",
            /// What a tool answered.
            CallTool(CallToolObservation) = "mcp",
            /// A failure without a kind.
            Error(ErrorObservation) = "error",
            /// Success without more.
            Success(SuccessObservation) = "success",
            /// Nothing to say.
            Null(NullObservation) = "null",
            /// The user refused.
            UserRejected(UserRejectedObservation) = "user_rejected",
            /// The agent is in another state.
            AgentStateChanged(AgentStateChangedObservation) = "agent_state_changed",
            /// What another agent gave back.
            Delegate(DelegateObservation) = "delegate",
            /// Events were condensed.
            Condense(CondenseObservation) = "condense",
            /// A thought was logged.
            Think(ThinkObservation) = "think",
            /// What the memory answered.
            Recall(RecallObservation) = "recall",
            /// The task list.
            TaskTracking(TaskTrackingObservation) = "task_tracking",
            /// The agent goes round in circles.
            LoopDetection(LoopDetectionObservation) = "loop_detection",
        }
        native {
            /// Result of a file operation.
            File(FileObservation),
            /// A failure with its kind.
            Failure(FailureObservation),
            /// A kind that this version has no struct for.
            Custom(CustomObservation),
        }
    }
}

/// The `content` of an observation, borrowed as `$borrow` does.
macro_rules! content {
    ($self:expr, $($borrow:tt)+) => {
        match $self {
            Self::Run(o) => Some($($borrow)+ o.content),
            Self::RunPython(o) => Some($($borrow)+ o.content),
            Self::Read(o) => Some($($borrow)+ o.content),
            Self::Write(o) => Some($($borrow)+ o.content),
            Self::Edit(o) => Some($($borrow)+ o.content),
            Self::Browse(o) => Some($($borrow)+ o.content),
            Self::Download(o) => Some($($borrow)+ o.content),
            Self::CallTool(o) => Some($($borrow)+ o.content),
            Self::Error(o) => Some($($borrow)+ o.content),
            Self::Success(o) => Some($($borrow)+ o.content),
            Self::Null(o) => Some($($borrow)+ o.content),
            Self::UserRejected(o) => Some($($borrow)+ o.content),
            Self::AgentStateChanged(o) => Some($($borrow)+ o.content),
            Self::Delegate(o) => Some($($borrow)+ o.content),
            Self::Condense(o) => Some($($borrow)+ o.content),
            Self::Think(o) => Some($($borrow)+ o.content),
            Self::Recall(o) => Some($($borrow)+ o.content),
            Self::TaskTracking(o) => Some($($borrow)+ o.content),
            Self::LoopDetection(o) => Some($($borrow)+ o.content),
            Self::File(o) => Some($($borrow)+ o.content),
            Self::Failure(o) => Some($($borrow)+ o.content),
            Self::Custom(_) => None,
        }
    };
}

impl Observation {
    /// Name of the kind: the discriminator in event JSON, `file` and `failure` for ours.
    pub fn kind(&self) -> &str {
        match self {
            Self::File(_) => "file",
            Self::Failure(_) => "failure",
            Self::Custom(observation) => &observation.kind,
            known => known.v0_kind().unwrap_or_default(),
        }
    }

    /// The text; empty for a custom kind, whose content may be no text.
    pub fn content(&self) -> &str {
        content!(self, &).map_or("", String::as_str)
    }

    pub(crate) fn content_mut(&mut self) -> Option<&mut String> {
        content!(self, &mut)
    }

    /// V0's own verdict, which only `run` and `run_ipython` have.
    pub(crate) fn success(&self) -> Option<bool> {
        match self {
            Self::Run(o) => Some(o.metadata.exit_code == 0),
            Self::RunPython(_) => Some(true),
            _ => None,
        }
    }

    /// True for a failure of the runtime or the agent; a command with an exit code is none.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_) | Self::Failure(_))
    }
}

impl From<&Error> for Observation {
    fn from(error: &Error) -> Self {
        Self::Failure(error.into())
    }
}

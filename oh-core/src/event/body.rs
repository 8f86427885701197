//! What an event is about.

use crate::action::Action;
use crate::event::RawJson;
use crate::event::text::Texts;
use crate::observation::Observation;
use crate::status::RuntimeStatus;

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventBody {
    /// Something to do.
    Action(Action),
    /// What came of it.
    Observation(Observation),
    /// The runtime is in another state; OpenHands V0 sees a `null` observation.
    Status(StatusChange),
    /// A remark of the host; OpenHands V0 sees a `null` observation.
    Note(Note),
}

impl EventBody {
    /// The action, if it is one.
    pub fn as_action(&self) -> Option<&Action> {
        match self {
            Self::Action(action) => Some(action),
            _ => None,
        }
    }

    /// The observation, if it is one.
    pub fn as_observation(&self) -> Option<&Observation> {
        match self {
            Self::Observation(observation) => Some(observation),
            _ => None,
        }
    }

    /// Name of the kind, as of [`Action::kind`] and [`Observation::kind`], else `status` or `note`.
    pub fn kind(&self) -> &str {
        match self {
            Self::Action(action) => action.kind(),
            Self::Observation(observation) => observation.kind(),
            Self::Status(_) => "status",
            Self::Note(_) => "note",
        }
    }

    /// Calls `visit` with every text: see [`Event::visit_text`](crate::event::Event::visit_text).
    pub fn visit_text(&self, visit: &mut dyn FnMut(&str)) {
        self.texts(visit);
    }

    /// Calls `visit` with every text, which it may change.
    pub fn visit_text_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.texts_mut(visit);
    }
}

impl From<Note> for EventBody {
    fn from(note: Note) -> Self {
        Self::Note(note)
    }
}

impl From<StatusChange> for EventBody {
    fn from(change: StatusChange) -> Self {
        Self::Status(change)
    }
}

/// Makes a body of everything that makes an action or an observation.
macro_rules! into_body {
    ($body:ident in $module:ident: $($type:ident)*) => {
        impl From<$body> for EventBody {
            fn from(value: $body) -> Self {
                Self::$body(value)
            }
        }

        $(impl From<crate::$module::$type> for EventBody {
            fn from(value: crate::$module::$type) -> Self {
                Self::$body(value.into())
            }
        })*
    };
}

into_body! {
    Action in action: RunAction RunPythonAction BrowseAction BrowseInteractiveAction ReadAction WriteAction
        EditAction CallToolAction NullAction MessageAction SystemAction ThinkAction FinishAction
        RejectAction DelegateAction RecallAction ChangeAgentStateAction CondensationAction
        CondensationRequestAction TaskTrackingAction LoopRecoveryAction FileAction ConfirmAction
        CustomAction
}

into_body! {
    Observation in observation: RunObservation RunPythonObservation ReadObservation WriteObservation
        EditObservation BrowseObservation DownloadObservation CallToolObservation ErrorObservation
        SuccessObservation NullObservation UserRejectedObservation AgentStateChangedObservation
        DelegateObservation CondenseObservation ThinkObservation RecallObservation
        TaskTrackingObservation LoopDetectionObservation FileObservation FailureObservation
        CustomObservation
}

impl Texts for EventBody {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Action(action) => action.texts(visit),
            Self::Observation(observation) => observation.texts(visit),
            Self::Status(change) => change.detail.texts(visit),
            Self::Note(note) => {
                note.text.texts(visit);
                note.data.texts(visit);
            }
        }
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Action(action) => action.texts_mut(visit),
            Self::Observation(observation) => observation.texts_mut(visit),
            Self::Status(change) => change.detail.texts_mut(visit),
            Self::Note(note) => {
                note.text.texts_mut(visit);
                note.data.texts_mut(visit);
            }
        }
    }
}

/// The runtime is in another state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusChange {
    /// The state.
    pub status: RuntimeStatus,
    /// More about it, for people.
    pub detail: String,
}

impl StatusChange {
    /// Describes the state that the runtime is in now.
    pub fn new(status: RuntimeStatus, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }
}

/// A remark of the host that is neither shown to the model nor acted upon.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Note {
    /// The remark.
    pub text: String,
    /// Data that goes with it.
    pub data: Option<RawJson>,
}

impl Note {
    /// Creates a remark without data.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            data: None,
        }
    }

    /// Sets [`data`](Self::data).
    #[must_use]
    pub fn data(mut self, data: impl Into<RawJson>) -> Self {
        self.data = Some(data.into());
        self
    }
}

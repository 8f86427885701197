//! Failures, and success without more.

use crate::codec::payload::payload;
use crate::error::{Error, ErrorClass, ErrorKind};
use crate::event::text::Texts;

payload! {
    /// A failure as OpenHands V0 knows it: a text and perhaps an id.
    pub struct ErrorObservation {
        lead {
            /// The text.
            content: String,
        }
        optional {
            /// Id, as `AGENT_ERROR$BAD_ACTION`.
            error_id: String = String::new(),
        }
    }
}

payload! {
    /// An action succeeded and gave nothing else.
    pub struct SuccessObservation {
        lead {
            /// Text for the model.
            content: String,
        }
    }
}

/// A failure with its kind; OpenHands V0 sees an `error` with an id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureObservation {
    /// What failed and what to do about it.
    pub content: String,
    /// What went wrong.
    pub error: ErrorKind,
}

impl FailureObservation {
    /// Describes a failure.
    pub fn new(content: impl Into<String>, error: ErrorKind) -> Self {
        Self {
            content: content.into(),
            error,
        }
    }

    /// Describes an action whose host stopped before it was answered.
    pub fn interrupted() -> Self {
        Self::new(
            "the host stopped while this action ran, or before it did; whether it was carried out \
             is unknown: look at the workspace before you try again",
            ErrorKind::OutcomeUnknown,
        )
    }

    /// Who has to act.
    pub fn class(&self) -> ErrorClass {
        self.error.class()
    }

    /// The id that readers of OpenHands V0 see.
    pub fn error_id(&self) -> String {
        match self.error {
            ErrorKind::Unsupported => "AGENT_ERROR$BAD_ACTION".to_owned(),
            other => format!("OH${}", other.code().to_ascii_uppercase()),
        }
    }
}

impl From<&Error> for FailureObservation {
    fn from(error: &Error) -> Self {
        Self::new(error.to_string(), error.kind())
    }
}

impl Texts for FailureObservation {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        self.content.texts(visit);
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.content.texts_mut(visit);
    }
}

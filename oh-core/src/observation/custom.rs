//! Observations that this version has no struct for.

use crate::event::RawJson;
use crate::event::text::Texts;

/// An observation of an unknown kind, or of a known kind with fields that do not fit it.
///
/// It is written back as it was read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CustomObservation {
    /// The discriminator.
    pub kind: String,
    /// The value of `content`, if there was any: a text as a rule.
    pub content: Option<RawJson>,
    /// The value of `extras`, if there was any.
    pub extras: Option<RawJson>,
    /// For a known kind: what does not fit.
    pub problem: Option<String>,
}

impl CustomObservation {
    /// Creates an observation of a kind of your own.
    pub fn new(
        kind: impl Into<String>,
        content: impl AsRef<str>,
        extras: impl Into<RawJson>,
    ) -> Self {
        Self {
            kind: kind.into(),
            content: Some(content.as_ref().into()),
            extras: Some(extras.into()),
            problem: None,
        }
    }
}

impl Texts for CustomObservation {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        self.content.texts(visit);
        self.extras.texts(visit);
        self.problem.texts(visit);
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.content.texts_mut(visit);
        self.extras.texts_mut(visit);
        self.problem.texts_mut(visit);
    }
}

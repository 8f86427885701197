//! Actions that this version has no struct for.

use crate::event::RawJson;
use crate::event::text::Texts;

/// An action of an unknown kind, or of a known kind with fields that do not fit it.
///
/// It is written back as it was read. No runtime carries it out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CustomAction {
    /// The discriminator.
    pub kind: String,
    /// The value of `args`, if there was any.
    pub args: Option<RawJson>,
    /// For a known kind: what does not fit.
    pub problem: Option<String>,
}

impl CustomAction {
    /// Creates an action of a kind of your own.
    pub fn new(kind: impl Into<String>, args: impl Into<RawJson>) -> Self {
        Self {
            kind: kind.into(),
            args: Some(args.into()),
            problem: None,
        }
    }
}

impl Texts for CustomAction {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        self.args.texts(visit);
        self.problem.texts(visit);
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.args.texts_mut(visit);
        self.problem.texts_mut(visit);
    }
}

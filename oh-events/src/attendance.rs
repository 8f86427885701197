//! Whether a person watches.

/// Whether a person takes part in a session; some rules of OpenHands V0 depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attendance {
    /// No one does: the session runs by itself to its end.
    #[default]
    Headless,
    /// A user reads along and can answer.
    Interactive,
}

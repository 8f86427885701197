//! The state that a recorded log ends in.

/// Result of folding recorded states.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Folded<S> {
    /// The last recorded state, or the initial one where none was recorded.
    pub state: S,
    /// Steps that the transition table does not list, oldest first. They were followed.
    pub irregular: Vec<Irregular<S>>,
}

/// A recorded step that the transition table does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Irregular<S> {
    /// Position among the recorded states, from 0.
    pub index: usize,
    /// The state before.
    pub from: S,
    /// The state that was recorded.
    pub to: S,
}

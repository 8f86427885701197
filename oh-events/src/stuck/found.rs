//! What was found.

use std::fmt;

use oh_core::EventId;

/// Kind of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoopKind {
    /// The last four actions are equal, and so are the last four observations.
    RepeatingActionObservation,
    /// The last three actions are equal, and the last three observations are errors, or cells with
    /// one and the same syntax error.
    RepeatingActionError,
    /// The last three messages of the agent are equal, without an observation between them.
    Monologue,
    /// The last six actions and observations are two that take turns.
    RepeatingPattern,
    /// The history is condensed over and over.
    ContextWindowError,
    /// The agent waits, and nothing changes. OpenHands V0 does not know this kind.
    WaitingWithoutChange,
}

impl LoopKind {
    /// The name that OpenHands V0 gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RepeatingActionObservation => "repeating_action_observation",
            Self::RepeatingActionError => "repeating_action_error",
            Self::Monologue => "monologue",
            Self::RepeatingPattern => "repeating_action_observation_pattern",
            Self::ContextWindowError => "context_window_error",
            Self::WaitingWithoutChange => "waiting_without_change",
        }
    }
}

impl fmt::Display for LoopKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An agent that goes round in circles.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// The kind of loop.
    pub kind: LoopKind,
    /// How often the loop was gone through: as many rounds as its rule compares, or the number of
    /// waits that brought nothing new.
    pub repeats: usize,
    /// Place of the first event of the loop among all that were observed, from 0: what stands
    /// before it is the history to go back to.
    pub start_index: u64,
    /// The events of the loop that were compared, in the order of the log; of a wait the first and
    /// the last.
    pub events: Vec<EventId>,
}

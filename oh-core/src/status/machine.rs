//! What both state machines have in common.

use std::fmt;
use std::fmt::Write as _;

use crate::error::{Error, ErrorKind};
use crate::status::fold::{Folded, Irregular};

/// A row of a transition table: in any of these states, this trigger leads to that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition<S: 'static, T> {
    /// States in which the trigger is accepted.
    pub from: &'static [S],
    /// What happened.
    pub trigger: T,
    /// The state afterwards.
    pub to: S,
}

impl<S, T> Transition<S, T> {
    pub(super) const fn new(from: &'static [S], trigger: T, to: S) -> Self {
        Self { from, trigger, to }
    }
}

/// Refusal of a trigger that the table does not list for the present state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidTransition {
    /// Name of the state machine.
    pub machine: &'static str,
    /// The present state.
    pub state: &'static str,
    /// The trigger that was refused.
    pub trigger: &'static str,
    /// Triggers that the present state accepts.
    pub possible: Vec<&'static str>,
}

impl fmt::Display for InvalidTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} does not accept {}, it accepts {}",
            self.machine,
            self.state,
            self.trigger,
            self.possible.join(", ")
        )
    }
}

impl std::error::Error for InvalidTransition {}

impl From<InvalidTransition> for Error {
    fn from(refusal: InvalidTransition) -> Self {
        Self::new(ErrorKind::Conflict, format!("change {}", refusal.machine))
            .with_detail(refusal.to_string())
            .with_source(refusal)
    }
}

pub(super) trait Machine: Copy + Eq + 'static {
    type Trigger: Copy + Eq + 'static;

    const NAME: &'static str;
    const STATES: &'static [Self];
    const INITIAL: Self;
    const TABLE: &'static [Transition<Self, Self::Trigger>];

    fn name(self) -> &'static str;
    fn trigger_name(trigger: Self::Trigger) -> &'static str;
}

pub(super) fn next<M: Machine>(
    state: M,
    trigger: M::Trigger,
) -> std::result::Result<M, InvalidTransition> {
    M::TABLE
        .iter()
        .find(|row| row.trigger == trigger && row.from.contains(&state))
        .map(|row| row.to)
        .ok_or_else(|| InvalidTransition {
            machine: M::NAME,
            state: state.name(),
            trigger: M::trigger_name(trigger),
            possible: possible(state).map(M::trigger_name).collect(),
        })
}

pub(super) fn possible<M: Machine>(state: M) -> impl Iterator<Item = M::Trigger> {
    M::TABLE
        .iter()
        .filter(move |row| row.from.contains(&state))
        .map(|row| row.trigger)
}

/// Whether a recorded step is listed, or none.
pub(super) fn leads_to<M: Machine>(from: M, to: M) -> bool {
    from == to
        || M::TABLE
            .iter()
            .any(|row| row.to == to && row.from.contains(&from))
}

/// Recording the same state twice is regular: V0 writes no event for it, other writers may.
pub(super) fn fold<M: Machine>(recorded: impl IntoIterator<Item = M>) -> Folded<M> {
    let mut folded = Folded {
        state: M::INITIAL,
        irregular: Vec::new(),
    };
    for (index, to) in recorded.into_iter().enumerate() {
        let from = folded.state;
        if !leads_to(from, to) {
            folded.irregular.push(Irregular { index, from, to });
        }
        folded.state = to;
    }
    folded
}

pub(super) fn markdown<M: Machine>() -> String {
    let mut text = String::from("| in | trigger | leads to |\n|---|---|---|\n");
    for row in M::TABLE {
        let from = if M::STATES.iter().all(|state| row.from.contains(state)) {
            "any".to_owned()
        } else {
            let names: Vec<_> = row.from.iter().map(|s| format!("`{}`", s.name())).collect();
            names.join(", ")
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {from} | `{}` | `{}` |",
            M::trigger_name(row.trigger),
            row.to.name()
        );
    }
    text
}

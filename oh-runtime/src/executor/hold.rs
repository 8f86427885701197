//! Halts of the agent: what they end, and what they forbid afterwards.

use oh_core::action::Action;
use oh_core::event::{Event, EventBody};
use oh_core::observation::Observation;
use oh_core::{AgentState, Source};

/// What an event asks of the executor.
pub(super) enum Halt {
    No,
    /// Ends the running action; what is queued waits.
    Pause,
    /// Ends the running action and drops what is queued.
    Stop,
}

/// What the agent's state forbids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Nothing,
    /// Actions wait until the agent runs again.
    Paused,
    /// Actions of the agent are not carried out: it did not know of the stop when it chose them.
    Stopped,
}

impl Hold {
    pub(super) fn of(state: AgentState) -> Self {
        match state {
            AgentState::Paused => Self::Paused,
            AgentState::Stopped | AgentState::Error => Self::Stopped,
            _ => Self::Nothing,
        }
    }
}

/// The state that an event records or asks for.
fn state_in(event: &Event) -> Option<AgentState> {
    match &event.body {
        EventBody::Observation(Observation::AgentStateChanged(change)) => {
            change.agent_state.parse().ok()
        }
        EventBody::Action(Action::ChangeAgentState(change)) => change.agent_state.parse().ok(),
        _ => None,
    }
}

/// Whether an event halts the agent: an observed change of state, or the wish for one.
pub(super) fn halt(event: &Event) -> Halt {
    match state_in(event) {
        Some(AgentState::Stopped | AgentState::Error) => Halt::Stop,
        Some(AgentState::Paused) => Halt::Pause,
        _ => Halt::No,
    }
}

/// What is forbidden after an event. The wish to pause or to run is enough; whether the agent is
/// stopped is for its controller to say.
pub(super) fn held(event: &Event, before: Hold) -> Hold {
    let is_wish = event.body.as_action().is_some();
    match state_in(event) {
        None => before,
        Some(AgentState::Paused) => Hold::Paused,
        Some(AgentState::Running) if !is_wish || event.source != Source::Agent => Hold::Nothing,
        Some(_) if is_wish => before,
        Some(state) => match (Hold::of(state), before) {
            (Hold::Nothing, Hold::Paused) => Hold::Paused,
            (now, _) => now,
        },
    }
}

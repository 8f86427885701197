//! What a person said about an action.

use oh_core::action::{Action, ConfirmStep};
use oh_core::{AgentState, Event, EventBody, EventId, Source};

/// What a person said about an action.
///
/// The words of a model do not count: it does not approve its own actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Approval {
    /// It may be carried out.
    Approved,
    /// It may not.
    Refused,
}

impl Approval {
    /// What an event says about `action`, about which the event `question` asks. Our own answers
    /// name the action; that of OpenHands V0 is a change of state after the question.
    pub fn find(event: &Event, action: EventId, question: EventId) -> Option<Self> {
        match Self::named(event) {
            Some((named, said)) => (named == action).then_some(said),
            None if event.id > question => Self::unnamed(event),
            // It was about something else.
            None => None,
        }
    }

    /// What an event says about an action that it names, which may come before the question.
    pub fn named(event: &Event) -> Option<(EventId, Self)> {
        let EventBody::Action(Action::Confirm(confirm)) = &event.body else {
            return None;
        };
        let said = match confirm.step {
            ConfirmStep::Approved => Self::Approved,
            ConfirmStep::Refused => Self::Refused,
            _ => return None,
        };
        (event.source != Source::Agent).then_some((confirm.action, said))
    }

    /// What an event says about every action that was asked about before it.
    pub(super) fn unnamed(event: &Event) -> Option<Self> {
        let EventBody::Action(Action::ChangeAgentState(change)) = &event.body else {
            return None;
        };
        if event.source == Source::Agent {
            return None;
        }
        match change.agent_state.parse() {
            Ok(AgentState::UserConfirmed) => Some(Self::Approved),
            Ok(AgentState::UserRejected) => Some(Self::Refused),
            _ => None,
        }
    }
}

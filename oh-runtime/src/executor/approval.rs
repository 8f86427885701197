//! Actions that a person has to approve.

use oh_core::action::{Action, ConfirmAction, ConfirmStep};
use oh_core::event::{Event, EventBody, Source};
use oh_core::{AgentState, AgentTrigger, ErrorKind, EventId, Result};

use super::builder::Executor;

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Approved,
    Refused,
}

impl Executor {
    /// Appends the question, so that it survives a restart, and marks the state.
    pub(super) async fn ask(&self, action: EventId, question: String) -> Result<EventId> {
        let confirm = ConfirmAction::new(action, ConfirmStep::Question).thought(question);
        let question = self.stream.append(Source::Environment, confirm).await?;
        self.shift(AgentTrigger::AwaitConfirmation).await?;
        Ok(question)
    }

    /// Moves the agent's state where its table allows it. Hosts without a controller never set a
    /// state, and an executor works for them all the same.
    pub(super) async fn shift(&self, trigger: AgentTrigger) -> Result<()> {
        match self.stream.set_state(trigger).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => Ok(()),
        }
    }
}

/// The answer in an event, if it is one about `action`: ours names the action, that of OpenHands
/// V0 is a change of state after the `question`.
pub(super) fn answer(event: &Event, action: EventId, question: EventId) -> Option<Answer> {
    match named_answer(event) {
        Some((named, said)) => (named == action).then_some(said),
        None if event.id > question => unnamed_answer(event),
        // It was about something else.
        None => None,
    }
}

/// An answer that names its action, which may come before the question.
pub(super) fn named_answer(event: &Event) -> Option<(EventId, Answer)> {
    let EventBody::Action(Action::Confirm(confirm)) = &event.body else {
        return None;
    };
    let said = match confirm.step {
        ConfirmStep::Approved => Answer::Approved,
        ConfirmStep::Refused => Answer::Refused,
        _ => return None,
    };
    // A model does not approve its own actions.
    (event.source != Source::Agent).then_some((confirm.action, said))
}

fn unnamed_answer(event: &Event) -> Option<Answer> {
    let EventBody::Action(Action::ChangeAgentState(change)) = &event.body else {
        return None;
    };
    if event.source == Source::Agent {
        return None;
    }
    match change.agent_state.parse() {
        Ok(AgentState::UserConfirmed) => Some(Answer::Approved),
        Ok(AgentState::UserRejected) => Some(Answer::Refused),
        _ => None,
    }
}

//! Actions that a person has to approve.

use oh_core::action::{Action, ConfirmAction, ConfirmStep};
use oh_core::event::{Event, EventBody, Source};
use oh_core::{AgentState, AgentTrigger, EventId, Result};

use super::builder::Executor;

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Approved,
    Refused,
}

impl Executor {
    /// Appends the question, so that it survives a restart, and marks the state.
    pub(super) async fn ask(&self, action: EventId, question: String) -> Result<()> {
        let confirm = ConfirmAction::new(action, ConfirmStep::Question).thought(question);
        self.stream.append(Source::Environment, confirm).await?;
        self.shift(AgentTrigger::AwaitConfirmation).await
    }

    /// Moves the agent's state where its table allows it. Hosts without a controller never set a
    /// state, and an executor works for them all the same.
    pub(super) async fn shift(&self, trigger: AgentTrigger) -> Result<()> {
        if self.stream.state().next(trigger).is_ok() {
            self.stream.set_state(trigger).await?;
        }
        Ok(())
    }
}

/// The answer in an event, if it is one to a question about `action`: ours names the action, that
/// of OpenHands V0 is a change of state while one question is open.
pub(super) fn answer(event: &Event, action: EventId) -> Option<Answer> {
    if event.source == Source::Agent {
        // A model does not approve its own actions.
        return None;
    }
    match &event.body {
        EventBody::Action(Action::Confirm(confirm)) if confirm.action == action => {
            match confirm.step {
                ConfirmStep::Approved => Some(Answer::Approved),
                ConfirmStep::Refused => Some(Answer::Refused),
                _ => None,
            }
        }
        EventBody::Action(Action::ChangeAgentState(change)) => {
            if change.agent_state == AgentState::UserConfirmed.as_str() {
                Some(Answer::Approved)
            } else if change.agent_state == AgentState::UserRejected.as_str() {
                Some(Answer::Refused)
            } else {
                None
            }
        }
        _ => None,
    }
}

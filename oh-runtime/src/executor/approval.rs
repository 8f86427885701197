//! Actions that a person has to approve.

use oh_core::action::{ConfirmAction, ConfirmStep};
use oh_core::event::Source;
use oh_core::{AgentTrigger, ErrorKind, EventId, Result};

use super::builder::Executor;

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

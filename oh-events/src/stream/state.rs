//! The agent's state: looking at it, changing it, waiting for it.

use std::sync::Arc;

use oh_core::observation::AgentStateChangedObservation;
use oh_core::{
    AgentState, AgentTrigger, Draft, Error, ErrorKind, EventBody, EventId, Observation, Result,
    Source,
};

use super::event_stream::EventStream;

/// A change of the agent's state, before it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateChange {
    /// What happened.
    pub trigger: AgentTrigger,
    /// Why, for people; needed for an error.
    pub reason: String,
    /// The action that asked for it.
    pub cause: Option<EventId>,
}

impl StateChange {
    /// Describes a change without a reason.
    pub fn new(trigger: AgentTrigger) -> Self {
        Self {
            trigger,
            reason: String::new(),
            cause: None,
        }
    }

    /// Sets the [`reason`](Self::reason).
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Sets the [`cause`](Self::cause).
    #[must_use]
    pub fn cause(mut self, action: EventId) -> Self {
        self.cause = Some(action);
        self
    }
}

impl From<AgentTrigger> for StateChange {
    fn from(trigger: AgentTrigger) -> Self {
        Self::new(trigger)
    }
}

impl EventStream {
    /// The agent's state: that of the last `agent_state_changed` observation.
    pub fn state(&self) -> AgentState {
        self.core().hub.present().agent
    }

    /// Changes the agent's state and appends an `agent_state_changed` observation. Where the
    /// trigger changes nothing, nothing is appended.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if the present state does not accept the trigger, with
    /// an [`InvalidTransition`](oh_core::InvalidTransition) as source; those of
    /// [`append`](Self::append).
    ///
    /// # Cancel safety
    /// A dropped call may have changed the state.
    pub async fn set_state(&self, change: impl Into<StateChange> + Send) -> Result<AgentState> {
        let change = change.into();
        let gate = Arc::clone(&self.core().state_gate).lock_owned().await;
        let present = self.state();
        let next = present.next(change.trigger)?;
        if next != present {
            let body = AgentStateChangedObservation::new("", next.as_str()).reason(change.reason);
            let mut draft = Draft::new(Source::Environment, body);
            draft.cause = change.cause;
            self.core().append_holding(draft, Some(gate)).await?;
        }
        Ok(next)
    }

    /// Waits until the agent is in a state that is wanted; returns at once if it is.
    ///
    /// States that pass between two looks can be missed; a [`Subscription`](crate::Subscription)
    /// sees each of them.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if the stream is closed in another state.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn wait_for_state(
        &self,
        mut wanted: impl FnMut(AgentState) -> bool + Send,
    ) -> Result<AgentState> {
        let mut present = self.core().hub.watch();
        let seen = present
            .wait_for(|present| wanted(present.agent) || present.closed)
            .await
            .map(|present| present.agent);
        match seen {
            Ok(state) if wanted(state) => Ok(state),
            _ => Err(Error::new(ErrorKind::Gone, "wait for agent state")
                .with_object(self.session().as_str())
                .with_detail("the stream was closed before")),
        }
    }

    /// Appends a state that the caller made itself, if the present state can lead there.
    pub(super) async fn append_state(&self, draft: Draft) -> Result<EventId> {
        let gate = Arc::clone(&self.core().state_gate).lock_owned().await;
        let present = self.state();
        if let Some(next) = recorded_state(&draft.body)
            && !present.leads_to(next)
        {
            return Err(self
                .core()
                .error(ErrorKind::Conflict)
                .with_detail(format!("no step leads from {present} to {next}")));
        }
        self.core().append_holding(draft, Some(gate)).await
    }
}

/// The state that an event records.
fn recorded_state(body: &EventBody) -> Option<AgentState> {
    match body {
        EventBody::Observation(Observation::AgentStateChanged(change)) => {
            change.agent_state.parse().ok()
        }
        _ => None,
    }
}

//! The agent's state as a fold over the log.

use std::sync::Arc;

use oh_core::observation::AgentStateChangedObservation;
use oh_core::{
    AgentState, AgentTrigger, Draft, Error, ErrorKind, EventBody, EventId, Observation, Result,
    Source,
};

use crate::store::{Damage, Direction, EventReader, ReadRange};

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
        self.core().hub.agent()
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
        let _gate = self.core().state_gate.lock().await;
        let present = self.state();
        let next = present.next(change.trigger)?;
        if next != present {
            let body = AgentStateChangedObservation::new("", next.as_str()).reason(change.reason);
            let mut draft = Draft::new(Source::Environment, body);
            draft.cause = change.cause;
            self.core().append(draft).await?;
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
        let mut agent = self.core().hub.watch_agent();
        let seen = agent
            .wait_for(|agent| wanted(agent.state) || agent.closed)
            .await
            .map(|agent| *agent);
        match seen {
            Ok(agent) if wanted(agent.state) => Ok(agent.state),
            _ => Err(Error::new(ErrorKind::Gone, "wait for agent state")
                .with_object(self.session().as_str())
                .with_detail("the stream was closed before")),
        }
    }

    /// Appends a state that the caller made itself, if the present state can lead there.
    pub(super) async fn append_state(&self, draft: Draft) -> Result<EventId> {
        let _gate = self.core().state_gate.lock().await;
        let present = self.state();
        if let Some(next) = recorded_state(&draft.body) {
            let listed = AgentState::TRANSITIONS
                .iter()
                .any(|row| row.to == next && row.from.contains(&present));
            if next != present && !listed {
                return Err(self
                    .core()
                    .error(ErrorKind::Conflict)
                    .with_detail(format!("no step leads from {present} to {next}")));
            }
        }
        self.core().append(draft).await
    }
}

/// The state that an event records.
pub(super) fn recorded_state(body: &EventBody) -> Option<AgentState> {
    match body {
        EventBody::Observation(Observation::AgentStateChanged(change)) => {
            change.agent_state.parse().ok()
        }
        _ => None,
    }
}

/// The state that a log ends in, found from its end. Events that cannot be read are passed over:
/// folding is total.
pub(super) async fn last_state(reader: &Arc<dyn EventReader>, next: EventId) -> Result<AgentState> {
    let mut to = next;
    while to > reader.first() {
        let range = ReadRange::new(reader.first(), to).direction(Direction::Reverse);
        match reader.read(range).await {
            Ok(page) => {
                for encoded in &page {
                    let says_so = std::str::from_utf8(encoded.json())
                        .is_ok_and(|json| json.contains("agent_state_changed"));
                    if says_so
                        && let Ok(event) = oh_core::codec::decode_event(encoded.json())
                        && let Some(state) = recorded_state(&event.body)
                    {
                        return Ok(state);
                    }
                }
                match page.last() {
                    Some(oldest) => to = oldest.id(),
                    None => break,
                }
            }
            Err(error) => match Damage::of(&error) {
                Some(damage) if damage.from < to => to = damage.from,
                _ => return Err(error),
            },
        }
    }
    Ok(AgentState::INITIAL)
}

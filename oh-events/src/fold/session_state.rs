//! The fold over a log.

use std::collections::BTreeMap;

use oh_core::action::{Action, ConfirmStep};
use oh_core::{AgentState, Event, EventBody, EventId, Observation, RuntimeStatus, Source};
use serde::{Deserialize, Serialize};

use super::approval::Approval;
use super::id_set::IdSet;
use super::recorded::Recorded;
use super::statistics::Statistics;

/// What the events of a session add up to: the state of agent and runtime, statistics, and what
/// is open.
///
/// It holds no text of events, and its size does not grow with the log but for actions that stay
/// open. Its serde form is that of the snapshots of this version.
///
/// ```
/// use oh_core::action::RunAction;
/// use oh_core::{Draft, EventId, Source, Timestamp};
/// use oh_events::SessionState;
///
/// let mut state = SessionState::default();
/// let action = Draft::new(Source::Agent, RunAction::new("ls"));
/// state.apply(&action.into_event(EventId(0), Timestamp::from_micros(0)));
/// assert!(state.is_open(EventId(0)));
/// assert_eq!(state.statistics().actions.of("run"), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionState {
    next: EventId,
    agent: Recorded<AgentState>,
    runtime: Recorded<RuntimeStatus>,
    statistics: Statistics,
    last_user_message: Option<EventId>,
    open: IdSet,
    /// Actions about which a question is open, and that question.
    questions: BTreeMap<EventId, EventId>,
}

impl Default for SessionState {
    /// The state of an empty log.
    fn default() -> Self {
        Self {
            next: EventId(0),
            agent: Recorded::new(AgentState::INITIAL),
            runtime: Recorded::new(RuntimeStatus::INITIAL),
            statistics: Statistics::default(),
            last_user_message: None,
            open: IdSet::default(),
            questions: BTreeMap::new(),
        }
    }
}

impl SessionState {
    /// Folds in an event. Events come in the order of their ids, each of them once.
    pub fn apply(&mut self, event: &Event) {
        self.next = event.id.next();
        self.statistics.count(event);
        match &event.body {
            EventBody::Action(action) => self.apply_action(event, action),
            EventBody::Observation(Observation::AgentStateChanged(change)) => {
                // Logs may hold names that are no state.
                if let Ok(state) = change.agent_state.parse() {
                    self.agent.follow(event.id, state, AgentState::leads_to);
                }
            }
            EventBody::Observation(_) => {
                if let Some(action) = event.answers()
                    && self.open.remove(action)
                {
                    self.questions.remove(&action);
                }
            }
            EventBody::Status(change) => {
                self.runtime
                    .follow(event.id, change.status, RuntimeStatus::leads_to);
            }
            _ => {}
        }
    }

    fn apply_action(&mut self, event: &Event, action: &Action) {
        if action.expects_observation() {
            self.open.insert(event.id);
        }
        // The same as `Approval::find` for each of them, of which there can be many.
        if let Some((action, _)) = Approval::named(event) {
            self.questions.remove(&action);
        } else if Approval::unnamed(event).is_some() {
            self.questions.retain(|_, question| *question >= event.id);
        }
        match action {
            Action::Message(_) if event.source == Source::User => {
                self.last_user_message = Some(event.id);
            }
            Action::Confirm(confirm)
                if confirm.step == ConfirmStep::Question && self.open.contains(confirm.action) =>
            {
                self.questions.insert(confirm.action, event.id);
            }
            _ => {}
        }
    }

    /// Goes on at `next` without the events before it, which cannot be read; they are counted.
    pub fn pass_over(&mut self, next: EventId) {
        let missing = next.0.saturating_sub(self.next.0);
        self.statistics.unreadable += missing;
        self.next = self.next.max(next);
    }

    /// Id of the event that is to be folded in next.
    pub fn next(&self) -> EventId {
        self.next
    }

    /// State of the agent: that of the last `agent_state_changed` observation.
    pub fn agent_state(&self) -> AgentState {
        self.agent.present
    }

    /// State of the agent, with the steps on the way that were irregular.
    pub fn agent(&self) -> &Recorded<AgentState> {
        &self.agent
    }

    /// Status of the runtime: that of the last status event.
    pub fn runtime_status(&self) -> RuntimeStatus {
        self.runtime.present
    }

    /// Status of the runtime, with the steps on the way that were irregular.
    pub fn runtime(&self) -> &Recorded<RuntimeStatus> {
        &self.runtime
    }

    /// What the log holds, counted.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The last message of the user.
    pub fn last_user_message(&self) -> Option<EventId> {
        self.last_user_message
    }

    /// Actions that expect an observation
    /// ([`Action::expects_observation`]) and have none, in the order of the log.
    pub fn open_actions(&self) -> impl Iterator<Item = EventId> {
        self.open.iter()
    }

    /// Whether an action expects an observation and has none.
    pub fn is_open(&self, action: EventId) -> bool {
        self.open.contains(action)
    }

    /// Open actions that wait for a person, and the question about each.
    pub fn open_questions(&self) -> impl Iterator<Item = (EventId, EventId)> {
        self.questions
            .iter()
            .map(|(action, question)| (*action, *question))
    }

    /// The question about an action, if a person has not answered it yet.
    pub fn open_question(&self, action: EventId) -> Option<EventId> {
        self.questions.get(&action).copied()
    }
}

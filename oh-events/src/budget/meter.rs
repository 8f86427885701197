//! Counting what events say.

use std::collections::BTreeMap;
use std::time::Duration;

use oh_core::action::ConfirmationState;
use oh_core::event::Metrics;
use oh_core::{Action, AgentState, Event, EventBody, Observation, Source};

use super::limits::Pauses;
use super::money::NanoDollars;
use super::spent::Spent;

/// Models whose counts are kept apart; further ones count as one.
const MAX_MODELS: usize = 64;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Meter {
    steps: u64,
    /// What each model says that it used.
    models: BTreeMap<String, Model>,
    time_micros: u64,
    /// Time of the last event that says one.
    last_micros: Option<i64>,
    state: Option<AgentState>,
    /// The agent's last action waits for the user: its kind and its tool call.
    asked: Option<(String, Option<String>)>,
}

/// Counters of a model that start again at nothing with a new host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Model {
    before: (u64, u64),
    now: (u64, u64),
}

impl Meter {
    pub(super) fn spent(&self) -> Spent {
        let sum = |part: fn(&Model) -> u64| {
            let counts = self.models.values().map(part);
            counts.fold(0, u64::saturating_add)
        };
        Spent {
            steps: self.steps,
            tokens: sum(|model| model.before.0.saturating_add(model.now.0)),
            cost: NanoDollars(sum(|model| model.before.1.saturating_add(model.now.1))),
            time: Duration::from_micros(self.time_micros),
        }
    }

    /// The agent's state, as recorded last.
    pub(super) fn state(&self) -> Option<AgentState> {
        self.state
    }

    pub(super) fn observe(&mut self, event: &Event, pauses: Pauses) {
        self.pass_time(event, pauses);
        if let Some(metrics) = &event.metrics {
            self.take_metrics(metrics);
        }
        match &event.body {
            EventBody::Action(action) if event.source == Source::Agent => {
                self.take_action(event, action);
            }
            // An answer of the model that was no action, which the agent reports itself.
            EventBody::Observation(Observation::Error(_))
                if event.source == Source::Agent && event.cause.is_none() =>
            {
                self.steps += 1;
            }
            EventBody::Observation(Observation::AgentStateChanged(change)) => {
                self.state = change.agent_state.parse().ok();
            }
            _ => {}
        }
    }

    fn pass_time(&mut self, event: &Event, pauses: Pauses) {
        let Some(now) = event.time.micros() else {
            return;
        };
        let counts = pauses == Pauses::Counted || !self.state.is_some_and(is_pause);
        let since = self.last_micros.replace(now);
        if let Some(since) = since.filter(|_| counts) {
            // A clock that was set back took no time.
            let passed = now.saturating_sub(since).try_into().unwrap_or(0);
            self.time_micros = self.time_micros.saturating_add(passed);
        }
    }

    fn take_metrics(&mut self, metrics: &Metrics) {
        let usage = &metrics.accumulated_token_usage;
        let count = |tokens: i64| u64::try_from(tokens).unwrap_or(0);
        let tokens = count(usage.prompt_tokens).saturating_add(count(usage.completion_tokens));
        let mut name = usage.model.as_str();
        if !self.models.contains_key(name) && self.models.len() >= MAX_MODELS {
            name = "";
        }
        let model = self.models.entry(name.to_owned()).or_default();
        let cost = NanoDollars::from_dollars(metrics.accumulated_cost);
        let cost = cost.map_or(model.now.1, |cost| cost.0);
        if cost < model.now.1 || tokens < model.now.0 {
            model.before.0 = model.before.0.saturating_add(model.now.0);
            model.before.1 = model.before.1.saturating_add(model.now.1);
        }
        model.now = (tokens, cost);
    }

    fn take_action(&mut self, event: &Event, action: &Action) {
        if matches!(
            action,
            Action::System(_) | Action::Null(_) | Action::ChangeAgentState(_)
        ) {
            return;
        }
        let call = event.tool.as_ref().map(|tool| tool.tool_call_id.clone());
        let this = (action.kind().to_owned(), call);
        let is_asked = action.confirmation_state() == ConfirmationState::AwaitingConfirmation;
        // OpenHands V0 records an action that was asked about once more with the answer.
        let is_answer = !is_asked && self.asked.as_ref() == Some(&this);
        self.asked = is_asked.then_some(this);
        if !is_answer {
            self.steps += 1;
        }
    }
}

/// Whether the agent stands still until the user or the host acts.
fn is_pause(state: AgentState) -> bool {
    matches!(
        state,
        AgentState::AwaitingUserInput
            | AgentState::AwaitingUserConfirmation
            | AgentState::Paused
            | AgentState::Stopped
            | AgentState::Finished
            | AgentState::Rejected
            | AgentState::Error
    )
}

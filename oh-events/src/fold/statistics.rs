//! What a log holds, counted.

use std::collections::BTreeMap;

use oh_core::event::Metrics;
use oh_core::{Event, EventBody, Observation, Source, Timestamp};
use serde::{Deserialize, Serialize};

/// Most kinds that are counted one by one; a log can name as many as it likes.
const KINDS: usize = 128;

/// Longest name of a kind that is counted one by one.
const KIND_BYTES: usize = 64;

/// What a log holds, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Statistics {
    /// Events that were read.
    pub events: u64,
    /// Events that could not be read: damaged, or dropped by the store.
    pub unreadable: u64,
    /// Actions, by kind.
    pub actions: Counts,
    /// Observations, by kind.
    pub observations: Counts,
    /// Observations that report a failure of the runtime or the agent; a command with an exit
    /// code is none.
    pub errors: u64,
    /// Changes of the runtime's status.
    pub status_changes: u64,
    /// Remarks of the host.
    pub notes: u64,
    /// Events of the agent.
    pub from_agent: u64,
    /// Events of the user.
    pub from_user: u64,
    /// Events of the runtime and the host.
    pub from_environment: u64,
    /// Time of the first event.
    pub first_time: Option<Timestamp>,
    /// Time of the last event.
    pub last_time: Option<Timestamp>,
    /// What the model cost, as the last event that says so puts it.
    pub usage: Option<Usage>,
}

/// Events of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// By kind, as [`EventBody::kind`] names it.
    pub kinds: BTreeMap<String, u64>,
    /// Those of kinds that are not among [`kinds`](Self::kinds): it holds the first 128 kinds of a
    /// log whose names have 64 bytes at most.
    pub other: u64,
}

/// What the model cost since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// US dollars.
    pub cost_usd: f64,
    /// Tokens sent.
    pub prompt_tokens: i64,
    /// Tokens received.
    pub completion_tokens: i64,
    /// Tokens read from the provider's cache.
    pub cache_read_tokens: i64,
    /// Tokens written to the provider's cache.
    pub cache_write_tokens: i64,
}

impl Statistics {
    pub(super) fn count(&mut self, event: &Event) {
        self.events += 1;
        match &event.body {
            EventBody::Action(action) => self.actions.count(action.kind()),
            EventBody::Observation(observation) => self.count_observation(observation),
            EventBody::Status(_) => self.status_changes += 1,
            _ => self.notes += 1,
        }
        match event.source {
            Source::Agent => self.from_agent += 1,
            Source::User => self.from_user += 1,
            _ => self.from_environment += 1,
        }
        if self.first_time.is_none() {
            self.first_time = Some(event.time.clone());
        }
        match &mut self.last_time {
            Some(last) => last.clone_from(&event.time),
            none => *none = Some(event.time.clone()),
        }
        if let Some(usage) = event.metrics.as_ref().and_then(Usage::of) {
            self.usage = Some(usage);
        }
    }

    fn count_observation(&mut self, observation: &Observation) {
        self.observations.count(observation.kind());
        self.errors += u64::from(observation.is_error());
    }
}

impl Counts {
    fn count(&mut self, kind: &str) {
        self.total += 1;
        if let Some(count) = self.kinds.get_mut(kind) {
            *count += 1;
        } else if self.kinds.len() < KINDS && kind.len() <= KIND_BYTES {
            self.kinds.insert(kind.to_owned(), 1);
        } else {
            self.other += 1;
        }
    }

    /// How many events of a kind there are; 0 for one that is not counted one by one.
    pub fn of(&self, kind: &str) -> u64 {
        self.kinds.get(kind).copied().unwrap_or_default()
    }
}

impl Usage {
    /// JSON has no number for a cost that is none.
    fn of(metrics: &Metrics) -> Option<Self> {
        let tokens = &metrics.accumulated_token_usage;
        metrics.accumulated_cost.is_finite().then_some(Self {
            cost_usd: metrics.accumulated_cost,
            prompt_tokens: tokens.prompt_tokens,
            completion_tokens: tokens.completion_tokens,
            cache_read_tokens: tokens.cache_read_tokens,
            cache_write_tokens: tokens.cache_write_tokens,
        })
    }
}

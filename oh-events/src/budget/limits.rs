//! The budget.

use std::time::Duration;

use oh_core::{AgentState, Event};

use crate::attendance::Attendance;

use super::meter::Meter;
use super::money::NanoDollars;
use super::spent::{Exceeded, Left, Limit, Spent};

/// Whether time counts in which the agent stands still: paused, waiting for the user, at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pauses {
    /// It does: time is that of the clock.
    #[default]
    Counted,
    /// It does not.
    LeftOut,
}

/// Limits for a session, and what was spent of them. Without a limit it only counts.
///
/// - A *step* is an action of the agent, or an error that the agent reports about an answer of
///   the model that was none. The system message is no step, and neither is the second record of
///   an action that the user was asked about.
/// - *Tokens* (sent and received) and *money* are what `llm_metrics` says. The counters there run
///   on from event to event, one set for each model; one that falls began anew, and is added to
///   what it counted before.
/// - *Time* is the sum of the times between events; where a clock was set back, nothing is added.
///   The time after the last event is not counted.
///
/// A limit is reached when as much as it allows was spent: no further step should be taken. Where
/// the agent is then in the state `error` and goes on to `running`, because the user said so, the
/// limits that were reached are raised. That of steps is raised by its first amount, and only
/// with a user; the others to what was spent and their first amount on top.
///
/// ```
/// use oh_core::action::RunAction;
/// use oh_core::{Draft, EventId, Source, Timestamp};
/// use oh_events::budget::{Budget, Limit};
///
/// let mut budget = Budget::new().steps(1);
/// let step = Draft::new(Source::Agent, RunAction::new("ls"));
/// budget.observe(&step.into_event(EventId(0), Timestamp::from_micros(0)));
/// assert_eq!(budget.left().steps, Some(0));
/// assert_eq!(budget.exceeded().map(|exceeded| exceeded.limit), Some(Limit::Steps(1)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    attendance: Attendance,
    pauses: Pauses,
    first: Amounts,
    most: Amounts,
    meter: Meter,
    exceeded: Option<Exceeded>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Amounts {
    steps: Option<u64>,
    tokens: Option<u64>,
    cost: Option<NanoDollars>,
    time: Option<Duration>,
}

impl Budget {
    /// Counts without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the steps of the agent.
    #[must_use]
    pub fn steps(mut self, most: u64) -> Self {
        (self.first.steps, self.most.steps) = (Some(most), Some(most));
        self.checked()
    }

    /// Limits the tokens that are sent and received.
    #[must_use]
    pub fn tokens(mut self, most: u64) -> Self {
        (self.first.tokens, self.most.tokens) = (Some(most), Some(most));
        self.checked()
    }

    /// Limits the money.
    #[must_use]
    pub fn cost(mut self, most: NanoDollars) -> Self {
        (self.first.cost, self.most.cost) = (Some(most), Some(most));
        self.checked()
    }

    /// Limits the time.
    #[must_use]
    pub fn time(mut self, most: Duration) -> Self {
        (self.first.time, self.most.time) = (Some(most), Some(most));
        self.checked()
    }

    /// Sets whether time counts in which the agent stands still; it does by default.
    #[must_use]
    pub fn pauses(mut self, pauses: Pauses) -> Self {
        self.pauses = pauses;
        self
    }

    /// Sets whether a user takes part, who can raise the limit of steps by going on; by default
    /// none does.
    #[must_use]
    pub fn attendance(mut self, attendance: Attendance) -> Self {
        self.attendance = attendance;
        self
    }

    /// Takes the next event of the log and says whether a limit is reached now.
    pub fn observe(&mut self, event: &Event) -> Option<Exceeded> {
        let before = self.meter.state();
        self.meter.observe(event, self.pauses);
        let resumed =
            before == Some(AgentState::Error) && self.meter.state() == Some(AgentState::Running);
        if resumed {
            self.raise();
        }
        if self.exceeded.is_none() {
            self.exceeded = self.reached();
        }
        self.exceeded
    }

    /// What was spent so far.
    pub fn spent(&self) -> Spent {
        self.meter.spent()
    }

    /// What may still be spent.
    pub fn left(&self) -> Left {
        let spent = self.spent();
        Left {
            steps: self.most.steps.map(|most| most.saturating_sub(spent.steps)),
            tokens: self
                .most
                .tokens
                .map(|most| most.saturating_sub(spent.tokens)),
            cost: self
                .most
                .cost
                .map(|most| NanoDollars(most.0.saturating_sub(spent.cost.0))),
            time: self.most.time.map(|most| most.saturating_sub(spent.time)),
        }
    }

    /// The limit that was reached first, until it is raised.
    pub fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded
    }

    /// A limit of nothing is reached before anything is spent.
    fn checked(mut self) -> Self {
        self.exceeded = self.exceeded.or_else(|| self.reached());
        self
    }

    fn reached(&self) -> Option<Exceeded> {
        let (spent, most) = (self.spent(), &self.most);
        let steps = most.steps.filter(|most| spent.steps >= *most);
        let cost = most.cost.filter(|most| spent.cost >= *most);
        let tokens = most.tokens.filter(|most| spent.tokens >= *most);
        let time = most.time.filter(|most| spent.time >= *most);
        let limit = steps
            .map(Limit::Steps)
            .or(cost.map(Limit::Cost))
            .or(tokens.map(Limit::Tokens))
            .or(time.map(Limit::Time))?;
        Some(Exceeded { limit, spent })
    }

    fn raise(&mut self) {
        let (spent, first, most) = (self.spent(), &self.first, &mut self.most);
        if self.attendance == Attendance::Interactive
            && let (Some(most), Some(first)) = (&mut most.steps, first.steps)
            && spent.steps >= *most
        {
            *most = most.saturating_add(first);
        }
        if let (Some(most), Some(first)) = (&mut most.tokens, first.tokens)
            && spent.tokens >= *most
        {
            *most = spent.tokens.saturating_add(first);
        }
        if let (Some(most), Some(first)) = (&mut most.cost, first.cost)
            && spent.cost >= *most
        {
            *most = NanoDollars(spent.cost.0.saturating_add(first.0));
        }
        if let (Some(most), Some(first)) = (&mut most.time, first.time)
            && spent.time >= *most
        {
            *most = spent.time.saturating_add(first);
        }
        self.exceeded = None;
    }
}

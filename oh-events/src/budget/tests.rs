use std::time::Duration;

use oh_core::action::{ConfirmationState, MessageAction, RunAction, SystemAction};
use oh_core::event::{Metrics, TokenUsage};
use oh_core::observation::{AgentStateChangedObservation, ErrorObservation, RunObservation};
use oh_core::{Draft, Event, EventBody, EventId, Source, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::Attendance;

#[derive(Clone, Default)]
struct Log(Vec<Event>);

impl Log {
    fn add(mut self, seconds: i64, draft: Draft) -> Self {
        let id = EventId(self.0.len() as u64);
        self.0
            .push(draft.into_event(id, Timestamp::from_micros(seconds * 1_000_000)));
        self
    }

    fn step(self, seconds: i64) -> Self {
        self.add(seconds, Draft::new(Source::Agent, RunAction::new("ls")))
    }

    fn state(self, seconds: i64, state: &str) -> Self {
        let body = AgentStateChangedObservation::new("", state);
        self.add(seconds, Draft::new(Source::Environment, body))
    }

    fn cost(self, model: &str, dollars: f64, tokens: i64) -> Self {
        let usage = TokenUsage::new().model(model.to_owned());
        let usage = usage.prompt_tokens(tokens - 1).completion_tokens(1);
        let metrics = Metrics::new()
            .accumulated_cost(dollars)
            .accumulated_token_usage(usage);
        self.add(
            0,
            Draft::new(Source::User, MessageAction::new("")).metrics(metrics),
        )
    }

    fn through(&self, mut budget: Budget) -> Budget {
        for event in &self.0 {
            budget.observe(event);
        }
        budget
    }

    fn spent(&self) -> Spent {
        self.through(Budget::new()).spent()
    }
}

fn limit(budget: &Budget) -> Option<Limit> {
    budget.exceeded().map(|exceeded| exceeded.limit)
}

#[test]
fn as_many_steps_as_allowed_can_be_taken_and_then_the_budget_says_so() {
    let two = Log::default().step(0).step(0);
    let budget = two.through(Budget::new().steps(3));
    assert_eq!((limit(&budget), budget.left().steps), (None, Some(1)));
    let budget = two.step(0).through(Budget::new().steps(3));
    assert_eq!(
        (limit(&budget), budget.left().steps),
        (Some(Limit::Steps(3)), Some(0))
    );
    assert_eq!(
        budget.exceeded().unwrap().to_string(),
        "3 of 3 steps were taken"
    );
    assert_eq!(limit(&Budget::new().steps(0)), Some(Limit::Steps(0)));
}

#[test]
fn a_step_is_what_the_agent_decided_and_nothing_else() {
    let asked = RunAction::new("rm").confirmation_state(ConfirmationState::AwaitingConfirmation);
    let bodies: [(Source, EventBody, u64); 8] = [
        (Source::Agent, SystemAction::new("be good").into(), 0),
        (Source::User, MessageAction::new("go").into(), 0),
        (Source::Agent, MessageAction::new("I go").into(), 1),
        (Source::Environment, RunObservation::new("", "ls").into(), 1),
        (
            Source::Agent,
            ErrorObservation::new("no such tool").into(),
            2,
        ),
        (Source::Agent, asked.into(), 3),
        (Source::Agent, RunAction::new("rm").into(), 3),
        (Source::Agent, RunAction::new("rm").into(), 4),
    ];
    let mut log = Log::default();
    for (source, body, steps) in bodies {
        log = log.add(0, Draft::new(source, body));
        assert_eq!(log.spent().steps, steps, "{:?}", log.0.last());
    }
    let failed = Draft::new(Source::Agent, ErrorObservation::new("")).cause(EventId(7));
    assert_eq!(
        log.add(0, failed).spent().steps,
        4,
        "that is an answer to a step"
    );
}

#[test]
fn money_is_counted_in_the_digits_of_the_log() {
    for (dollars, nanos) in [
        (0.0, Some(0)),
        (0.1, Some(100_000_000)),
        (0.123_456_789, Some(123_456_789)),
        (0.000_000_000_4, Some(0)),
        (0.000_000_000_5, Some(1)),
        (1e-12, Some(0)),
        (4.35, Some(4_350_000_000)),
        (12_345.678_901_234, Some(12_345_678_901_234)),
        (1e21, None),
        (-0.1, None),
        (f64::NAN, None),
        (f64::INFINITY, None),
    ] {
        assert_eq!(
            NanoDollars::from_dollars(dollars).map(|n| n.0),
            nanos,
            "{dollars}"
        );
    }
    assert_eq!(NanoDollars(4_350_000_000).to_string(), "$4.35");
    assert_eq!(NanoDollars(1).to_string(), "$0.000000001");
}

#[test]
fn counters_run_on_and_one_that_begins_anew_is_added() {
    let log = Log::default().cost("m", 0.1, 10).cost("m", 0.3, 30);
    assert_eq!((log.spent().cost.0, log.spent().tokens), (300_000_000, 30));
    let restarted = log.clone().cost("m", 0.1, 5).cost("m", 0.2, 7);
    assert_eq!(
        (restarted.spent().cost.0, restarted.spent().tokens),
        (500_000_000, 37)
    );
    let other = log.cost("n", 0.05, 3).cost("m", 0.4, 40);
    assert_eq!(
        (other.spent().cost.0, other.spent().tokens),
        (450_000_000, 43)
    );
}

#[test]
fn the_limit_that_is_reached_first_is_the_one_that_is_told() {
    let budget = || {
        Budget::new()
            .steps(2)
            .cost(NanoDollars(250_000_000))
            .tokens(100)
    };
    let log = Log::default().step(0).cost("m", 0.25, 10).step(0);
    let after = log.through(budget());
    assert_eq!(limit(&after), Some(Limit::Cost(NanoDollars(250_000_000))));
    assert_eq!(after.exceeded().unwrap().spent.steps, 1, "as it was then");
    let tokens = Log::default().cost("m", 0.0, 100).through(budget());
    assert_eq!(limit(&tokens), Some(Limit::Tokens(100)));
}

#[test]
fn time_counts_from_event_to_event_with_or_without_pauses() {
    let log = Log::default()
        .step(10)
        .state(15, "awaiting_user_input")
        .state(100, "running")
        .step(103)
        .state(104, "paused")
        .step(200);
    assert_eq!(log.spent().time, Duration::from_secs(190));
    let working = log.through(Budget::new().pauses(Pauses::LeftOut));
    assert_eq!(working.spent().time, Duration::from_secs(5 + 3 + 1));
    let back = Log::default().step(50).step(10).step(11);
    assert_eq!(back.spent().time, Duration::from_secs(1));
    let limited = Log::default()
        .step(0)
        .step(60)
        .through(Budget::new().time(Duration::from_secs(60)));
    assert_eq!(limit(&limited), Some(Limit::Time(Duration::from_secs(60))));
}

#[test]
fn a_user_who_goes_on_after_the_limit_of_steps_gets_as_many_again() {
    let attended = || Budget::new().steps(2).attendance(Attendance::Interactive);
    let log = Log::default().step(0).step(0).state(0, "error");
    assert_eq!(limit(&log.through(attended())), Some(Limit::Steps(2)));
    let resumed = log.state(0, "running");
    let budget = resumed.through(attended());
    assert_eq!((limit(&budget), budget.left().steps), (None, Some(2)));
    let alone = resumed.through(Budget::new().steps(2));
    assert_eq!(
        limit(&alone),
        Some(Limit::Steps(2)),
        "without a user nothing is raised"
    );
    let other_failure = Log::default().step(0).state(0, "error").state(0, "running");
    assert_eq!(other_failure.through(attended()).left().steps, Some(1));
}

#[test]
fn money_is_raised_from_what_was_spent_also_without_a_user() {
    let limited = || Budget::new().cost(NanoDollars(100_000_000));
    let log = Log::default()
        .cost("m", 0.13, 1)
        .state(0, "error")
        .state(0, "running");
    let budget = log.through(limited());
    assert_eq!(limit(&budget), None);
    assert_eq!(budget.left().cost, Some(NanoDollars(100_000_000)));
    let again = log.cost("m", 0.23, 1).through(limited());
    assert_eq!(limit(&again), Some(Limit::Cost(NanoDollars(230_000_000))));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_budget_rebuilt_from_a_log_is_the_live_one(
        events in proptest::collection::vec((0..6_u8, 0..1000_i64), 0..40),
        cut in any::<proptest::sample::Index>(),
    ) {
        let log = events.into_iter().fold(Log::default(), |log, (kind, number)| match kind {
            0 => log.step(number),
            1 => log.state(number, "error"),
            2 => log.state(number, "running"),
            3 => log.cost("m", number as f64 / 100.0, number),
            4 => log.cost("n", number as f64 / 70.0, number),
            _ => log.state(number, "paused"),
        });
        let fresh = || {
            let budget = Budget::new().steps(5).tokens(3000).time(Duration::from_secs(2000));
            budget.cost(NanoDollars(9_000_000_000)).attendance(Attendance::Interactive)
        };
        // What goes through JSON, as a log does, is counted alike.
        let written: Vec<Event> = log
            .0
            .iter()
            .map(|event| oh_core::codec::decode_event(oh_core::codec::encode_event(event)).unwrap())
            .collect();
        let cut = cut.index(log.0.len() + 1);
        let live = Log(log.0[..cut].to_vec()).through(fresh());
        let live = Log(log.0[cut..].to_vec()).through(live);
        let rebuilt = Log(written).through(fresh());
        prop_assert_eq!(&rebuilt, &live);
        let (spent, left) = (live.spent(), live.left());
        if live.exceeded().is_none() {
            prop_assert!(left.steps > Some(0) && left.tokens > Some(0) && left.cost > Some(NanoDollars(0)));
        }
        prop_assert!(spent.steps <= log.0.len() as u64);
    }
}

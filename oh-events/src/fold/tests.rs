use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use oh_core::action::{
    ChangeAgentStateAction, ConfirmAction, ConfirmStep, CustomAction, MessageAction, RunAction,
    ThinkAction,
};
use oh_core::event::{Metrics, Note, RawJson, StatusChange, TokenUsage};
use oh_core::observation::{
    AgentStateChangedObservation, ErrorObservation, RunObservation, ThinkObservation,
};
use oh_core::{
    AgentState, Draft, Event, EventBody, EventId, Result, RuntimeStatus, SessionId, Source,
    Timestamp, codec,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::id_set::IdSet;
use super::*;
use crate::{Damage, Encoded, EventReader, EventStore, MemoryStore, ReadRange, Snapshot, Writer};

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

fn event(id: u64, draft: Draft) -> Event {
    let micros = i64::try_from(id).unwrap() * 1_000_000;
    draft.into_event(EventId(id), Timestamp::from_micros(micros))
}

fn stored(event: &Event) -> Encoded {
    Encoded::new(event.id, codec::encode_event(event)).unwrap()
}

fn folded<'e>(events: impl IntoIterator<Item = &'e Event>) -> SessionState {
    let mut state = SessionState::default();
    for event in events {
        state.apply(event);
    }
    state
}

fn log(drafts: impl IntoIterator<Item = Draft>) -> Vec<Event> {
    (0..)
        .zip(drafts)
        .map(|(id, draft)| event(id, draft))
        .collect()
}

fn agent(body: impl Into<EventBody>) -> Draft {
    Draft::new(Source::Agent, body)
}

fn user(body: impl Into<EventBody>) -> Draft {
    Draft::new(Source::User, body)
}

fn environment(body: impl Into<EventBody>) -> Draft {
    Draft::new(Source::Environment, body)
}

#[test]
fn statistics_count_events_by_class_kind_and_source() {
    let usage = TokenUsage::new()
        .prompt_tokens(70_i64)
        .completion_tokens(5_i64);
    let metrics = Metrics::new()
        .accumulated_cost(0.25)
        .accumulated_token_usage(usage);
    let state = folded(&log([
        user(MessageAction::new("go")),
        agent(RunAction::new("ls")).metrics(metrics),
        environment(RunObservation::new("a", "ls")).cause(EventId(1)),
        agent(MessageAction::new("done")),
        environment(ErrorObservation::new("oops")),
        environment(Note::new("a remark")),
        environment(StatusChange::new(RuntimeStatus::Ready, "")),
    ]));
    let counted = state.statistics();
    assert_eq!((counted.events, counted.errors, counted.notes), (7, 1, 1));
    assert_eq!(
        (counted.actions.total, counted.actions.of("message")),
        (3, 2)
    );
    assert_eq!(counted.observations.of("run"), 1);
    assert_eq!((counted.from_agent, counted.from_user), (2, 1));
    assert_eq!(counted.from_environment, 4);
    let usage = counted.usage.unwrap();
    assert_eq!((usage.cost_usd, usage.prompt_tokens), (0.25, 70));
    assert_eq!(counted.first_time.as_ref().unwrap().micros(), Some(0));
    assert_eq!(
        counted.last_time.as_ref().unwrap().micros(),
        Some(6_000_000)
    );
    assert_eq!(state.last_user_message(), Some(EventId(0)));
    assert_eq!(state.next(), EventId(7));
}

#[test]
fn steps_that_no_table_lists_are_followed_and_marked() {
    let state_is = |name: &str| environment(AgentStateChangedObservation::new("", name));
    let status_is = |status| environment(StatusChange::new(status, ""));
    let state = folded(&log([
        state_is("running"),
        state_is("user_confirmed"),
        state_is("no state of ours"),
        state_is("user_confirmed"),
        status_is(RuntimeStatus::StartingRuntime),
        status_is(RuntimeStatus::SettingUpGitHooks),
    ]));
    assert_eq!(state.agent_state(), AgentState::UserConfirmed);
    assert_eq!(state.agent().since, Some(EventId(1)));
    assert_eq!(state.agent().irregular, 1);
    let step = state.agent().latest_irregular[0];
    assert_eq!((step.event, step.from), (EventId(1), AgentState::Running));
    assert_eq!(state.runtime_status(), RuntimeStatus::SettingUpGitHooks);
    assert_eq!(state.runtime().irregular, 1);
    let many = (0..1_000).map(|n| state_is(["finished", "user_confirmed"][n % 2]));
    let state = folded(&log(many));
    assert_eq!(state.agent().irregular, 1_000);
    assert_eq!(state.agent().latest_irregular.len(), 16);
    assert_eq!(state.agent().latest_irregular[15].event, EventId(999));
}

#[test]
fn an_action_is_open_until_its_observation_and_a_question_until_its_answer() {
    let mut state = SessionState::default();
    let mut events = log([
        agent(RunAction::new("rm a")),
        agent(ThinkAction::default()),
        agent(MessageAction::new("no one answers this")),
        environment(ConfirmAction::new(EventId(0), ConfirmStep::Question)),
        agent(ConfirmAction::new(EventId(0), ConfirmStep::Approved)),
        environment(AgentStateChangedObservation::new("", "running")).cause(EventId(0)),
        environment(ThinkObservation::new("")).cause(EventId(1)),
    ])
    .into_iter();
    for event in events.by_ref().take(4) {
        state.apply(&event);
    }
    let open = |state: &SessionState| state.open_actions().collect::<Vec<_>>();
    assert_eq!(open(&state), [EventId(0), EventId(1)]);
    assert_eq!(state.open_question(EventId(0)), Some(EventId(3)));
    for event in events {
        state.apply(&event);
    }
    assert_eq!(open(&state), [EventId(0)], "a state change is no answer");
    let asked: Vec<_> = state.open_questions().collect();
    assert_eq!(
        asked,
        [(EventId(0), EventId(3))],
        "no model approves itself"
    );

    let mut named = state.clone();
    named.apply(&event(
        7,
        user(ConfirmAction::new(EventId(0), ConfirmStep::Refused)),
    ));
    let mut unnamed = state.clone();
    unnamed.apply(&event(
        7,
        user(ChangeAgentStateAction::new("user_confirmed")),
    ));
    for state in [named, unnamed] {
        assert!(state.is_open(EventId(0)) && state.open_question(EventId(0)).is_none());
    }
    state.apply(&event(
        7,
        environment(RunObservation::new("", "rm")).cause(EventId(0)),
    ));
    assert!(open(&state).is_empty() && state.open_questions().next().is_none());
}

#[test]
fn a_million_events_fold_to_little_whatever_they_are() {
    let mut state = SessionState::default();
    for id in 0..1_000_000 {
        let body: EventBody = match id % 3 {
            0 => RunAction::new("never answered").into(),
            1 => CustomAction::new(format!("kind{id}"), RawJson::object()).into(),
            _ => CustomAction::new("k".repeat(100), RawJson::object()).into(),
        };
        state.apply(&event(id, agent(body)));
    }
    assert_eq!(state.open_actions().count(), 333_334);
    assert_eq!(state.statistics().actions.kinds.len(), 128);
    assert_eq!(state.statistics().actions.other, 1_000_000 - 333_334 - 127);
    let bytes = serde_json::to_vec(&state).unwrap().len();
    assert!(bytes < 600_000, "{bytes}");
}

/// A log whose reader counts what it hands out, and cannot read a part.
#[derive(Debug)]
struct Medium {
    reader: Arc<dyn EventReader>,
    read: AtomicU64,
    damaged: Range<u64>,
}

#[async_trait]
impl EventReader for Medium {
    fn next(&self) -> EventId {
        self.reader.next()
    }

    async fn read(&self, mut range: ReadRange) -> Result<Vec<Encoded>> {
        if self.damaged.contains(&range.from.0) {
            let to = EventId(self.damaged.end);
            return Err(Damage::new(EventId(self.damaged.start), to, "test", 0).into());
        }
        if range.from.0 < self.damaged.start {
            range.to = range.to.min(EventId(self.damaged.start));
        }
        let page = self.reader.read(range).await?;
        self.read.fetch_add(page.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        self.reader.snapshot().await
    }
}

/// Loads the fold of a log beside which a snapshot lies; says how many events were read.
fn load_from(
    events: &[Encoded],
    snapshot: Option<&Snapshot>,
    damaged: Range<u64>,
) -> (SessionState, u64) {
    let store = MemoryStore::new();
    let load = async {
        let log = store.open(&session(), Writer::new("test")).await?;
        log.append(EventId(0), log.epoch(), events).await?;
        if let Some(snapshot) = snapshot {
            log.save_snapshot(snapshot).await?;
        }
        let medium = Arc::new(Medium {
            reader: log.reader(),
            read: AtomicU64::new(0),
            damaged,
        });
        let reader: Arc<dyn EventReader> = medium.clone();
        let loaded = load(&reader, &session(), log.next()).await?;
        Ok::<_, oh_core::Error>((loaded.state, medium.read.load(Ordering::Relaxed)))
    };
    load.now_or_never().unwrap().unwrap()
}

#[test]
fn with_a_snapshot_only_the_tail_is_read() {
    let events = log((0..5_000).map(|n| user(MessageAction::new(n.to_string()))));
    let json: Vec<_> = events.iter().map(stored).collect();
    let snapshot = snapshot_of(&session(), &folded(&events[..4_900]), &json[4_899]).unwrap();
    let (state, read) = load_from(&json, Some(&snapshot), 0..0);
    assert_eq!(state, folded(&events));
    assert_eq!(
        read,
        1 + 100,
        "the last event of the snapshot, and the tail"
    );
    let (state, read) = load_from(&json, None, 0..0);
    assert_eq!((state, read), (folded(&events), 5_000));
}

#[test]
fn a_snapshot_of_a_tail_that_was_lost_is_not_used() {
    let lost = log((0..100).map(|n| user(MessageAction::new(format!("lost {n}")))));
    let last = stored(&lost[99]);
    let snapshot = snapshot_of(&session(), &folded(&lost), &last).unwrap();
    for length in [0, 50, 99, 100, 150] {
        let events = log((0..length).map(|_| agent(RunAction::new("ls"))));
        let json: Vec<_> = events.iter().map(stored).collect();
        let (state, read) = load_from(&json, Some(&snapshot), 0..0);
        assert_eq!(state, folded(&events), "{length}");
        assert!(read >= length);
    }
}

#[test]
fn what_cannot_be_read_is_passed_over_and_counted() {
    let events = log((0..40).map(|_| agent(RunAction::new("ls"))));
    let mut json: Vec<_> = events.iter().map(stored).collect();
    json[7] = Encoded::new(EventId(7), "{\"id\":7,\"action\":").unwrap();
    let (state, _) = load_from(&json, None, 20..25);
    assert_eq!(state.next(), EventId(40));
    assert_eq!(state.statistics().events, 34);
    assert_eq!(state.statistics().unreadable, 6);
    let open: BTreeSet<u64> = state.open_actions().map(|id| id.0).collect();
    let readable = (0..40).filter(|id| *id != 7 && !(20..25).contains(id));
    assert_eq!(open, readable.collect());
}

fn draft() -> impl Strategy<Value = Draft> {
    let source = prop::sample::select(vec![Source::Agent, Source::User, Source::Environment]);
    let id = (0..30_u64).prop_map(EventId);
    let agent_state = prop::sample::select(AgentState::ALL.to_vec());
    let status = prop::sample::select(RuntimeStatus::ALL.to_vec());
    let step = prop::sample::select(vec![
        ConfirmStep::Question,
        ConfirmStep::Approved,
        ConfirmStep::Refused,
    ]);
    let body = prop_oneof![
        3 => Just(RunAction::new("ls").into()),
        1 => Just(ThinkAction::default().into()),
        1 => "[a-z]{0,4}".prop_map(|text| MessageAction::new(text).into()),
        1 => Just(ChangeAgentStateAction::new("user_confirmed").into()),
        1 => Just(ChangeAgentStateAction::new("paused").into()),
        3 => (id.clone(), step)
            .prop_map(|(action, step)| ConfirmAction::new(action, step).into()),
        1 => "[a-z]{12}".prop_map(|kind| {
            CustomAction::new(kind, RawJson::object()).into()
        }),
        4 => Just(RunObservation::new("", "ls").into()),
        1 => Just(ErrorObservation::new("oops").into()),
        2 => agent_state
            .prop_map(|state| AgentStateChangedObservation::new("", state.as_str()).into()),
        1 => Just(AgentStateChangedObservation::new("", "unheard of").into()),
        2 => status.prop_map(|status| StatusChange::new(status, "").into()),
        1 => Just(Note::new("remark").into()),
    ];
    let cost = prop::option::weighted(0.2, 0.0..9.0_f64);
    (source, body, prop::option::of(id), cost).prop_map(
        |(source, body, cause, cost): (_, EventBody, _, _)| {
            let mut draft = Draft::new(source, body);
            draft.cause = cause;
            draft.metrics = cost.map(|cost| Metrics::new().accumulated_cost(cost));
            draft
        },
    )
}

/// What became of a snapshot since it was taken.
#[derive(Clone, Debug)]
enum Fate {
    Kept,
    Torn(prop::sample::Index),
    Changed(prop::sample::Index),
    OfAnotherSession,
    OfAnotherLog(Vec<Draft>),
    Misplaced,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Kept),
        1 => any::<prop::sample::Index>().prop_map(Fate::Torn),
        1 => any::<prop::sample::Index>().prop_map(Fate::Changed),
        1 => Just(Fate::OfAnotherSession),
        1 => vec(draft(), 1..40).prop_map(Fate::OfAnotherLog),
        1 => Just(Fate::Misplaced),
    ]
}

fn a_day_later(mut event: Event) -> Event {
    let micros = event.time.micros().unwrap() + 86_400_000_000;
    event.time = Timestamp::from_micros(micros);
    event
}

fn snapshot(events: &[Event], at: usize, fate: &Fate) -> Option<Snapshot> {
    let others;
    let (events, session) = match fate {
        Fate::OfAnotherLog(drafts) => {
            others = log(drafts.clone())
                .into_iter()
                .map(a_day_later)
                .collect::<Vec<_>>();
            (others.as_slice(), session())
        }
        Fate::OfAnotherSession => (events, SessionId::new("other").unwrap()),
        _ => (events, session()),
    };
    let before = events.get(..at.min(events.len()))?;
    let last = stored(before.last()?);
    let mut taken = snapshot_of(&session, &folded(before), &last)?;
    let mut data = taken.data.to_vec();
    match fate {
        Fate::Torn(at) => data.truncate(at.index(data.len())),
        Fate::Changed(at) => {
            let at = at.index(data.len());
            data[at] ^= 1;
        }
        Fate::Misplaced => taken.next = taken.next.next(),
        _ => {}
    }
    Some(Snapshot::new(taken.next, data))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_log_folds_to_the_same_with_any_snapshot_and_without_one(
        drafts in vec(draft(), 0..60),
        at in 0..60_usize,
        fate in fate(),
    ) {
        let events = log(drafts);
        let json: Vec<_> = events.iter().map(stored).collect();
        let snapshot = snapshot(&events, at, &fate);
        let (state, read) = load_from(&json, snapshot.as_ref(), 0..0);
        prop_assert_eq!(&state, &folded(&events));
        if let (Fate::Kept, Some(snapshot)) = (fate, snapshot) {
            prop_assert_eq!(read, events.len() as u64 - snapshot.next.0 + 1);
        }
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<SessionState>(&text).unwrap(), state);
    }

    #[test]
    fn a_set_of_ids_is_a_set(steps in vec((any::<bool>(), 0..300_u64), 0..200)) {
        let (mut set, mut model) = (IdSet::default(), BTreeSet::new());
        for (insert, id) in steps {
            if insert {
                set.insert(EventId(id));
                model.insert(id);
            } else {
                prop_assert_eq!(set.remove(EventId(id)), model.remove(&id));
            }
            prop_assert_eq!(set.contains(EventId(id)), model.contains(&id));
        }
        let ids: Vec<u64> = set.iter().map(|id| id.0).collect();
        prop_assert_eq!(ids, model.into_iter().collect::<Vec<_>>());
    }
}

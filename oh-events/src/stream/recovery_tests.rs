//! What becomes of actions that an earlier run left open.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use oh_core::action::{
    ConfirmAction, ConfirmStep, MessageAction, RunAction, RunOptions, ThinkAction,
};
use oh_core::event::ToolCallMetadata;
use oh_core::observation::RunObservation;
use oh_core::secret::{Masker, Secret};
use oh_core::{
    Draft, Error, ErrorKind, Event, EventId, Exit, IdempotencyKey, Observation, Result, SessionId,
    Source,
};
use proptest::prelude::*;

use super::{ActionLookup, EventStream, EventStreamBuilder, Outcome, Query, Recovery};
use crate::{EventStore, MemoryStore, SegmentStore};

fn builder(store: impl EventStore + 'static) -> EventStreamBuilder {
    EventStream::builder(store, SessionId::new("s").unwrap())
}

async fn act(stream: &EventStream, command: &str) -> EventId {
    let action = RunAction::new(command);
    stream.append(Source::Agent, action).await.unwrap()
}

async fn observations_of(stream: &EventStream, action: EventId) -> Vec<Arc<Event>> {
    let events = stream.read(Query::default()).await.unwrap();
    let those = events
        .into_iter()
        .filter(|event| event.answers() == Some(action));
    those.collect()
}

fn kind(event: &Event) -> ErrorKind {
    match &event.body.as_observation() {
        Some(Observation::Failure(failure)) => failure.error,
        other => panic!("a failure, not {other:?}"),
    }
}

#[tokio::test]
async fn what_a_crash_left_open_is_closed_as_unknown_when_the_stream_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let open = || builder(SegmentStore::new(folder.path())).open();
    let stream = open().await.unwrap();
    let done = act(&stream, "done").await;
    stream
        .reply(done, RunObservation::new("", "done"))
        .await
        .unwrap();
    let tool = ToolCallMetadata::new("execute_bash", "c1")
        .model_response(serde_json::json!({"id": "r", "choices": []}));
    let call = Draft::new(Source::Agent, RunAction::new("open")).tool(tool);
    let call = stream.append_draft(call).await.unwrap();
    let thought = stream
        .append(Source::Agent, ThinkAction::default())
        .await
        .unwrap();
    stream
        .append(Source::Agent, MessageAction::new("expects nothing"))
        .await
        .unwrap();
    drop(stream);

    let stream = open().await.unwrap();
    assert_eq!(stream.recovered().closed, [call, thought]);
    assert!(stream.recovered().left.is_empty() && stream.recovered().answered.is_empty());
    assert!(stream.found().is_open(call) && !stream.is_open(call));
    assert_eq!(stream.report().next, EventId(5));
    assert_eq!(stream.next(), EventId(7));
    assert_eq!(observations_of(&stream, done).await.len(), 1);
    let closed = observations_of(&stream, call).await;
    assert_eq!(
        (closed.len(), kind(&closed[0])),
        (1, ErrorKind::OutcomeUnknown)
    );
    let told = closed[0].tool.as_ref().unwrap();
    assert_eq!(
        (told.tool_call_id.as_str(), told.model_response.as_str()),
        ("c1", "{}")
    );
    drop(stream);

    let stream = open().await.unwrap();
    assert!(stream.recovered().closed.is_empty(), "once is enough");
    assert_eq!(stream.next(), EventId(7));
}

#[tokio::test]
async fn an_action_about_which_a_person_was_asked_stays_open() {
    let store = MemoryStore::new();
    let stream = builder(store.clone()).open().await.unwrap();
    let (asked, approved) = (act(&stream, "asked").await, act(&stream, "approved").await);
    for action in [asked, approved] {
        let question = ConfirmAction::new(action, ConfirmStep::Question);
        stream.append(Source::Environment, question).await.unwrap();
    }
    let approval = ConfirmAction::new(approved, ConfirmStep::Approved);
    stream.append(Source::User, approval).await.unwrap();
    drop(stream);

    let stream = builder(store).open().await.unwrap();
    assert_eq!(stream.recovered().asked, [asked]);
    assert_eq!(
        stream.recovered().closed,
        [approved],
        "it may have been carried out"
    );
    assert!(stream.session_state().open_question(asked).is_some());
}

#[tokio::test]
async fn a_host_that_answers_itself_can_have_everything_left_open() {
    let store = MemoryStore::new();
    let stream = builder(store.clone()).open().await.unwrap();
    let action = act(&stream, "far away").await;
    drop(stream);
    let leaving = builder(store.clone()).recovery(Recovery::Leave);
    let stream = leaving.open().await.unwrap();
    assert_eq!(stream.recovered().left, [action]);
    stream
        .reply(action, RunObservation::new("", "far away"))
        .await
        .unwrap();
    drop(stream);
    let stream = builder(store).open().await.unwrap();
    assert_eq!(observations_of(&stream, action).await.len(), 1);
}

/// Knows commands by their keys.
#[derive(Clone, Debug, Default)]
struct Remote {
    asked: Arc<Mutex<Vec<Option<String>>>>,
}

#[async_trait]
impl ActionLookup for Remote {
    async fn look_up(&self, action: &Event, key: Option<&IdempotencyKey>) -> Result<Outcome> {
        assert!(action.body.as_action().is_some());
        let key = key.map(|key| key.as_str().to_owned());
        self.asked.lock().unwrap().push(key.clone());
        match key.as_deref() {
            Some("ended") => {
                let ended = RunObservation::ended("a secret-value", "ls", Exit::Code(0));
                Ok(Outcome::ended(ended))
            }
            Some("running") => Ok(Outcome::Running),
            Some("unreachable") => Err(Error::new(ErrorKind::Unavailable, "look up")),
            _ => Ok(Outcome::Unknown),
        }
    }
}

async fn act_with_key(stream: &EventStream, key: &str) -> EventId {
    let key = IdempotencyKey::new(key);
    let action = RunAction::new("ls").options(RunOptions::new().key(key));
    stream.append(Source::Agent, action).await.unwrap()
}

#[tokio::test]
async fn a_host_can_look_up_by_its_key_what_became_of_an_action() {
    let store = MemoryStore::new();
    let stream = builder(store.clone()).open().await.unwrap();
    let ended = act_with_key(&stream, "ended").await;
    let running = act_with_key(&stream, "running").await;
    let forgotten = act_with_key(&stream, "forgotten").await;
    let without = act(&stream, "without a key").await;
    drop(stream);

    let remote = Remote::default();
    let asking = builder(store)
        .masker(Masker::new([("s", Secret::new("secret-value"))]).unwrap())
        .recovery(Recovery::ask(remote.clone()));
    let stream = asking.open().await.unwrap();
    let keys = ["ended", "running", "forgotten"].map(|key| Some(key.to_owned()));
    assert_eq!(remote.asked.lock().unwrap()[..3], keys);
    assert_eq!(remote.asked.lock().unwrap()[3..], [None]);
    assert_eq!(stream.recovered().answered, [ended]);
    assert_eq!(stream.recovered().left, [running]);
    assert_eq!(stream.recovered().closed, [forgotten, without]);
    let answer = &observations_of(&stream, ended).await[0];
    let content = answer.body.as_observation().unwrap().content();
    assert_eq!(content, "a <secret_hidden>");
    assert!(stream.is_open(running));
    stream
        .reply(running, RunObservation::new("", "ls"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_recovery_that_was_cut_short_goes_on_at_the_next_opening() {
    let store = MemoryStore::new();
    let stream = builder(store.clone()).open().await.unwrap();
    let first = act(&stream, "no key").await;
    let unreachable = act_with_key(&stream, "unreachable").await;
    let last = act(&stream, "no key").await;
    drop(stream);

    for _ in 0..2 {
        let asking = builder(store.clone()).recovery(Recovery::ask(Remote::default()));
        let error = asking.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    let stream = builder(store).open().await.unwrap();
    assert_eq!(stream.recovered().closed, [unreachable, last]);
    for action in [first, unreachable, last] {
        assert_eq!(observations_of(&stream, action).await.len(), 1);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Act,
    Answer(usize),
    Crash,
    CloseAndOpen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Act),
        4 => (0..40_usize).prop_map(Step::Answer),
        1 => Just(Step::Crash),
        1 => Just(Step::CloseAndOpen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_action_has_one_observation_after_any_life(
        steps in prop::collection::vec(step(), 1..60),
        snapshot_events in 1..20_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::new();
            let open = || builder(store.clone()).snapshot_events(snapshot_events).snapshot_interval(Duration::ZERO).open();
            let mut stream = open().await.unwrap();
            let mut actions: Vec<(EventId, bool)> = Vec::new();
            for step in steps.into_iter().chain([Step::Crash]) {
                match step {
                    Step::Act => actions.push((act(&stream, "ls").await, false)),
                    Step::Answer(which) => {
                        let count = actions.len().max(1);
                        if let Some((action, answered)) = actions.get_mut(which % count) {
                            let reply = stream.reply(*action, RunObservation::new("", "ls")).await;
                            assert_eq!(reply.is_ok(), !*answered);
                            *answered = true;
                        }
                    }
                    Step::Crash | Step::CloseAndOpen => {
                        if matches!(step, Step::CloseAndOpen) {
                            stream.close().await.unwrap();
                        }
                        drop(stream);
                        stream = open().await.unwrap();
                        let mut folded = crate::SessionState::default();
                        for event in stream.read(Query::default()).await.unwrap() {
                            folded.apply(&event);
                        }
                        assert_eq!(stream.session_state(), folded);
                        for (action, answered) in &mut actions {
                            let closed = stream.recovered().closed.contains(action);
                            assert_eq!(closed, !*answered);
                            *answered = true;
                        }
                    }
                }
            }
            for (action, _) in actions {
                assert_eq!(observations_of(&stream, action).await.len(), 1);
            }
        });
    }
}

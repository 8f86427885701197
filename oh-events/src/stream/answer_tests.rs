//! What hosts rely on where several of them answer an action.

use oh_core::action::{ConfirmAction, ConfirmStep, MessageAction, RunAction, ThinkAction};
use oh_core::observation::{
    AgentStateChangedObservation, FailureObservation, RecallObservation, RunObservation,
};
use oh_core::{
    Draft, ErrorKind, Event, EventBody, EventId, Result, SessionId, Source, Timestamp, codec,
};

use super::{Answered, EventStream, Query};
use crate::{Durability, Encoded, EventStore, MemoryStore, SegmentStore, Writer};

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

async fn memory() -> EventStream {
    let builder = EventStream::builder(MemoryStore::new(), session());
    builder.open().await.unwrap()
}

async fn act(stream: &EventStream) -> EventId {
    let action = RunAction::new("ls");
    stream.append(Source::Agent, action).await.unwrap()
}

async fn reply(stream: &EventStream, action: EventId) -> Result<EventId> {
    stream.reply(action, RunObservation::new("", "ls")).await
}

fn answered(refusal: Result<EventId>) -> Answered {
    let error = refusal.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    Answered::of(&error).expect("it says so").clone()
}

#[tokio::test]
async fn a_second_answer_is_refused_and_told_which_one_was_first() {
    let stream = memory().await;
    let action = act(&stream).await;
    let first = reply(&stream, action).await.unwrap();
    let failure = FailureObservation::new("too late", ErrorKind::Unsupported);
    let refused = answered(stream.reply(action, failure).await);
    assert_eq!((refused.action, refused.by), (action, Some(first)));
    assert_eq!(stream.next(), EventId(2), "a refusal uses up no id");
    assert_eq!(stream.reply_to(action).await.unwrap().id, first);
}

#[tokio::test]
async fn an_answer_that_has_left_memory_still_counts() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        EventStream::builder(SegmentStore::new(folder.path()), session())
            .ring_events(4)
            .open()
    };
    let stream = open().await.unwrap();
    let action = act(&stream).await;
    let first = reply(&stream, action).await.unwrap();
    for _ in 0..20 {
        stream
            .append(Source::User, MessageAction::new(""))
            .await
            .unwrap();
    }
    assert_eq!(answered(reply(&stream, action).await).by, Some(first));
    for _ in 0..2_000 {
        stream
            .append(Source::User, MessageAction::new(""))
            .await
            .unwrap();
    }
    stream.close().await.unwrap();
    drop(stream);
    let stream = open().await.unwrap();
    assert_eq!(answered(reply(&stream, action).await).by, Some(first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_answers_that_come_at_the_same_moment_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    for durability in [Durability::Never, Durability::Group, Durability::Each] {
        let name = SessionId::new(format!("{durability:?}")).unwrap();
        let stream = EventStream::builder(SegmentStore::new(folder.path()), name)
            .durability(durability)
            .open()
            .await
            .unwrap();
        for _ in 0..20 {
            let action = act(&stream).await;
            let replies: Vec<_> = (0..8)
                .map(|_| {
                    let stream = stream.clone();
                    tokio::spawn(async move { reply(&stream, action).await })
                })
                .collect();
            let mut taken = Vec::new();
            let mut refused = Vec::new();
            for reply in replies {
                match reply.await.unwrap() {
                    Ok(id) => taken.push(id),
                    refusal => refused.push(answered(refusal)),
                }
            }
            assert_eq!(taken.len(), 1);
            let by = Some(taken[0]);
            assert!(
                refused.iter().all(|refused| refused.by == by),
                "{refused:?}"
            );
        }
        let events = stream.read(Query::default()).await.unwrap();
        assert_eq!(events.len(), 40);
    }
}

#[tokio::test]
async fn what_expects_no_answer_can_have_many_and_a_change_of_state_is_none() {
    let stream = memory().await;
    let said = stream
        .append(Source::User, MessageAction::new("hm"))
        .await
        .unwrap();
    for _ in 0..2 {
        let recalled = RecallObservation::new("", oh_core::action::RecallKind::Knowledge);
        stream.reply(said, recalled).await.unwrap();
    }
    let action = act(&stream).await;
    let state = || AgentStateChangedObservation::new("", "running");
    stream.reply(action, state()).await.unwrap();
    assert!(stream.is_open(action));
    let first = reply(&stream, action).await.unwrap();
    stream.reply(action, state()).await.unwrap();
    assert_eq!(stream.reply_to(action).await.unwrap().id, first);
}

#[tokio::test]
async fn a_confirmation_of_what_is_no_action_is_refused() {
    let stream = memory().await;
    let said = stream
        .append(Source::User, MessageAction::new("hm"))
        .await
        .unwrap();
    let thought = ThinkAction::default();
    let thought = stream.append(Source::Agent, thought).await.unwrap();
    for unknown in [said, EventId(2), EventId(99)] {
        for step in [ConfirmStep::Question, ConfirmStep::Approved] {
            let confirm = ConfirmAction::new(unknown, step);
            let refused = stream.append(Source::User, confirm).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        }
    }
    assert_eq!(stream.next(), EventId(2));
    let early = ConfirmAction::new(thought, ConfirmStep::Approved);
    stream.append(Source::User, early).await.unwrap();
}

#[tokio::test]
async fn a_log_that_was_recorded_with_two_answers_opens_and_takes_no_third() {
    let store = MemoryStore::new();
    let log = store.open(&session(), Writer::new("test")).await.unwrap();
    let time = || Timestamp::from_micros(0);
    let action: EventBody = RunAction::new("ls").into();
    let mut events = vec![Draft::new(Source::Agent, action).into_event(EventId(0), time())];
    for id in 1..=2 {
        let reply = Draft::new(Source::Environment, RunObservation::new("", "ls"));
        events.push(reply.cause(EventId(0)).into_event(EventId(id), time()));
    }
    let encode = |event: &Event| Encoded::new(event.id, codec::encode_event(event)).unwrap();
    let batch: Vec<_> = events.iter().map(encode).collect();
    log.append(EventId(0), log.epoch(), &batch).await.unwrap();
    drop(log);
    let stream = EventStream::builder(store, session()).open().await.unwrap();
    assert_eq!(
        stream.session_state().statistics().observations.of("run"),
        2
    );
    assert_eq!(
        answered(reply(&stream, EventId(0)).await).by,
        Some(EventId(1))
    );
}

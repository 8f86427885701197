use std::sync::Arc;

use bytes::Bytes;
use oh_core::action::{MessageAction, RunAction};
use oh_core::observation::{AgentStateChangedObservation, RunObservation};
use oh_core::secret::{Edge, Masker, Secret};
use oh_core::{
    AgentState, AgentTrigger, ByteRange, CaptureLimit, ErrorKind, Event, EventBody, EventId,
    OutputStream, Result, SessionId, Source,
};

use super::*;
use crate::{Durability, Filter, Holder, MemoryStore, SegmentStore};

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

fn message(text: impl Into<String>) -> MessageAction {
    MessageAction::new(text)
}

async fn memory() -> EventStream {
    EventStream::builder(MemoryStore::new(), session())
        .open()
        .await
        .unwrap()
}

async fn ids(mut subscription: Subscription) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(event) = subscription.next().await {
        ids.push(event.unwrap().id.0);
    }
    ids
}

fn text_of(event: &Event) -> String {
    match &event.body {
        EventBody::Action(oh_core::Action::Message(message)) => message.content.clone(),
        other => panic!("no message: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_subscriber_sees_every_event_once_and_in_order_while_many_append() {
    const APPENDERS: usize = 8;
    const EACH: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    for durability in [Durability::Never, Durability::Group] {
        let store = SegmentStore::new(folder.path()).segment_bytes(20_000);
        let name = format!("{durability:?}");
        let stream = EventStream::builder(store, SessionId::new(name).unwrap())
            .ring_events(32)
            .durability(durability)
            .open()
            .await
            .unwrap();
        let followers: Vec<_> = (0..6)
            .map(|n| {
                let cursor = if n % 2 == 0 {
                    Cursor::Start
                } else {
                    Cursor::Live
                };
                tokio::spawn(ids(stream.subscribe(cursor)))
            })
            .collect();
        let appenders: Vec<_> = (0..APPENDERS)
            .map(|n| {
                let stream = stream.clone();
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    for m in 0..EACH {
                        let text = format!("{n}.{m}");
                        mine.push(stream.append(Source::Agent, message(text)).await.unwrap().0);
                    }
                    mine
                })
            })
            .collect();
        let mut given = Vec::new();
        for appender in appenders {
            let mine = appender.await.unwrap();
            assert!(mine.is_sorted(), "ids of one appender rise");
            given.extend(mine);
        }
        let late = tokio::spawn(ids(stream.subscribe(Cursor::Start)));
        stream.close().await.unwrap();
        given.sort_unstable();
        let all: Vec<u64> = (0..(APPENDERS * EACH) as u64).collect();
        assert_eq!(given, all, "ids are dense");
        for follower in followers.into_iter().chain([late]) {
            assert_eq!(follower.await.unwrap(), all);
        }
    }
}

#[tokio::test]
async fn a_late_subscriber_replays_the_past_and_then_follows() {
    let stream = EventStream::builder(MemoryStore::new(), session())
        .ring_events(4)
        .open()
        .await
        .unwrap();
    for n in 0..20 {
        stream
            .append(Source::User, message(n.to_string()))
            .await
            .unwrap();
    }
    let mut follower = stream.subscribe(Cursor::From(EventId(3)));
    for n in 3..20 {
        let event = follower.next().await.unwrap().unwrap();
        assert_eq!((event.id, text_of(&event)), (EventId(n), n.to_string()));
    }
    let next = tokio::spawn(async move { follower.next().await.unwrap().unwrap().id });
    stream.append(Source::User, message("20")).await.unwrap();
    assert_eq!(next.await.unwrap(), EventId(20));
}

#[tokio::test]
async fn a_slow_subscriber_holds_up_no_one_and_reads_from_the_store_what_left_memory() {
    let folder = tempfile::tempdir().unwrap();
    let stream = EventStream::builder(SegmentStore::new(folder.path()), session())
        .ring_events(8)
        .open()
        .await
        .unwrap();
    let mut slow = stream.subscribe(Cursor::Start);
    stream.append(Source::User, message("first")).await.unwrap();
    let first = Arc::downgrade(&slow.next().await.unwrap().unwrap());
    for n in 1..500 {
        stream
            .append(Source::User, message(n.to_string()))
            .await
            .unwrap();
    }
    assert!(
        first.upgrade().is_none(),
        "nothing keeps old events in memory"
    );
    for n in 1..500 {
        assert_eq!(slow.next().await.unwrap().unwrap().id, EventId(n));
    }
}

#[tokio::test]
async fn an_event_of_many_bytes_leaves_memory_before_many_small_ones_do() {
    let stream = EventStream::builder(MemoryStore::new(), session())
        .ring_bytes(10_000)
        .open()
        .await
        .unwrap();
    stream
        .append(Source::User, message("x".repeat(9_000)))
        .await
        .unwrap();
    let mut follower = stream.subscribe(Cursor::Start);
    let large = Arc::downgrade(&follower.next().await.unwrap().unwrap());
    assert!(large.upgrade().is_some());
    stream
        .append(Source::User, message("y".repeat(2_000)))
        .await
        .unwrap();
    assert!(large.upgrade().is_none());
}

#[tokio::test]
async fn secrets_reach_neither_file_nor_subscriber_nor_delta_nor_blob() {
    const TOKEN: &str = "hunter22-very-secret";
    const LATER: &str = "later-secret-value";
    let folder = tempfile::tempdir().unwrap();
    let stream = EventStream::builder(SegmentStore::new(folder.path()), session())
        .masker(Masker::new([("token", Secret::new(TOKEN))]).unwrap())
        .open()
        .await
        .unwrap();
    let mut follower = stream.subscribe(Cursor::Start);
    let mut live = stream.deltas();
    let action = RunAction::new(format!("curl -H 'Authorization: {TOKEN}' example.org"));
    let action = stream.append(Source::Agent, action).await.unwrap();

    let mut sink = stream.output_sink(action, CaptureLimit::each_bytes(8));
    let output = format!("before {TOKEN} after {LATER}|").repeat(100);
    stream.add_secret("later", Secret::new(LATER)).unwrap();
    for piece in output.as_bytes().chunks(7) {
        sink.push(OutputStream::Stdout, Bytes::copy_from_slice(piece))
            .await;
    }
    let result = sink.finish(Edge::Whole).await;
    let masked = output
        .replace(TOKEN, "<secret_hidden>")
        .replace(LATER, "<secret_hidden>");
    let blob = result.stdout.blob.unwrap();
    assert!(blob.complete && result.stdout.blob_error.is_none());
    assert_eq!(blob.len, masked.len() as u64);
    let stored = stream
        .blobs()
        .unwrap()
        .read(&blob.id, ByteRange::from(0..))
        .await
        .unwrap();
    assert_eq!(stored, masked);
    let text = result.stdout.captured.to_text().into_owned();
    let observation = RunObservation::new(text, "curl");
    stream.reply(action, observation).await.unwrap();
    stream.close().await.unwrap();

    let mut shown = Vec::new();
    while let Some(Live::Delta(delta)) = live.next().await {
        assert_eq!(delta.at, shown.len() as u64);
        shown.extend_from_slice(&delta.data);
    }
    assert_eq!(shown, masked.as_bytes());
    let mut everything = String::new();
    while let Some(event) = follower.next().await {
        everything.push_str(&format!("{:?}", event.unwrap()));
    }
    everything.push_str(
        &std::fs::read_to_string(folder.path().join("s/00000000000000000000.log")).unwrap(),
    );
    assert!(everything.contains("<secret_hidden>"));
    assert!(!everything.contains(TOKEN) && !everything.contains(LATER));
}

#[tokio::test]
async fn output_that_head_and_tail_hold_needs_no_blob() {
    let stream = memory().await;
    let action = stream
        .append(Source::Agent, RunAction::new("ls"))
        .await
        .unwrap();
    let mut sink = stream.output_sink(action, CaptureLimit::each_bytes(4));
    sink.push(OutputStream::Stderr, Bytes::from_static(b"12345678"))
        .await;
    let result = sink.finish(Edge::Whole).await;
    assert_eq!(result.stderr.captured.to_bytes().unwrap(), "12345678");
    assert!(result.stderr.blob.is_none() && result.stdout.blob.is_none());
}

#[tokio::test]
async fn a_blob_has_the_hash_and_every_byte_of_a_large_output() {
    let folder = tempfile::tempdir().unwrap();
    let stream = EventStream::builder(SegmentStore::new(folder.path()), session())
        .open()
        .await
        .unwrap();
    let action = stream
        .append(Source::Agent, RunAction::new("seq"))
        .await
        .unwrap();
    let mut sink = stream.output_sink(action, CaptureLimit::each_bytes(10));
    let mut all = Vec::new();
    for n in 0..40_000_u32 {
        let line = format!("{n} and some words to fill the line\n");
        all.extend_from_slice(line.as_bytes());
        sink.push(OutputStream::Stdout, Bytes::from(line)).await;
    }
    let blob = sink.finish(Edge::Whole).await.stdout.blob.unwrap();
    assert_eq!(
        blob.sha256,
        crate::hex::lower(&hmac_sha256::Hash::hash(&all))
    );
    let blobs = stream.blobs().unwrap();
    let part = blobs
        .read(&blob.id, ByteRange::from(500_000..500_100))
        .await
        .unwrap();
    assert_eq!(part, all[500_000..500_100]);
    let end = blobs
        .read(&blob.id, ByteRange::from(all.len() as u64 - 3..))
        .await
        .unwrap();
    assert_eq!(end, all[all.len() - 3..]);
    for bad in ["../lock", "", "nothing"] {
        let error = blobs.read(bad, ByteRange::from(0..)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_blob_beyond_the_room_of_the_session_is_a_prefix_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path()).blob_bytes(300_000);
    let stream = EventStream::builder(store, session()).open().await.unwrap();
    let action = stream
        .append(Source::Agent, RunAction::new("yes"))
        .await
        .unwrap();
    let mut sink = stream.output_sink(action, CaptureLimit::each_bytes(10));
    for _ in 0..5 {
        sink.push(OutputStream::Stdout, Bytes::from(vec![b'y'; 100_000]))
            .await;
    }
    let output = sink.finish(Edge::Whole).await.stdout;
    let blob = output.blob.unwrap();
    assert!(!blob.complete);
    assert_eq!((blob.len, output.captured.total_bytes), (300_000, 500_000));
}

#[tokio::test]
async fn a_follower_of_deltas_that_is_too_slow_is_told_what_it_lost() {
    let stream = EventStream::builder(MemoryStore::new(), session())
        .delta_bytes(10)
        .open()
        .await
        .unwrap();
    let action = stream
        .append(Source::Agent, RunAction::new("ls"))
        .await
        .unwrap();
    let delta = |at, data| Delta::new(action, OutputStream::Stdout, at, data);
    stream.publish_delta(delta(0, "nobody listens"));
    let mut live = stream.deltas();
    for n in 0..5 {
        stream.publish_delta(delta(n * 4, "abcd"));
    }
    assert_eq!(
        live.next().await,
        Some(Live::Lost {
            deltas: 3,
            bytes: 12
        })
    );
    assert_eq!(live.next().await, Some(Live::Delta(delta(12, "abcd"))));
    assert_eq!(live.next().await, Some(Live::Delta(delta(16, "abcd"))));
    drop(stream);
    assert_eq!(live.next().await, None);
}

#[tokio::test]
async fn a_reply_is_found_whether_it_comes_before_or_after_the_question() {
    let stream = memory().await;
    let action = stream
        .append(Source::Agent, RunAction::new("ls"))
        .await
        .unwrap();
    let other = stream
        .append(Source::Agent, RunAction::new("pwd"))
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let stream = stream.clone();
        async move { stream.reply_to(action).await }
    });
    tokio::task::yield_now().await;
    stream
        .reply(other, RunObservation::new("/", "pwd"))
        .await
        .unwrap();
    let reply = stream
        .reply(action, RunObservation::new("a", "ls"))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().id, reply);
    assert_eq!(stream.reply_to(action).await.unwrap().id, reply);
    let open = stream
        .append(Source::Agent, RunAction::new("sleep"))
        .await
        .unwrap();
    stream.close().await.unwrap();
    assert_eq!(
        stream.reply_to(open).await.unwrap_err().kind(),
        ErrorKind::Gone
    );
}

#[tokio::test]
async fn an_answer_to_an_event_that_does_not_exist_is_refused() {
    let stream = memory().await;
    let error = stream
        .reply(EventId(0), RunObservation::new("", "ls"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(stream.next(), EventId(0));
}

#[tokio::test]
async fn changes_of_state_are_checked_recorded_and_found_again() {
    let store = MemoryStore::new();
    let open = || EventStream::builder(store.clone(), session()).open();
    let stream = open().await.unwrap();
    assert_eq!(stream.state(), AgentState::Loading);
    let waiting = tokio::spawn({
        let stream = stream.clone();
        async move {
            stream
                .wait_for_state(|state| state == AgentState::Finished)
                .await
        }
    });
    stream.set_state(AgentTrigger::UserMessage).await.unwrap();
    let refused = stream.set_state(AgentTrigger::Confirm).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let own = AgentStateChangedObservation::new("", "user_confirmed");
    let refused = stream.append(Source::Environment, own).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(stream.next(), EventId(1));
    let change = StateChange::new(AgentTrigger::Finish).reason("done");
    assert_eq!(
        stream.set_state(change).await.unwrap(),
        AgentState::Finished
    );
    assert_eq!(waiting.await.unwrap().unwrap(), AgentState::Finished);
    stream
        .append(Source::User, message("thanks"))
        .await
        .unwrap();
    stream.close().await.unwrap();
    assert_eq!(open().await.unwrap().state(), AgentState::Finished);
}

#[tokio::test]
async fn after_closing_appends_are_refused_and_subscriptions_end() {
    let stream = memory().await;
    stream.append(Source::User, message("a")).await.unwrap();
    let mut follower = stream.subscribe(Cursor::Start);
    assert_eq!(stream.flush().await.unwrap(), EventId(1));
    stream.close().await.unwrap();
    stream.close().await.unwrap();
    let error = stream.append(Source::User, message("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert_eq!(follower.next().await.unwrap().unwrap().id, EventId(0));
    assert!(follower.next().await.is_none());
    assert_eq!(stream.read(Query::default()).await.unwrap().len(), 1);
    let error = stream
        .wait_for_state(|state| state == AgentState::Error)
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn the_last_handle_releases_the_log_and_ends_subscriptions() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| {
        EventStream::builder(SegmentStore::new(folder.path()), session())
            .name(name)
            .open()
    };
    let stream = open("first").await.unwrap();
    stream.append(Source::User, message("a")).await.unwrap();
    let mut follower = stream.subscribe(Cursor::Start);
    let error = open("second").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(Holder::of(&error).unwrap().name, "first");
    assert!(
        error.to_string().contains("held by first (process "),
        "{error}"
    );
    drop(stream);
    let stream = open("second").await.unwrap();
    assert_eq!(stream.next(), EventId(1));
    assert_eq!(follower.next().await.unwrap().unwrap().id, EventId(0));
    assert!(follower.next().await.is_none());
}

#[tokio::test]
async fn one_role_is_played_by_one_part_of_the_host() {
    let stream = memory().await;
    let claim = stream.claim("executor").unwrap();
    assert_eq!(
        stream.claim("executor").unwrap_err().kind(),
        ErrorKind::Conflict
    );
    drop(claim);
    assert_eq!(stream.claim("executor").unwrap().role(), "executor");
}

#[tokio::test]
async fn reading_filters_limits_and_turns_round() -> Result<()> {
    let stream = EventStream::builder(MemoryStore::new(), session())
        .ring_events(2)
        .open()
        .await?;
    for n in 0..600 {
        if n % 3 == 0 {
            stream
                .append(Source::Agent, RunAction::new(format!("echo {n}")))
                .await?;
        } else {
            stream
                .append(Source::User, message(format!("Word {n}")))
                .await?;
        }
    }
    let ids = |events: Vec<Arc<Event>>| events.iter().map(|e| e.id.0).collect::<Vec<_>>();
    let runs = Filter::new().actions().kind("run");
    let query = Query::latest(3).filter(runs.clone());
    assert_eq!(ids(stream.read(query).await?), [597, 594, 591]);
    let query = Query::new(EventId(10), EventId(17)).filter(runs);
    assert_eq!(ids(stream.read(query).await?), [12, 15]);
    let query = Query::default().filter(Filter::new().text("wORD 59").source(Source::User));
    assert_eq!(
        ids(stream.read(query).await?),
        [59, 590, 592, 593, 595, 596, 598, 599]
    );
    let query = Query::default()
        .filter(Filter::new().without_kind("run"))
        .limit(2);
    assert_eq!(ids(stream.read(query).await?), [1, 2]);
    assert_eq!(stream.read(Query::default()).await?.len(), 600);
    assert!(
        stream
            .read(Query::default().filter(Filter::new().observations()))
            .await?
            .is_empty()
    );
    Ok(())
}

#[tokio::test]
async fn a_viewer_follows_what_a_writer_appends() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path()).segment_bytes(2_000);
    let missing = EventViewer::open(&store, &session()).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let stream = EventStream::builder(store.clone(), session())
        .open()
        .await
        .unwrap();
    stream.append(Source::User, message("0")).await.unwrap();
    let viewer = EventViewer::open(&store, &session()).await.unwrap();
    assert_eq!(viewer.read(Query::default()).await.unwrap().len(), 1);
    let mut follower = viewer.subscribe(Cursor::Start);
    for n in 0..50_u64 {
        let event = follower.next().await.unwrap().unwrap();
        assert_eq!((event.id, text_of(&event)), (EventId(n), n.to_string()));
        stream
            .append(Source::User, message((n + 1).to_string()))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_clock_of_the_host_counts_and_a_time_from_elsewhere_is_kept() {
    let stream = EventStream::builder(MemoryStore::new(), session())
        .clock(|| oh_core::Timestamp::from_micros(5))
        .open()
        .await
        .unwrap();
    stream.append(Source::User, message("a")).await.unwrap();
    let mut draft = oh_core::Draft::new(Source::User, message("b"));
    draft.time = Some(oh_core::Timestamp::from_text("2024-01-01T00:00:00"));
    stream.append_draft(draft).await.unwrap();
    let events = stream.read(Query::default()).await.unwrap();
    assert_eq!(events[0].time.as_str(), "1970-01-01T00:00:00.000005");
    assert_eq!(events[1].time.as_str(), "2024-01-01T00:00:00");
}

#[test]
fn a_stream_works_without_a_runtime_where_the_store_need_not_wait() {
    futures::executor::block_on(async {
        let stream = memory().await;
        let id = stream.append(Source::User, message("a")).await.unwrap();
        assert_eq!(
            stream
                .subscribe(Cursor::Start)
                .next()
                .await
                .unwrap()
                .unwrap()
                .id,
            id
        );
    });
}

#[tokio::test]
async fn what_a_gap_leaves_of_a_secret_is_hidden_on_both_sides() {
    let stream = memory().await;
    stream.add_secret("token", Secret::new("hunter22")).unwrap();
    let action = stream
        .append(Source::Agent, RunAction::new("ls"))
        .await
        .unwrap();
    let mut sink = stream.output_sink(action, CaptureLimit::default());
    sink.push(OutputStream::Stdout, Bytes::from_static(b"a hunter"))
        .await;
    let gap = oh_core::Gap {
        stream: OutputStream::Stdout,
        from: 8,
        to: 9,
    };
    sink.gap(gap).await;
    sink.push(
        OutputStream::Stdout,
        Bytes::from_static(b"nter22 b hunter22 c hunt"),
    )
    .await;
    let captured = sink.finish(Edge::Cut).await.stdout.captured;
    let text = String::from_utf8(captured.head.to_vec()).unwrap();
    let mask = "<secret_hidden>";
    assert_eq!(text, format!("a {mask}{mask} b {mask} c {mask}"));
    assert_eq!(captured.gaps.len(), 1);
}

#[tokio::test]
async fn a_secret_that_two_looks_at_a_command_share_is_hidden_in_both() {
    let stream = memory().await;
    stream
        .add_secret("token", Secret::new("hunter2-hunter2"))
        .unwrap();
    let action = stream
        .append(Source::Agent, RunAction::new("slow"))
        .await
        .unwrap();
    let mut shown = String::new();
    for (piece, end) in [("it is hunter", Edge::Cut), ("2-hunter2!", Edge::Whole)] {
        let mut sink = stream.output_sink(action, CaptureLimit::default());
        if end == Edge::Whole {
            sink.resume();
        }
        sink.push(OutputStream::Stdout, Bytes::from_static(piece.as_bytes()))
            .await;
        let output = sink.finish(end).await;
        shown.push_str(&String::from_utf8_lossy(&output.stdout.captured.head));
    }
    assert_eq!(shown, "it is <secret_hidden><secret_hidden>!");
}

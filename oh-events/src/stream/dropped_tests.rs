//! What followers and readers meet where a log does not hold all of its past any more.

use oh_core::action::{MessageAction, RunAction};
use oh_core::observation::RunObservation;
use oh_core::{ErrorKind, EventId, SessionId, Source};
use tempfile::TempDir;

use super::{Answered, Cursor, EventStream, EventViewer, Events, Query, Recovery, Subscription};
use crate::{Dropped, Durability, Retention, SegmentStore};

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

fn store(folder: &TempDir) -> SegmentStore {
    SegmentStore::new(folder.path())
        .segment_bytes(1000)
        .retention(Retention::new().max_events(20))
}

/// A stream that drops events when it is closed, and not before.
async fn stream(folder: &TempDir, events: u64) -> EventStream {
    let stream = EventStream::builder(store(folder), session())
        .durability(Durability::Never)
        .ring_events(4)
        .snapshot_events(u64::MAX)
        .open()
        .await
        .unwrap();
    for id in 0..events {
        let message = MessageAction::new(id.to_string());
        stream.append(Source::User, message).await.unwrap();
    }
    stream
}

/// What comes next: the id of an event, or the range that was dropped.
async fn next(follower: &mut Subscription) -> Result<u64, (u64, u64)> {
    match follower.next().await.unwrap() {
        Ok(event) => Ok(event.id.0),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Gone);
            let dropped = Dropped::of(&error).unwrap();
            Err((dropped.from.0, dropped.to.0))
        }
    }
}

async fn rest(events: &mut Events) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut ids, mut gaps) = (Vec::new(), Vec::new());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => ids.push(event.id.0),
            Err(error) => {
                let dropped = Dropped::of(&error).unwrap();
                gaps.push((dropped.from.0, dropped.to.0));
            }
        }
    }
    (ids, gaps)
}

#[tokio::test]
async fn a_follower_that_stands_in_what_was_dropped_is_told_once_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream(&folder, 60).await;
    // One beside the writer, and one as of another process.
    let viewer = EventViewer::open(&store(&folder), &session())
        .await
        .unwrap();
    let mut beside = stream.subscribe(Cursor::Start);
    let mut elsewhere = viewer.subscribe(Cursor::From(EventId(5)));
    for id in 0..5 {
        assert_eq!(next(&mut beside).await, Ok(id));
    }
    // Takes up what it had read ahead.
    let mut at = beside.position().0;
    stream.close().await.unwrap();
    let first = stream.core().hub.reader.first().0;
    assert!((40..60).contains(&first), "{first}");
    let mut told = 0;
    while at < 60 {
        match next(&mut beside).await {
            Ok(id) => assert_eq!(id, at),
            Err(dropped) => {
                told += 1;
                at = first;
                assert_eq!(dropped.1, first);
                continue;
            }
        }
        at += 1;
    }
    assert!(told <= 1, "what was in memory already is no loss");
    assert!(beside.next().await.is_none());
    assert_eq!(next(&mut elsewhere).await, Err((5, first)));
    for id in first..60 {
        assert_eq!(next(&mut elsewhere).await, Ok(id));
    }
}

#[tokio::test]
async fn the_start_is_the_first_event_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    stream(&folder, 60).await.close().await.unwrap();
    let viewer = EventViewer::open(&store(&folder), &session())
        .await
        .unwrap();
    let stream = EventStream::builder(store(&folder), session())
        .open()
        .await
        .unwrap();
    let first = stream.core().hub.reader.first();
    assert!(first > EventId(0));
    for mut follower in [
        stream.subscribe(Cursor::Start),
        viewer.subscribe(Cursor::Start),
    ] {
        assert_eq!(next(&mut follower).await, Ok(first.0));
    }
    for mut follower in [
        stream.subscribe(Cursor::From(EventId(3))),
        viewer.subscribe(Cursor::From(EventId(3))),
        stream.subscribe(Cursor::From(EventId(3))).to(EventId(60)),
    ] {
        assert_eq!(next(&mut follower).await, Err((3, first.0)));
        assert_eq!(next(&mut follower).await, Ok(first.0));
    }
    // Asked for nothing but what is gone, it ends.
    let mut past = stream.subscribe(Cursor::From(EventId(3))).to(EventId(9));
    assert_eq!(next(&mut past).await, Err((3, 9)));
    assert!(past.next().await.is_none());
    let error = stream.reply_to(EventId(2)).await.unwrap_err();
    assert!(Dropped::of(&error).is_some());
}

#[tokio::test]
async fn a_reader_between_two_pages_is_told_what_was_dropped() {
    const EVENTS: u64 = 2000;
    let folder = tempfile::tempdir().unwrap();
    let stream = stream(&folder, EVENTS).await;
    let viewer = EventViewer::open(&store(&folder), &session())
        .await
        .unwrap();
    let mut readers = [
        stream.events(Query::default()),
        viewer.events(Query::default()),
    ];
    let mut last = Vec::new();
    for reader in &mut readers {
        last.push(reader.next().await.unwrap().unwrap().id.0);
    }
    stream.close().await.unwrap();
    let first = stream.core().hub.reader.first().0;
    for (reader, last) in readers.iter_mut().zip(last) {
        let (ids, gaps) = rest(reader).await;
        let [(from, to)] = gaps[..] else {
            panic!("{gaps:?}");
        };
        assert_eq!(to, first);
        let there: Vec<u64> = (last + 1..from).chain(first..EVENTS).collect();
        assert_eq!(ids, there);
    }
    // Begun now, it has no gap.
    for mut reader in [
        stream.events(Query::default()),
        viewer.events(Query::default()),
    ] {
        let (ids, gaps) = rest(&mut reader).await;
        assert_eq!((ids, gaps), ((first..EVENTS).collect(), vec![]));
    }
    let newest = stream.read(Query::latest(5)).await.unwrap();
    assert_eq!(newest.last().unwrap().id, EventId(EVENTS - 5));
}

#[tokio::test]
async fn a_second_answer_is_refused_also_where_the_action_is_not_kept_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream(&folder, 0).await;
    let act = async || {
        let action = RunAction::new("ls");
        stream.append(Source::Agent, action).await.unwrap()
    };
    let (answered, open) = (act().await, act().await);
    let reply = |action| stream.reply(action, RunObservation::new("", "ls"));
    reply(answered).await.unwrap();
    for _ in 0..60 {
        let message = MessageAction::new("hello");
        stream.append(Source::User, message).await.unwrap();
    }
    stream.close().await.unwrap();
    let stream = EventStream::builder(store(&folder), session()).recovery(Recovery::Leave);
    let stream = stream.open().await.unwrap();
    assert!(stream.core().hub.reader.first() > open);
    let reply = |action| stream.reply(action, RunObservation::new("", "ls"));
    reply(open).await.unwrap();
    for action in [answered, open] {
        let refused = reply(action).await.unwrap_err();
        assert_eq!(Answered::of(&refused).unwrap().action, action);
    }
}

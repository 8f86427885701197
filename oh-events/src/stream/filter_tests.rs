//! Subscriptions that end at an id, and filters by time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures::{FutureExt, Stream};
use oh_core::action::MessageAction;
use oh_core::{Draft, EventId, SessionId, Source, Timestamp};

use super::{Cursor, EventStream, EventViewer, Query, Subscription};
use crate::{Filter, MemoryStore, SegmentStore};

const TIMES: [&str; 4] = [
    "2025-11-20T10:00:00",
    "2025-11-20T10:00:00.500000",
    "no time",
    "2025-11-20T12:00:01+02:00",
];

fn draft(time: &str) -> Draft {
    let mut draft = Draft::new(Source::User, MessageAction::new("text"));
    draft.time = Some(Timestamp::from_text(time));
    draft
}

async fn open(ring_events: usize) -> EventStream {
    EventStream::builder(MemoryStore::new(), SessionId::new("s").unwrap())
        .ring_events(ring_events)
        .open()
        .await
        .unwrap()
}

/// Ids that are there, and whether the subscription is over.
fn ids(subscription: &mut Subscription) -> (Vec<u64>, bool) {
    let mut ids = Vec::new();
    loop {
        match subscription.next().now_or_never() {
            Some(Some(event)) => ids.push(event.unwrap().id.0),
            Some(None) => return (ids, true),
            None => return (ids, false),
        }
    }
}

#[tokio::test]
async fn events_are_filtered_by_their_instant_however_it_is_written() {
    let stream = open(8).await;
    for time in TIMES {
        stream.append_draft(draft(time)).await.unwrap();
    }
    let matching = async |filter: Filter| {
        let events = stream.read(Query::default().filter(filter)).await.unwrap();
        events.iter().map(|event| event.id.0).collect::<Vec<_>>()
    };
    let second = Timestamp::from_text("2025-11-20T12:00:00.5+02:00");
    let last = Timestamp::from_text("2025-11-20T10:00:01");
    let unreadable = Timestamp::from_text("some day");
    assert_eq!(matching(Filter::new().since(&second)).await, [1, 3]);
    assert_eq!(matching(Filter::new().until(&second)).await, [0]);
    assert_eq!(
        matching(Filter::new().since(&second).until(&last)).await,
        [1]
    );
    assert_eq!(matching(Filter::new().since(&unreadable)).await, [0_u64; 0]);
    assert_eq!(matching(Filter::new().until(&unreadable)).await, [0_u64; 0]);
    let mut subscription = stream.subscribe(Cursor::Start);
    subscription = subscription.filter(Filter::new().since(&second));
    assert_eq!(ids(&mut subscription), (vec![1, 3], false));
}

#[tokio::test]
async fn a_subscription_with_an_end_is_over_there_without_waiting() {
    // From memory, and from the store.
    for ring_events in [1, 100] {
        let stream = open(ring_events).await;
        let mut waiting = stream.subscribe(Cursor::Live).to(EventId(3));
        for _ in 0..5 {
            stream.append_draft(draft(TIMES[0])).await.unwrap();
        }
        assert_eq!(ids(&mut waiting), (vec![0, 1, 2], true));
        let mut past = stream.subscribe(Cursor::From(EventId(1))).to(EventId(5));
        assert_eq!(ids(&mut past), (vec![1, 2, 3, 4], true));
        let mut empty = stream.subscribe(Cursor::Live).to(EventId(5));
        assert_eq!(ids(&mut empty), (vec![], true));
        let mut later = stream.subscribe(Cursor::Live).to(EventId(6));
        assert_eq!(ids(&mut later), (vec![], false));
    }
}

#[tokio::test]
async fn a_subscription_can_be_cut_shorter_while_it_is_read() {
    let stream = open(100).await;
    for _ in 0..5 {
        stream.append_draft(draft(TIMES[0])).await.unwrap();
    }
    let mut subscription = stream.subscribe(Cursor::Start);
    assert_eq!(subscription.next().await.unwrap().unwrap().id, EventId(0));
    let mut subscription = subscription.to(EventId(2));
    assert_eq!(ids(&mut subscription), (vec![1], true));
}

#[tokio::test]
async fn a_viewer_that_follows_ends_there_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    let session = SessionId::new("s").unwrap();
    let builder = EventStream::builder(store.clone(), session.clone());
    let stream = builder.open().await.unwrap();
    for _ in 0..5 {
        stream.append_draft(draft(TIMES[0])).await.unwrap();
    }
    let viewer = EventViewer::open(&store, &session).await.unwrap();
    let mut subscription = viewer.subscribe(Cursor::From(EventId(1))).to(EventId(3));
    let mut seen = Vec::new();
    while let Some(event) = subscription.next().await {
        seen.push(event.unwrap().id.0);
    }
    assert_eq!(seen, [1, 2]);
}

#[tokio::test]
async fn an_end_that_is_set_while_a_page_is_read_counts_for_that_page() {
    let store = MemoryStore::new();
    let session = SessionId::new("s").unwrap();
    let stream = EventStream::builder(store.clone(), session.clone());
    let stream = stream.open().await.unwrap();
    let viewer = EventViewer::open(&store, &session).await.unwrap();
    let mut elsewhere = viewer.subscribe(Cursor::Start);
    assert_eq!(ids(&mut elsewhere), (vec![], false));
    for _ in 0..5 {
        stream.append_draft(draft(TIMES[0])).await.unwrap();
    }
    let mut elsewhere = elsewhere.to(EventId(2));
    assert_eq!(ids(&mut elsewhere), (vec![0, 1], true));
}

/// Wakes no one, and looks at the stream when no one can wake it any more, as the task of a simple
/// executor does that is dropped with its last waker.
struct LastLook(EventStream);

impl Wake for LastLook {
    fn wake(self: Arc<Self>) {}
}

impl Drop for LastLook {
    fn drop(&mut self) {
        let _ = self.0.next();
    }
}

#[tokio::test]
async fn a_task_that_ends_with_its_last_waker_can_use_the_stream_meanwhile() {
    let stream = open(8).await;
    let wait = |follower: &mut Subscription| {
        let waker = Waker::from(Arc::new(LastLook(stream.clone())));
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(follower).poll_next(&mut context).is_pending());
    };
    let mut follower = stream.subscribe(Cursor::Live);
    wait(&mut follower);
    wait(&mut follower);
    drop(follower);
    assert_eq!(stream.next(), EventId(0));
}

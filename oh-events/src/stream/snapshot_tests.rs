//! A stream beside whose log its fold is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use oh_core::action::{MessageAction, RunAction};
use oh_core::{
    AgentState, AgentTrigger, Error, ErrorKind, EventId, Result, RuntimeStatus, RuntimeTrigger,
    SessionId, Source,
};
use tokio::sync::{Semaphore, watch};

use super::{EventStream, EventStreamBuilder, EventViewer, Query, RuntimeChange};
use crate::{
    Encoded, EventLog, EventReader, EventStore, MemoryStore, OpenReport, ReadRange, SessionState,
    Snapshot, Writer,
};

/// Counts what is read and saved, and can hold up or fail the saving.
#[derive(Clone, Debug)]
struct WatchedStore {
    memory: MemoryStore,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    read: AtomicU64,
    saved: watch::Sender<EventId>,
    permits: Semaphore,
    fails: AtomicBool,
}

#[derive(Debug)]
struct WatchedLog(Box<dyn EventLog>, Arc<Seen>);

#[derive(Debug)]
struct WatchedReader(Arc<dyn EventReader>, Arc<Seen>);

impl WatchedStore {
    fn new() -> Self {
        let seen = Seen {
            read: AtomicU64::new(0),
            saved: watch::Sender::new(EventId(0)),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
            fails: AtomicBool::new(false),
        };
        Self {
            memory: MemoryStore::new(),
            seen: Arc::new(seen),
        }
    }

    fn builder(&self) -> EventStreamBuilder {
        EventStream::builder(self.clone(), session())
    }

    /// Events that were read since the last call.
    fn read(&self) -> u64 {
        self.seen.read.swap(0, Ordering::Relaxed)
    }

    async fn until_saved(&self, next: EventId) {
        let mut saved = self.seen.saved.subscribe();
        saved.wait_for(|saved| *saved >= next).await.unwrap();
    }
}

#[async_trait]
impl EventStore for WatchedStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        let log = self.memory.open(session, writer).await?;
        Ok(Box::new(WatchedLog(log, Arc::clone(&self.seen))))
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        let reader = self.memory.view(session).await?;
        Ok(Arc::new(WatchedReader(reader, Arc::clone(&self.seen))))
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        EventStore::sessions(&self.memory, after, limit).await
    }
}

#[async_trait]
impl EventLog for WatchedLog {
    fn report(&self) -> &OpenReport {
        self.0.report()
    }

    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    fn next(&self) -> EventId {
        self.0.next()
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(WatchedReader(self.0.reader(), Arc::clone(&self.1)))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        self.0.append(expected, epoch, batch).await
    }

    async fn sync(&self) -> Result<EventId> {
        self.0.sync().await
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        self.1.permits.acquire().await.unwrap().forget();
        if self.1.fails.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::NoSpace, "save snapshot"));
        }
        self.0.save_snapshot(snapshot).await?;
        self.1.saved.send_replace(snapshot.next);
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

#[async_trait]
impl EventReader for WatchedReader {
    fn next(&self) -> EventId {
        self.0.next()
    }

    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>> {
        let page = self.0.read(range).await?;
        self.1.read.fetch_add(page.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        self.0.snapshot().await
    }
}

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

async fn say(stream: &EventStream, count: usize) {
    for _ in 0..count {
        let message = MessageAction::new("hello");
        stream.append(Source::User, message).await.unwrap();
    }
}

async fn folded(stream: &EventStream) -> SessionState {
    let mut state = SessionState::default();
    for event in stream.read(Query::default()).await.unwrap() {
        state.apply(&event);
    }
    state
}

#[tokio::test]
async fn a_stream_that_was_closed_is_opened_again_without_reading_its_past() {
    let store = WatchedStore::new();
    let stream = store.builder().open().await.unwrap();
    stream.set_state(AgentTrigger::UserMessage).await.unwrap();
    say(&stream, 500).await;
    let before = stream.session_state();
    assert_eq!(before, folded(&stream).await);
    stream.close().await.unwrap();
    drop(stream);

    store.read();
    let stream = store.builder().open().await.unwrap();
    assert_eq!(
        store.read(),
        2,
        "the last event says whether it fits, and whether the log is chained"
    );
    assert_eq!(stream.session_state(), before);
    assert_eq!(stream.state(), AgentState::Running);
    let viewer = EventViewer::open(&store, &session()).await.unwrap();
    assert_eq!(viewer.session_state().await.unwrap(), before);
    assert_eq!(store.read(), 1);
}

#[tokio::test]
async fn a_stream_that_was_not_closed_is_opened_from_the_last_snapshot() {
    let store = WatchedStore::new();
    let stream = store
        .builder()
        .snapshot_events(100)
        .snapshot_interval(Duration::ZERO)
        .open()
        .await
        .unwrap();
    say(&stream, 99).await;
    tokio::task::yield_now().await;
    assert_eq!(*store.seen.saved.borrow(), EventId(0));
    for until in [100, 200] {
        say(&stream, until - stream.next().0 as usize).await;
        store.until_saved(EventId(until as u64)).await;
    }
    say(&stream, 20).await;
    let before = stream.session_state();
    drop(stream);

    store.read();
    let stream = store.builder().open().await.unwrap();
    assert_eq!(store.read(), 2 + 20);
    assert_eq!(stream.session_state(), before);
}

#[tokio::test]
async fn a_snapshot_that_takes_long_holds_up_no_append_and_none_is_missed_at_closing() {
    let store = WatchedStore::new();
    store.seen.permits.forget_permits(Semaphore::MAX_PERMITS);
    let stream = store
        .builder()
        .snapshot_events(10)
        .snapshot_interval(Duration::ZERO)
        .open()
        .await
        .unwrap();
    say(&stream, 95).await;
    assert_eq!(*store.seen.saved.borrow(), EventId(0));
    let closing = tokio::spawn(async move { stream.close().await });
    store.seen.permits.add_permits(100);
    closing.await.unwrap().unwrap();
    assert_eq!(*store.seen.saved.borrow(), EventId(95));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_saved_fails_nothing_else() {
    let store = WatchedStore::new();
    store.seen.fails.store(true, Ordering::Relaxed);
    let stream = store
        .builder()
        .snapshot_events(10)
        .snapshot_interval(Duration::ZERO)
        .open()
        .await
        .unwrap();
    say(&stream, 50).await;
    let before = stream.session_state();
    stream.close().await.unwrap();
    drop(stream);
    store.read();
    let stream = store.builder().open().await.unwrap();
    assert_eq!(store.read(), 1 + 50);
    assert_eq!(stream.session_state(), before);
}

#[tokio::test]
async fn a_stream_to_which_nothing_was_added_saves_nothing() {
    let store = WatchedStore::new();
    let stream = store.builder().open().await.unwrap();
    say(&stream, 1).await;
    stream.close().await.unwrap();
    drop(stream);
    store.seen.fails.store(true, Ordering::Relaxed);
    store.seen.permits.close();
    let stream = store.builder().open().await.unwrap();
    stream.close().await.unwrap();
}

#[tokio::test]
async fn changes_of_the_runtimes_status_are_checked_recorded_and_found_again() {
    let store = MemoryStore::new();
    let open = || EventStream::builder(store.clone(), session()).open();
    let stream = open().await.unwrap();
    assert_eq!(stream.runtime_status(), RuntimeStatus::Stopped);
    let waiting = tokio::spawn({
        let stream = stream.clone();
        async move {
            let ready = |status| status == RuntimeStatus::Ready;
            stream.wait_for_runtime_status(ready).await
        }
    });
    let refused = stream.set_runtime_status(RuntimeTrigger::BecomeReady).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(stream.next(), EventId(0));
    for trigger in [RuntimeTrigger::Start, RuntimeTrigger::Started] {
        stream.set_runtime_status(trigger).await.unwrap();
    }
    let ready = RuntimeChange::new(RuntimeTrigger::BecomeReady).detail("took a second");
    stream.set_runtime_status(ready.clone()).await.unwrap();
    stream.set_runtime_status(ready).await.unwrap();
    assert_eq!(
        stream.next(),
        EventId(3),
        "what changes nothing is not recorded"
    );
    assert_eq!(waiting.await.unwrap().unwrap(), RuntimeStatus::Ready);
    stream.close().await.unwrap();
    let never = stream.wait_for_runtime_status(|_| false).await;
    assert_eq!(never.unwrap_err().kind(), ErrorKind::Gone);
    drop(stream);
    let stream = open().await.unwrap();
    assert_eq!(stream.runtime_status(), RuntimeStatus::Ready);
    assert_eq!(stream.session_state().runtime().irregular, 0);
}

#[tokio::test]
async fn a_state_that_a_snapshot_holds_is_that_of_the_log_at_every_length() {
    for length in [0, 1, 9, 10, 11, 30] {
        let store = WatchedStore::new();
        let stream = store
            .builder()
            .snapshot_events(10)
            .snapshot_interval(Duration::ZERO)
            .open()
            .await
            .unwrap();
        say(&stream, length).await;
        stream
            .append(Source::Agent, RunAction::new("ls"))
            .await
            .unwrap();
        let id = EventId(length as u64);
        assert!(stream.is_open(id));
        assert_eq!(stream.session_state(), folded(&stream).await);
        drop(stream);
        let viewer = EventViewer::open(&store, &session()).await.unwrap();
        assert!(viewer.session_state().await.unwrap().is_open(id));
    }
}

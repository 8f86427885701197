//! A stream on a store that waits, and on one that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use oh_core::action::{MessageAction, RunAction};
use oh_core::observation::RunObservation;
use oh_core::{AgentTrigger, Error, ErrorKind, EventId, Result, SessionId, Source};
use tokio::sync::Semaphore;

use super::{Cursor, EventStream, Query};
use crate::{Audit, Encoded, EventLog, EventReader, EventStore, MemoryStore, OpenReport, Writer};

/// Appends take a permit each, and fail while they are told to.
#[derive(Clone, Debug)]
struct GatedStore {
    memory: MemoryStore,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Gate {
    permits: Semaphore,
    fails: AtomicBool,
    /// Waits behind writing, as for a sync.
    writes_first: AtomicBool,
}

#[derive(Debug)]
struct GatedLog {
    log: Box<dyn EventLog>,
    gate: Arc<Gate>,
}

#[async_trait]
impl EventStore for GatedStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        Ok(Box::new(GatedLog {
            log: self.memory.open(session, writer).await?,
            gate: Arc::clone(&self.gate),
        }))
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        self.memory.view(session).await
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        EventStore::sessions(&self.memory, after, limit).await
    }
}

#[async_trait]
impl EventLog for GatedLog {
    fn report(&self) -> &OpenReport {
        self.log.report()
    }

    fn epoch(&self) -> u64 {
        self.log.epoch()
    }

    fn next(&self) -> EventId {
        self.log.next()
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        self.log.reader()
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        if self.gate.writes_first.load(Ordering::Relaxed) {
            self.log.append(expected, epoch, batch).await?;
            self.gate.permits.acquire().await.unwrap().forget();
            return Ok(());
        }
        self.gate.permits.acquire().await.unwrap().forget();
        if self.gate.fails.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::NoSpace, "append event"));
        }
        self.log.append(expected, epoch, batch).await
    }

    async fn sync(&self) -> Result<EventId> {
        self.log.sync().await
    }

    async fn close(&self) -> Result<()> {
        self.log.close().await
    }
}

async fn gated() -> (EventStream, Arc<Gate>) {
    let gate = Arc::new(Gate {
        permits: Semaphore::new(0),
        fails: AtomicBool::new(false),
        writes_first: AtomicBool::new(false),
    });
    let store = GatedStore {
        memory: MemoryStore::new(),
        gate: Arc::clone(&gate),
    };
    let builder = EventStream::builder(store, SessionId::new("s").unwrap()).audit(Audit::new());
    (builder.open().await.unwrap(), gate)
}

fn append(stream: &EventStream, text: &str) -> impl Future<Output = Result<EventId>> + use<> {
    let (stream, message) = (stream.clone(), MessageAction::new(text));
    async move { stream.append(Source::User, message).await }
}

#[tokio::test]
async fn an_append_whose_caller_gave_up_is_there_as_a_whole_and_holds_up_no_one() {
    let (stream, gate) = gated().await;
    let mut follower = stream.subscribe(Cursor::Start);
    assert!(append(&stream, "given up").now_or_never().is_none());
    assert!(
        append(&stream, "given up in the queue")
            .now_or_never()
            .is_none()
    );
    let last = tokio::spawn(append(&stream, "last"));
    // At most one for each event; how they are put together is up to the queue.
    gate.permits.add_permits(3);
    assert_eq!(last.await.unwrap().unwrap(), EventId(2));
    for id in 0..3 {
        assert_eq!(follower.next().await.unwrap().unwrap().id, EventId(id));
    }
}

#[tokio::test]
async fn an_event_is_not_published_before_the_store_has_it() {
    let (stream, gate) = gated().await;
    let mut follower = stream.subscribe(Cursor::Start);
    let mut first = Box::pin(append(&stream, "first"));
    assert!((&mut first).now_or_never().is_none());
    tokio::task::yield_now().await;
    assert!(follower.next().now_or_never().is_none());
    assert!(stream.read(Query::default()).await.unwrap().is_empty());
    gate.permits.add_permits(1);
    assert_eq!(first.await.unwrap(), EventId(0));
    assert_eq!(follower.next().await.unwrap().unwrap().id, EventId(0));
}

#[tokio::test]
async fn appends_that_failed_tell_each_caller_and_use_up_no_id() {
    let (stream, gate) = gated().await;
    let mut follower = stream.subscribe(Cursor::Start);
    gate.fails.store(true, Ordering::Relaxed);
    let failing: Vec<_> = (0..5)
        .map(|n| tokio::spawn(append(&stream, &n.to_string())))
        .collect();
    gate.permits.add_permits(5);
    for failing in failing {
        let error = failing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
    }
    gate.fails.store(false, Ordering::Relaxed);
    gate.permits.add_permits(1);
    assert_eq!(append(&stream, "space again").await.unwrap(), EventId(0));
    assert_eq!(follower.next().await.unwrap().unwrap().id, EventId(0));
    let report = stream.verify(&Audit::new(), None).await.unwrap();
    assert_eq!((report.broken, report.head), (None, stream.audit_head()));
}

#[tokio::test]
async fn closing_waits_for_what_came_in_before() {
    let (stream, gate) = gated().await;
    let first = tokio::spawn(append(&stream, "first"));
    let second = tokio::spawn(append(&stream, "second"));
    tokio::task::yield_now().await;
    let closing = tokio::spawn({
        let stream = stream.clone();
        async move { stream.close().await }
    });
    gate.permits.add_permits(2);
    assert_eq!(first.await.unwrap().unwrap(), EventId(0));
    assert_eq!(second.await.unwrap().unwrap(), EventId(1));
    closing.await.unwrap().unwrap();
    assert_eq!(
        append(&stream, "late").await.unwrap_err().kind(),
        ErrorKind::Gone
    );
}

#[test]
fn a_runtime_that_is_shut_down_in_the_middle_leaves_no_one_waiting() {
    let (stream, gate) = {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (stream, gate) = gated().await;
            assert!(append(&stream, "cut off").now_or_never().is_none());
            (stream, gate)
        })
    };
    gate.permits.add_permits(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let id = runtime
        .block_on(append(&stream, "of the next runtime"))
        .unwrap();
    assert_eq!(id, EventId(0));
}

#[test]
fn an_append_that_a_runtime_cut_off_behind_writing_is_published_before_the_next() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build();
    let (stream, gate) = runtime().unwrap().block_on(async {
        let (stream, gate) = gated().await;
        gate.writes_first.store(true, Ordering::Relaxed);
        assert!(append(&stream, "cut off").now_or_never().is_none());
        (stream, gate)
    });
    gate.permits.add_permits(1);
    runtime().unwrap().block_on(async {
        let mut follower = stream.subscribe(Cursor::Start);
        assert_eq!(append(&stream, "next").await.unwrap(), EventId(1));
        for id in 0..2 {
            assert_eq!(follower.next().await.unwrap().unwrap().id, EventId(id));
        }
        let report = stream.verify(&Audit::new(), None).await.unwrap();
        assert_eq!((report.broken, report.head), (None, stream.audit_head()));
    });
}

#[tokio::test]
async fn an_answer_that_could_not_be_written_leaves_the_action_open_for_another() {
    let (stream, gate) = gated().await;
    gate.permits.add_permits(1);
    let action = RunAction::new("ls");
    let action = stream.append(Source::Agent, action).await.unwrap();
    let reply = |text: &str| {
        let (stream, text) = (stream.clone(), text.to_owned());
        tokio::spawn(async move { stream.reply(action, RunObservation::new(text, "ls")).await })
    };
    let busy = tokio::spawn(append(&stream, "busy"));
    tokio::task::yield_now().await;
    let (first, second, third) = (reply("first"), reply("second"), reply("third"));
    tokio::task::yield_now().await;
    gate.permits.add_permits(1);
    busy.await.unwrap().unwrap();
    gate.fails.store(true, Ordering::Relaxed);
    gate.permits.add_permits(1);
    let failed = first.await.unwrap().unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::NoSpace);
    gate.fails.store(false, Ordering::Relaxed);
    assert!(stream.is_open(action));
    gate.permits.add_permits(1);
    assert_eq!(second.await.unwrap().unwrap(), EventId(2));
    let refused = third.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(!stream.is_open(action));
}

#[tokio::test]
async fn a_change_of_state_whose_caller_gave_up_counts_for_the_next_change() {
    let (stream, gate) = gated().await;
    gate.permits.add_permits(1);
    stream.set_state(AgentTrigger::UserMessage).await.unwrap();
    assert!(
        stream
            .set_state(AgentTrigger::Stop)
            .now_or_never()
            .is_none()
    );
    let second = tokio::spawn({
        let stream = stream.clone();
        async move { stream.set_state(AgentTrigger::Pause).await }
    });
    tokio::task::yield_now().await;
    gate.permits.add_permits(2);
    let refused = second.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(stream.session_state().agent().irregular, 0);
}

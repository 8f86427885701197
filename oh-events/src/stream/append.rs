//! The single writer: id, mask, persist, publish, in this order.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use oh_core::{Draft, Error, ErrorKind, Event, EventId, Result, SessionId, Timestamp, codec};
use tokio::sync::{Notify, oneshot};

use crate::audit::{self, Chain};
use crate::store::{Encoded, EventLog};

use super::claim::Roles;
use super::hub::Hub;
use super::secrets::Secrets;
use super::snapshots::Snapshots;

/// Bytes of JSON after which a batch is not made larger.
const BATCH_BYTES: usize = 1024 * 1024;

/// Largest number of events of a batch.
const BATCH_EVENTS: usize = 256;

/// What the handles of a stream share.
///
/// Whoever appends while no one writes becomes the writer of its own event; a store that need not
/// wait is done at the first poll, and no task is woken. Everyone else leaves the event in the
/// queue, which a task writes in batches: this is how many appends come to share one sync.
pub(super) struct Core {
    pub(super) session: SessionId,
    pub(super) hub: Arc<Hub>,
    pub(super) log: Box<dyn EventLog>,
    pub(super) secrets: Arc<Secrets>,
    /// Held while a change of a state is checked and appended.
    pub(super) state_gate: tokio::sync::Mutex<()>,
    pub(super) roles: Roles,
    pub(super) snapshots: Snapshots,
    pub(super) chain: Option<Chain>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Size of the latest event, of which the next one may be.
    usual_bytes: AtomicUsize,
    max_batch: usize,
    queue: Mutex<Queue>,
    idle: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Pending>,
    /// Someone is writing and will look at the queue afterwards.
    writing: bool,
    closed: bool,
}

/// An event whose id is that of the next event at the time when it came in; it gets another one if
/// others were faster.
struct Pending {
    event: Arc<Event>,
    /// Its JSON, with the id that the event has by now.
    json: Vec<u8>,
    /// Absent for the event of the one that writes.
    done: Option<oneshot::Sender<Result<EventId>>>,
}

enum Turn {
    Write(Pending),
    Wait(oneshot::Receiver<Result<EventId>>),
}

impl Core {
    pub(super) fn new(
        session: SessionId,
        hub: Hub,
        log: Box<dyn EventLog>,
        secrets: Secrets,
        snapshots: Snapshots,
        chain: Option<Chain>,
        clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
        one_by_one: bool,
    ) -> Self {
        Self {
            session,
            hub: Arc::new(hub),
            log,
            secrets: Arc::new(secrets),
            state_gate: tokio::sync::Mutex::new(()),
            roles: Roles::default(),
            snapshots,
            chain,
            clock,
            usual_bytes: AtomicUsize::new(0),
            max_batch: if one_by_one { 1 } else { BATCH_EVENTS },
            queue: Mutex::default(),
            idle: Notify::new(),
        }
    }

    pub(super) async fn append(self: &Arc<Self>, draft: Draft) -> Result<EventId> {
        let pending = self.prepare(draft)?;
        match self.enter(pending)? {
            Turn::Write(pending) => self.write_own(pending).await,
            Turn::Wait(done) => done.await.unwrap_or_else(|_| Err(self.interrupted())),
        }
    }

    /// Takes no more events, and waits until those that came in are written.
    pub(super) async fn close(&self) {
        self.queue().closed = true;
        loop {
            let idle = self.idle.notified();
            if !self.queue().writing {
                return;
            }
            idle.await;
        }
    }

    pub(super) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, "append event").with_object(self.session.as_str())
    }

    /// Masks and encodes.
    fn prepare(&self, draft: Draft) -> Result<Pending> {
        let next = self.hub.next();
        if let Some(cause) = draft.cause
            && cause.0 >= next
        {
            return Err(self.error(ErrorKind::InvalidInput).with_detail(format!(
                "the cause {cause} is no event of this log yet, which ends before {next}"
            )));
        }
        let time = draft.time.clone().unwrap_or_else(|| (self.clock)());
        let mut event = draft.into_event(EventId(next), time);
        // It would be taken for the value of a chain.
        event.extra.remove(audit::KEY);
        let masker = self.secrets.masker();
        if !masker.is_empty() {
            event.visit_text_mut(&mut |text| {
                if let Cow::Owned(masked) = masker.mask(text) {
                    *text = masked;
                }
            });
        }
        let usual = self.usual_bytes.load(Ordering::Relaxed).min(USUAL_BYTES);
        let mut json = Vec::with_capacity(usual + ADDED_BYTES);
        codec::encode_event_into(&event, &mut json);
        if !json.starts_with(ID_KEY) {
            return Err(self
                .error(ErrorKind::Internal)
                .with_detail("the event has no JSON form"));
        }
        self.usual_bytes.store(json.len(), Ordering::Relaxed);
        if json.capacity() > 2 * (json.len() + ADDED_BYTES) {
            json.shrink_to(json.len() + ADDED_BYTES);
        }
        if json.len() > Encoded::MAX_BYTES - ADDED_BYTES {
            return Err(self
                .error(ErrorKind::TooLarge)
                .with_detail("an event is at most 256 MiB, put large contents into a blob"));
        }
        Ok(Pending {
            event: Arc::new(event),
            json,
            done: None,
        })
    }

    fn enter(&self, mut pending: Pending) -> Result<Turn> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(self
                .error(ErrorKind::Gone)
                .with_detail("the stream was closed"));
        }
        if !queue.writing {
            queue.writing = true;
            return Ok(Turn::Write(pending));
        }
        let (done, wait) = oneshot::channel();
        pending.done = Some(done);
        queue.waiting.push_back(pending);
        Ok(Turn::Wait(wait))
    }

    /// Writes the event of this call. What takes longer than one poll goes on in a task, so that
    /// a caller that gives up leaves nothing half done.
    async fn write_own(self: &Arc<Self>, pending: Pending) -> Result<EventId> {
        let mut turn = WritersTurn::new(self);
        let mut write = Box::pin(Arc::clone(self).write(vec![pending]));
        let polled = poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await;
        if let Poll::Ready(result) = polled {
            if turn.goes_on() {
                spawn(turn.write_queue()).await;
            }
            return result;
        }
        let (done, wait) = oneshot::channel();
        let rest = async move {
            // The caller may have gone.
            let _ = done.send(write.await);
            if turn.goes_on() {
                turn.write_queue().await;
            }
        };
        spawn(rest).await;
        wait.await.unwrap_or_else(|_| Err(self.interrupted()))
    }

    fn take_batch(&self) -> Vec<Pending> {
        let mut queue = self.queue();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.max_batch && bytes < BATCH_BYTES {
            let Some(pending) = queue.waiting.pop_front() else {
                break;
            };
            bytes += pending.json.len();
            batch.push(pending);
        }
        batch
    }

    /// Gives ids, persists, publishes, answers; returns the first id.
    async fn write(self: Arc<Self>, mut batch: Vec<Pending>) -> Result<EventId> {
        let first = EventId(self.hub.next());
        let mut head = self.chain.as_ref().and_then(Chain::head);
        let mut encoded = Vec::with_capacity(batch.len());
        for (pending, id) in batch.iter_mut().zip(first.0..=u64::MAX) {
            pending.set_id(EventId(id));
            let mut json = std::mem::take(&mut pending.json);
            if let Some(chain) = &self.chain {
                head = Some(chain.seal(head, EventId(id), &mut json));
            }
            match Encoded::new(EventId(id), json) {
                Ok(event) => encoded.push(event),
                Err(error) => return Err(fail(batch, error)),
            }
        }
        if let Err(error) = self.log.append(first, self.log.epoch(), &encoded).await {
            return Err(fail(batch, error));
        }
        if let Some(chain) = &self.chain {
            chain.advance(head);
        }
        let events = batch.iter().zip(&encoded);
        self.hub
            .publish(events.map(|(pending, json)| (Arc::clone(&pending.event), json.json().len())));
        self.save_snapshot_if_due();
        for (pending, id) in batch.into_iter().zip(first.0..=u64::MAX) {
            if let Some(done) = pending.done {
                let _ = done.send(Ok(EventId(id)));
            }
        }
        Ok(first)
    }

    fn interrupted(&self) -> Error {
        self.error(ErrorKind::OutcomeUnknown)
            .with_detail("the runtime that wrote the event was shut down")
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write, until the queue is empty. Dropped before (by a panic, or with the runtime
/// that ran it), it answers those who wait instead of leaving them waiting.
struct WritersTurn {
    core: Arc<Core>,
    over: bool,
}

impl WritersTurn {
    fn new(core: &Arc<Core>) -> Self {
        Self {
            core: Arc::clone(core),
            over: false,
        }
    }

    /// Whether the queue holds events; if not, the turn is over.
    fn goes_on(&mut self) -> bool {
        let mut queue = self.core.queue();
        if queue.waiting.is_empty() {
            queue.writing = false;
            self.over = true;
            self.core.idle.notify_waiters();
        }
        !self.over
    }

    async fn write_queue(mut self) {
        while self.goes_on() {
            let batch = self.core.take_batch();
            // Each event of the batch has its own answer.
            let _ = Arc::clone(&self.core).write(batch).await;
        }
    }
}

impl Drop for WritersTurn {
    fn drop(&mut self) {
        if !self.over {
            let mut queue = self.core.queue();
            queue.writing = false;
            queue.waiting.clear();
            self.core.idle.notify_waiters();
        }
    }
}

/// Runs it beside the caller, or in it where there is no runtime. It ends with the queue.
async fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(work)),
        Err(_) => Box::pin(work).await,
    }
}

/// How the JSON of an event without an id begins.
const ID_KEY: &[u8] = b"{\"id\":";

/// Room for a longer id and for the value of a chain.
const ADDED_BYTES: usize = 20 + audit::SEAL_BYTES;

/// Largest room that is made for an event before its size is known.
const USUAL_BYTES: usize = 64 * 1024;

impl Pending {
    fn set_id(&mut self, id: EventId) {
        // No one else has it yet, so that nothing is copied.
        let event = Arc::make_mut(&mut self.event);
        if event.id == id {
            return;
        }
        event.id = id;
        let after_key = self.json.iter().skip(ID_KEY.len());
        let digits = after_key.take_while(|byte| byte.is_ascii_digit()).count();
        let digits = ID_KEY.len()..ID_KEY.len() + digits;
        self.json.splice(digits, id.to_string().into_bytes());
    }
}

/// Tells everyone whose event is in a batch, and returns the error for the one who writes.
fn fail(batch: Vec<Pending>, error: Error) -> Error {
    let error = Arc::new(error);
    for done in batch.into_iter().filter_map(|pending| pending.done) {
        let _ = done.send(Err(share(&error)));
    }
    share(&error)
}

/// The same error for each event of a batch.
fn share(error: &Arc<Error>) -> Error {
    let mut copy = Error::new(error.kind(), error.operation().to_owned());
    if let Some(object) = error.object() {
        copy = copy.with_object(object);
    }
    if let Some(detail) = error.detail() {
        copy = copy.with_detail(detail.to_owned());
    }
    copy.with_source(Arc::clone(error))
}

impl Drop for Core {
    fn drop(&mut self) {
        self.hub.close();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("session", &self.session)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

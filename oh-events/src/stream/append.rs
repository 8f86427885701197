//! The single writer: id, mask, persist, publish, in this order.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use oh_core::{Draft, Error, ErrorKind, Event, EventId, Result, SessionId};
use tokio::sync::{Notify, OwnedMutexGuard, oneshot};

use crate::audit::{self, AuditHead, Chain};
use crate::store::{Durability, Encoded, EventLog};

use super::builder::Clock;
use super::claim::Roles;
use super::hub::Hub;
use super::pending::{Pending, fail};
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
    pub(super) state_gate: Arc<tokio::sync::Mutex<()>>,
    pub(super) roles: Roles,
    pub(super) snapshots: Snapshots,
    pub(super) chain: Option<Chain>,
    /// A write was dropped in the middle.
    pub(super) interrupted: AtomicBool,
    clock: Clock,
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

/// Events that have their ids and are not in the log yet.
struct Sealed {
    first: EventId,
    /// End of the chain after them.
    head: Option<AuditHead>,
    batch: Vec<Pending>,
    encoded: Vec<Encoded>,
}

/// How far a write came without waiting.
enum Now {
    Done(Result<EventId>),
    /// The store has to wait.
    Sealed(Sealed),
    /// Something has to be read first.
    Later(Pending),
}

type Writing = Pin<Box<dyn Future<Output = Result<EventId>> + Send>>;

enum Turn {
    Write(Pending),
    Wait(oneshot::Receiver<Result<EventId>>),
}

/// What a stream is made of when it is opened.
pub(super) struct Parts {
    pub(super) session: SessionId,
    pub(super) hub: Hub,
    pub(super) log: Box<dyn EventLog>,
    pub(super) secrets: Secrets,
    pub(super) snapshots: Snapshots,
    pub(super) chain: Option<Chain>,
    pub(super) clock: Clock,
    pub(super) durability: Durability,
}

impl Core {
    pub(super) fn new(parts: Parts) -> Self {
        let one_by_one = parts.durability == Durability::Each;
        Self {
            session: parts.session,
            hub: Arc::new(parts.hub),
            log: parts.log,
            secrets: Arc::new(parts.secrets),
            state_gate: Arc::default(),
            roles: Roles::default(),
            snapshots: parts.snapshots,
            chain: parts.chain,
            interrupted: AtomicBool::new(false),
            clock: parts.clock,
            usual_bytes: AtomicUsize::new(0),
            max_batch: if one_by_one { 1 } else { BATCH_EVENTS },
            queue: Mutex::default(),
            idle: Notify::new(),
        }
    }

    pub(super) fn append(
        self: &Arc<Self>,
        draft: Draft,
    ) -> impl Future<Output = Result<EventId>> + Send {
        self.append_holding(draft, None)
    }

    /// Appends, and holds a gate until the event is published, also if the caller gives up. The
    /// event is encoded by the call, so that the future is small.
    pub(super) fn append_holding(
        self: &Arc<Self>,
        draft: Draft,
        gate: Option<OwnedMutexGuard<()>>,
    ) -> impl Future<Output = Result<EventId>> + Send {
        let prepared = self.prepare(draft);
        async move {
            // A task that only appends lets those run who follow it on the same thread.
            tokio::task::coop::consume_budget().await;
            self.append_prepared(prepared?, gate).await
        }
    }

    async fn append_prepared(
        self: &Arc<Self>,
        mut pending: Pending,
        gate: Option<OwnedMutexGuard<()>>,
    ) -> Result<EventId> {
        let answers = self.admit(&pending.event).await?;
        pending.answers = answers;
        pending.gate = gate;
        let appended = match self.enter(pending)? {
            Turn::Write(pending) => self.write_own(pending).await,
            Turn::Wait(done) => done.await.unwrap_or_else(|_| Err(self.interrupted())),
        };
        match appended {
            Err(error) if answers.is_some() => Err(self.explain(error).await),
            appended => appended,
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
    fn prepare(&self, mut draft: Draft) -> Result<Pending> {
        let next = self.hub.next();
        let time = draft.time.take().unwrap_or_else(|| (self.clock)());
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
        let usual = self.usual_bytes.load(Ordering::Relaxed);
        let pending = Pending::encode(event, usual)
            .map_err(|error| error.with_object(self.session.as_str()))?;
        self.usual_bytes
            .store(pending.json.len(), Ordering::Relaxed);
        Ok(pending)
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
        let mut write = match self.write_now(pending) {
            Now::Done(result) => {
                if turn.goes_on() {
                    spawn(turn.write_queue()).await;
                }
                return result;
            }
            Now::Sealed(sealed) => Box::pin(Arc::clone(self).commit(sealed)) as Writing,
            Now::Later(pending) => Box::pin(Arc::clone(self).write(vec![pending])) as Writing,
        };
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
            // Whether a second answer is one too many is known when the first is written.
            let closed = |action| {
                batch
                    .iter()
                    .any(|other: &Pending| other.answers == Some(action))
            };
            if let Some(pending) = queue.waiting.front()
                && pending.answers.is_some_and(closed)
            {
                break;
            }
            let Some(pending) = queue.waiting.pop_front() else {
                break;
            };
            bytes += pending.json.len();
            batch.push(pending);
        }
        batch
    }

    /// Writes an event whose store need not wait, without a task or a boxed future.
    fn write_now(self: &Arc<Self>, mut pending: Pending) -> Now {
        if self.is_interrupted() {
            return Now::Later(pending);
        }
        if let Some(refusal) = self.refusal(&pending) {
            return Now::Done(Err(refusal));
        }
        let first = EventId(self.hub.next());
        let mut head = self.chain.as_ref().and_then(Chain::head);
        let encoded = match self.seal(&mut pending, first, &mut head) {
            Ok(encoded) => encoded,
            Err(error) => return Now::Done(Err(error)),
        };
        let batch = std::slice::from_ref(&encoded);
        match self.log.append_now(first, self.log.epoch(), batch) {
            None => Now::Sealed(Sealed {
                first,
                head,
                batch: vec![pending],
                encoded: vec![encoded],
            }),
            Some(Err(error)) => Now::Done(Err(error)),
            Some(Ok(())) => {
                self.publish(head, [(pending.event, encoded.json().len())]);
                Now::Done(Ok(first))
            }
        }
    }

    /// Gives ids, persists, publishes, answers; returns the first id.
    async fn write(self: Arc<Self>, batch: Vec<Pending>) -> Result<EventId> {
        if let Err(error) = self.catch_up().await {
            return Err(fail(batch, error));
        }
        let mut batch = self.refuse_answered(batch)?;
        let first = EventId(self.hub.next());
        if batch.is_empty() {
            return Ok(first);
        }
        let mut head = self.chain.as_ref().and_then(Chain::head);
        let mut encoded = Vec::with_capacity(batch.len());
        for (pending, id) in batch.iter_mut().zip(first.0..=u64::MAX) {
            match self.seal(pending, EventId(id), &mut head) {
                Ok(event) => encoded.push(event),
                Err(error) => return Err(fail(batch, error)),
            }
        }
        self.commit(Sealed {
            first,
            head,
            batch,
            encoded,
        })
        .await
    }

    /// Gives an event its id and its place in the chain.
    fn seal(
        &self,
        pending: &mut Pending,
        id: EventId,
        head: &mut Option<AuditHead>,
    ) -> Result<Encoded> {
        pending.set_id(id);
        let mut json = std::mem::take(&mut pending.json);
        if let Some(chain) = &self.chain {
            *head = Some(chain.seal(*head, id, &mut json));
        }
        Encoded::new(id, json)
    }

    /// Persists, publishes, answers.
    async fn commit(self: Arc<Self>, sealed: Sealed) -> Result<EventId> {
        let Sealed {
            first,
            head,
            batch,
            encoded,
        } = sealed;
        if let Err(error) = self.log.append(first, self.log.epoch(), &encoded).await {
            return Err(fail(batch, error));
        }
        let events = batch.iter().zip(&encoded);
        let events = events.map(|(pending, json)| (Arc::clone(&pending.event), json.json().len()));
        self.publish(head, events);
        for (pending, id) in batch.into_iter().zip(first.0..=u64::MAX) {
            if let Some(done) = pending.done {
                let _ = done.send(Ok(EventId(id)));
            }
        }
        Ok(first)
    }

    /// Shows what is in the log now.
    fn publish(
        self: &Arc<Self>,
        head: Option<AuditHead>,
        events: impl IntoIterator<Item = (Arc<Event>, usize)>,
    ) {
        if let Some(chain) = &self.chain {
            chain.advance(head);
        }
        self.hub.publish(events);
        self.save_snapshot_if_due();
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
            // Only closing waits, and it says so first.
            if queue.closed {
                self.core.idle.notify_waiters();
            }
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
            self.core.note_interrupted();
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

//! The handle on a stream.

use std::sync::Arc;

use oh_core::secret::{Masker, Secret};
use oh_core::{
    CaptureLimit, Draft, Error, ErrorKind, Event, EventBody, EventId, Observation, Result,
    SessionId, Source,
};

use crate::audit::{self, Audit, AuditHead, AuditReport};
use crate::fold::SessionState;
use crate::store::blob::BlobStore;
use crate::store::{Durability, EventStore, OpenReport};
use crate::trajectory::{Export, ExportOptions};

use super::answers::answer_to;
use super::append::Core;
use super::builder::EventStreamBuilder;
use super::claim::Claim;
use super::delta::{Delta, DeltaHub, DeltaSubscription};
use super::events::Events;
use super::lossy::LossySubscription;
use super::query::Query;
use super::recovery::Recovered;
use super::secrets::OutputMasker;
use super::sink::OutputSink;
use super::subscription::{Cursor, Subscription};

/// The event log of one session: its one writer, and whoever follows it. Cheap to clone.
///
/// Ids are dense from 0. Each event gets its id, is masked, is written, and is then published, in
/// the order of the ids; an append that failed uses up no id.
///
/// The log is held until [`close`](Self::close) returns. Dropping the last handle lets go of it as
/// well, as soon as what goes on in the background is done: an append whose caller gave up, a
/// snapshot.
#[derive(Clone, Debug)]
pub struct EventStream {
    core: Arc<Core>,
    deltas: Arc<Deltas>,
    origin: Arc<Origin>,
}

/// Where the log is kept, and how: what a fork takes over. And what it was like at opening.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) durability: Durability,
    pub(super) found: SessionState,
    pub(super) recovered: Recovered,
}

/// Ends the followers of live fragments with the last handle.
#[derive(Debug)]
struct Deltas(Arc<DeltaHub>);

impl Drop for Deltas {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl EventStream {
    /// Starts to describe the stream of a session in a store.
    pub fn builder(store: impl EventStore + 'static, session: SessionId) -> EventStreamBuilder {
        EventStreamBuilder::new(Arc::new(store), session)
    }

    pub(super) fn new(core: Arc<Core>, deltas: DeltaHub, origin: Origin) -> Self {
        Self {
            core,
            deltas: Arc::new(Deltas(Arc::new(deltas))),
            origin: Arc::new(origin),
        }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The session.
    pub fn session(&self) -> &SessionId {
        &self.core.session
    }

    /// What was found when the log was opened.
    pub fn report(&self) -> &OpenReport {
        self.core.log.report()
    }

    /// What the log folded to when it was opened, before anything was appended to it.
    pub fn found(&self) -> &SessionState {
        &self.origin.found
    }

    /// What became, at opening, of the actions that earlier runs left open.
    pub fn recovered(&self) -> &Recovered {
        &self.origin.recovered
    }

    /// Id of the event that is published next.
    pub fn next(&self) -> EventId {
        EventId(self.core.hub.next())
    }

    /// What was published so far, folded. A copy: a small one, unless many actions are open.
    pub fn session_state(&self) -> SessionState {
        self.core.hub.session()
    }

    /// Whether an action expects an observation and has none.
    pub fn is_open(&self, action: EventId) -> bool {
        self.core.hub.is_open(action)
    }

    /// Appends an event; see [`append_draft`](Self::append_draft).
    ///
    /// # Errors
    /// As for [`append_draft`](Self::append_draft).
    ///
    /// # Cancel safety
    /// As for [`append_draft`](Self::append_draft).
    pub async fn append(
        &self,
        source: Source,
        body: impl Into<EventBody> + Send,
    ) -> Result<EventId> {
        self.append_draft(Draft::new(source, body)).await
    }

    /// Appends what answers an action. Where the action event is at hand,
    /// [`Draft::reply_to`] names its tool call as well.
    ///
    /// # Errors
    /// As for [`append_draft`](Self::append_draft).
    ///
    /// # Cancel safety
    /// As for [`append_draft`](Self::append_draft).
    pub async fn reply(
        &self,
        cause: EventId,
        observation: impl Into<Observation> + Send,
    ) -> Result<EventId> {
        let draft = Draft::new(Source::Environment, observation.into()).cause(cause);
        self.append_draft(draft).await
    }

    /// Appends an event and returns its id when the [`Durability`](crate::Durability) is met and
    /// the event is published.
    ///
    /// Unless every event is synced, this is one write to the page cache in the caller's thread.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) after [`close`](Self::close);
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a cause that is no event yet, and for the
    /// confirmation of what is no action;
    /// [`Conflict`](ErrorKind::Conflict) for an agent state that the present one does not lead to,
    /// and, with [`Answered`](crate::Answered) as source, for a second observation of an action
    /// that ends with one ([`Action::expects_observation`](oh_core::Action::expects_observation)),
    /// and for one of what is not open and not in the log any more;
    /// [`TooLarge`](ErrorKind::TooLarge); [`NoSpace`](ErrorKind::NoSpace) and the other kinds of
    /// the store. After an error the event is not in the log and its id goes to the next, but for
    /// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown): whether it is there is seen when the stream
    /// is opened again, and until then this one may refuse to append.
    ///
    /// # Cancel safety
    /// A dropped call appends the event or does not, as a whole.
    pub async fn append_draft(&self, draft: Draft) -> Result<EventId> {
        match &draft.body {
            EventBody::Observation(Observation::AgentStateChanged(_)) => {
                self.append_state(draft).await
            }
            _ => self.core.append(draft).await,
        }
    }

    /// Follows the log from a place: the past first, then what is published.
    pub fn subscribe(&self, from: Cursor) -> Subscription {
        Subscription::live(&self.core.hub, from)
    }

    /// Follows the log from a place without ever reading the store: what has left memory is
    /// missed, and a record says so.
    pub fn subscribe_lossy(&self, from: Cursor) -> LossySubscription {
        LossySubscription::new(&self.core.hub, from)
    }

    /// Reads what was published, page by page.
    pub fn events(&self, query: Query) -> Events {
        Events::new(Arc::clone(&self.core.hub.reader), query, self.next())
    }

    /// Reads what was published into memory.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) at the first event that cannot be read;
    /// [`events`](Self::events) goes on behind it.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn read(&self, query: Query) -> Result<Vec<Arc<Event>>> {
        self.events(query).collect().await
    }

    /// The last chained event and its value, to be kept where the log's writers cannot reach it;
    /// `None` if the log is not chained, or not yet.
    pub fn audit_head(&self) -> Option<AuditHead> {
        self.core.chain.as_ref()?.head()
    }

    /// Walks what was published along its chain; see
    /// [`EventViewer::verify`](crate::EventViewer::verify).
    ///
    /// # Errors
    /// The kinds of the store.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn verify(&self, audit: &Audit, kept: Option<&AuditHead>) -> Result<AuditReport> {
        audit::verify(self.core.hub.reader.as_ref(), self.next(), audit, kept).await
    }

    /// Writes what was published as a file of OpenHands, masked with the secrets that are known
    /// when an event leaves.
    pub fn export(&self, query: Query, options: ExportOptions) -> Export {
        let secrets = Arc::clone(&self.core.secrets);
        Export::new(self.events(query), move || secrets.masker(), options)
    }

    /// Waits for the observation whose cause is this action; it may be there already. For what
    /// gets none, a message for example, it waits until the stream ends.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if the stream ends without one; those of a [`Subscription`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn reply_to(&self, action: EventId) -> Result<Arc<Event>> {
        let replies = self.subscribe(Cursor::From(action.next()));
        let mut replies = replies.filter(answer_to(action));
        match replies.next().await {
            Some(reply) => reply,
            None => Err(Error::new(ErrorKind::Gone, "wait for reply")
                .with_object(action.to_string())
                .with_detail("the stream was closed before the action was answered")),
        }
    }

    /// Shows a live fragment to whoever follows; it is not kept. It must be masked already.
    pub fn publish_delta(&self, delta: Delta) {
        self.deltas.0.publish(delta);
    }

    /// Follows live fragments from now on.
    pub fn deltas(&self) -> DeltaSubscription {
        DeltaSubscription::new(&self.deltas.0)
    }

    /// The secrets that are masked at present.
    pub fn masker(&self) -> Masker {
        self.core.secrets.masker()
    }

    /// Replaces the secrets for what is appended from now on. Those that are not among the new
    /// ones are not masked any more; output that is running keeps masking them.
    pub fn set_masker(&self, masker: Masker) {
        self.core.secrets.replace(masker);
    }

    /// Masks one more secret from now on, also in output that is running. A name that is known
    /// keeps its former value masked too.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a secret of less than four bytes.
    pub fn add_secret(&self, name: impl AsRef<str>, secret: Secret) -> Result<()> {
        self.core.secrets.add(name.as_ref(), secret)
    }

    /// Starts masking a stream of output, for a host that does without an [`OutputSink`].
    pub fn output_masker(&self) -> OutputMasker {
        OutputMasker::new(&self.core.secrets)
    }

    /// Starts to take the output of the command that an action runs. `limit` is what the
    /// observation will hold of each stream.
    pub fn output_sink(&self, action: EventId, limit: CaptureLimit) -> OutputSink {
        OutputSink::new(
            action,
            limit,
            Arc::clone(&self.deltas.0),
            self.blobs(),
            Arc::clone(&self.core.secrets),
        )
    }

    /// The large contents of the session, or `None` if the store has no place for them.
    pub fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        self.core.log.blobs()
    }

    /// Takes a role on this stream that only one part of the host may play, until the claim is
    /// dropped.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if the role is taken.
    pub fn claim(&self, role: &str) -> Result<Claim> {
        Claim::take(&self.core.roles, role).ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "claim role")
                .with_object(role)
                .with_detail("another part of this program plays it on this stream")
        })
    }

    /// Writes to disk all that was appended before; every id before the returned one is on disk.
    ///
    /// # Errors
    /// The kinds of the store.
    ///
    /// # Cancel safety
    /// A dropped call may have written to disk.
    pub async fn flush(&self) -> Result<EventId> {
        self.core.log.sync().await
    }

    /// Writes what was appended, releases the log, and ends subscriptions after the last event.
    /// Reading goes on to work; appending answers [`Gone`](ErrorKind::Gone).
    ///
    /// # Errors
    /// The kinds of the store; the log is released all the same.
    ///
    /// # Cancel safety
    /// A dropped call leaves the stream closed for appending; calling again is safe.
    pub async fn close(&self) -> Result<()> {
        self.core.close().await;
        self.core.save_last_snapshot().await;
        let closed = self.core.log.close().await;
        self.core.hub.close();
        self.deltas.0.close();
        closed
    }
}

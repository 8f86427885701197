//! Opening a stream.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use oh_core::secret::Masker;
use oh_core::{Result, SessionId, Timestamp};

use crate::audit::{Audit, Chain};
use crate::clock;
use crate::fold::{Loaded, load};
use crate::store::{Durability, EventStore, Writer};

use super::append::{Core, Parts};
use super::delta::DeltaHub;
use super::event_stream::{EventStream, Origin};
use super::hub::Hub;
use super::recovery::Recovery;
use super::ring::Ring;
use super::secrets::Secrets;
use super::snapshots::Snapshots;

pub(super) type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Options of an [`EventStream`].
#[must_use = "a stream is opened by `open`"]
pub struct EventStreamBuilder {
    store: Arc<dyn EventStore>,
    session: SessionId,
    /// Whose snapshot may stand beside the log.
    folded_as: Option<SessionId>,
    name: String,
    masker: Masker,
    clock: Clock,
    audit: Option<Audit>,
    durability: Durability,
    ring_events: usize,
    ring_bytes: usize,
    delta_bytes: usize,
    snapshot_events: u64,
    snapshot_interval: Duration,
    recovery: Recovery,
}

impl EventStreamBuilder {
    pub(super) fn new(store: Arc<dyn EventStore>, session: SessionId) -> Self {
        Self {
            store,
            session,
            folded_as: None,
            name: "event stream".to_owned(),
            masker: Masker::default(),
            clock: Box::new(clock::now),
            audit: None,
            durability: Durability::default(),
            ring_events: 1024,
            ring_bytes: 8 * 1024 * 1024,
            delta_bytes: 4 * 1024 * 1024,
            snapshot_events: 1024,
            snapshot_interval: Duration::from_millis(250),
            recovery: Recovery::default(),
        }
    }

    /// Takes a snapshot of the session that the log was forked from, too.
    pub(super) fn folded_as(mut self, parent: SessionId) -> Self {
        self.folded_as = Some(parent);
        self
    }

    /// Names the writer, for whoever finds the log taken.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the secrets that are masked from the start; none by default.
    ///
    /// Events are masked before anyone sees them, actions too: a command that spells a secret out
    /// has the mask in its place, and an executor refuses it. Commands get secrets by their
    /// environment.
    pub fn masker(mut self, masker: Masker) -> Self {
        self.masker = masker;
        self
    }

    /// Sets the clock; the system's by default.
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Chains the events from the next one on; see [`Audit`]. A log that is chained without a key
    /// goes on so in any case; one that is chained with a key is opened with that key only.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Sets when an append returns; see [`Durability::default`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how many of the latest events stay in memory for followers; 1024 by default.
    pub fn ring_events(mut self, events: usize) -> Self {
        self.ring_events = events;
        self
    }

    /// Sets how many bytes of JSON the events in memory may have; 8 MiB by default. The latest
    /// event stays in any case.
    pub fn ring_bytes(mut self, bytes: usize) -> Self {
        self.ring_bytes = bytes;
        self
    }

    /// Sets how many bytes of live fragments wait for slow followers; 4 MiB by default.
    pub fn delta_bytes(mut self, bytes: usize) -> Self {
        self.delta_bytes = bytes;
        self
    }

    /// Sets after how many events the fold is saved in the background
    /// ([`SessionState`](crate::SessionState)); 1024 by default. Closing saves it too.
    ///
    /// Opening folds what came after the snapshot: at most about this many events, or those of the
    /// [`snapshot_interval`](Self::snapshot_interval) if they are more, and none after a stream
    /// that was closed. It is a cache: without one, opening reads the whole log.
    pub fn snapshot_events(mut self, events: u64) -> Self {
        self.snapshot_events = events;
        self
    }

    /// Sets the shortest time between two snapshots that are saved in the background; 250 ms by
    /// default.
    pub fn snapshot_interval(mut self, interval: Duration) -> Self {
        self.snapshot_interval = interval;
        self
    }

    /// Sets what becomes of actions that an earlier run left open; by default
    /// [`Recovery::Close`].
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Opens the log, or creates it, and becomes its one writer. Before it returns, it deals with
    /// the actions that an earlier run left open: see [`Recovery`], and
    /// [`EventStream::recovered`] for what was done. If that is cut short, the next opening goes
    /// on with it.
    ///
    /// # Errors
    /// [`Conflict`](oh_core::ErrorKind::Conflict) if another writer holds the log;
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) if the log is chained and the key is
    /// missing or needless, [`Corrupt`](oh_core::ErrorKind::Corrupt) if it is another one or the
    /// last event of a log with a key was changed; the kinds of the store, also if what was left
    /// open could not be closed; those of an [`ActionLookup`](crate::ActionLookup).
    ///
    /// # Cancel safety
    /// A dropped call leaves the log closed, possibly created.
    pub async fn open(self) -> Result<EventStream> {
        let writer = Writer::new(self.name).durability(self.durability);
        let log = self.store.open(&self.session, writer).await?;
        let (reader, next) = (log.reader(), log.next());
        let chain = Chain::open(&reader, next, &self.session, self.audit).await?;
        let folded_as = self.folded_as.as_ref().unwrap_or(&self.session);
        let Loaded { state, saved } = load(&reader, folded_as, next).await?;
        let ring = Ring::new(next.0, self.ring_events, self.ring_bytes);
        let core = Core::new(Parts {
            session: self.session,
            hub: Hub::new(reader, ring, state.clone()),
            log,
            secrets: Secrets::new(self.masker),
            snapshots: Snapshots::new(self.snapshot_events, self.snapshot_interval, saved),
            chain,
            clock: self.clock,
            durability: self.durability,
        });
        let core = Arc::new(core);
        let recovered = core.recover(&state, &self.recovery).await?;
        let origin = Origin {
            store: self.store,
            durability: self.durability,
            found: state,
            recovered,
        };
        let deltas = DeltaHub::new(self.delta_bytes);
        Ok(EventStream::new(core, deltas, origin))
    }
}

impl fmt::Debug for EventStreamBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStreamBuilder")
            .field("store", &self.store)
            .field("session", &self.session)
            .field("name", &self.name)
            .field("masker", &self.masker)
            .field("durability", &self.durability)
            .field("recovery", &self.recovery)
            .finish_non_exhaustive()
    }
}

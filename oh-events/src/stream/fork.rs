//! Beginning a session with the past of another one.

use std::fmt;
use std::sync::Arc;

use oh_core::secret::Masker;
use oh_core::{Draft, Error, EventId, Result, SessionId, Source};

use crate::audit::Audit;
use crate::store::{Durability, EventStore};

use super::builder::EventStreamBuilder;
use super::copy;
use super::event_stream::EventStream;
use super::lineage::Lineage;

const OPERATION: &str = "fork session";

type Configure = Box<dyn FnOnce(EventStreamBuilder) -> EventStreamBuilder + Send>;

/// Options of a session that begins with the events and large contents that another one holds
/// before an id. The other one may have a writer, and does not notice.
///
/// The fork keeps what its parent promises: it masks the parent's secrets, is as durable, and goes
/// on with the [chain](Audit) of an audited log. Each can be made stricter, not laxer. The past
/// itself stays as it was written: further secrets are
/// masked in what the fork appends.
///
/// Actions that are open in the past are open in the fork too, and are closed as after a crash.
/// The first event that the fork appends of its own accord notes its [`Lineage`].
#[must_use = "a fork is made by `open`"]
pub struct ForkBuilder {
    from: Arc<dyn EventStore>,
    parent: SessionId,
    at: EventId,
    session: SessionId,
    target: Option<Arc<dyn EventStore>>,
    /// Where the published part of the parent ends, if that is known.
    published: Option<EventId>,
    /// What the parent masks.
    masker: Masker,
    more: Masker,
    /// What the parent promises.
    least: Option<Durability>,
    /// How the parent is chained.
    audit: Option<Audit>,
    durability: Option<Durability>,
    configure: Configure,
}

impl ForkBuilder {
    /// Starts to describe a fork of a session that a store holds, whether or not someone writes
    /// it: `session` gets what `parent` holds before `at`.
    ///
    /// The secrets of the parent are not in its log: give them to [`masker`](Self::masker), and the
    /// key of an audited log to [`configure`](Self::configure).
    pub fn new(
        store: impl EventStore + 'static,
        parent: SessionId,
        at: EventId,
        session: SessionId,
    ) -> Self {
        Self::of(Arc::new(store), parent, at, session)
    }

    pub(super) fn of(
        from: Arc<dyn EventStore>,
        parent: SessionId,
        at: EventId,
        session: SessionId,
    ) -> Self {
        Self {
            from,
            parent,
            at,
            session,
            target: None,
            published: None,
            masker: Masker::default(),
            more: Masker::default(),
            least: None,
            audit: None,
            durability: None,
            configure: Box::new(|builder| builder),
        }
    }

    /// Puts the fork into another store: events and large contents are copied there. The latter
    /// get other names, so that a past that is chained and names some cannot be copied.
    ///
    /// A store that cannot give a session another name at once is written to under the name of
    /// the fork: a process that dies meanwhile leaves a part, to be removed with
    /// [`EventStore::remove`]. Where it can, such a part has a name of its own, which begins with
    /// that of the fork.
    pub fn store(mut self, store: impl EventStore + 'static) -> Self {
        self.target = Some(Arc::new(store));
        self
    }

    /// Sets further secrets to mask, beside those of the parent.
    pub fn masker(mut self, masker: Masker) -> Self {
        self.more = masker;
        self
    }

    /// Sets when an append to the fork returns; as for the parent by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Sets other options of the stream that [`open`](Self::open) returns. Its masker and
    /// durability are those of this builder, and its chain is that of a parent that has one.
    pub fn configure(
        mut self,
        configure: impl FnOnce(EventStreamBuilder) -> EventStreamBuilder + Send + 'static,
    ) -> Self {
        self.configure = Box::new(configure);
        self
    }

    /// Makes the fork and becomes its one writer.
    ///
    /// # Errors
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) if the parent ends before `at`, or for a
    /// durability that is weaker than the parent's;
    /// [`AlreadyExists`](oh_core::ErrorKind::AlreadyExists) if there is a session of that name;
    /// [`NotFound`](oh_core::ErrorKind::NotFound) if there is no parent;
    /// [`Corrupt`](oh_core::ErrorKind::Corrupt) with a [`Damage`](crate::Damage) as source if the past is
    /// damaged, [`Gone`](oh_core::ErrorKind::Gone) with a [`Dropped`](crate::Dropped) if the parent does
    /// not hold it any more; [`Unsupported`](oh_core::ErrorKind::Unsupported) where the past cannot
    /// be copied to another store; the kinds of the stores. After an error of the fork itself there is
    /// no such session; after one of opening it, it can be opened as any other.
    ///
    /// # Cancel safety
    /// A dropped call leaves no session or a whole one, perhaps without the note of its lineage;
    /// for other stores see [`store`](Self::store).
    pub async fn open(self) -> Result<EventStream> {
        let durability = self.kept_durability()?;
        if let Some(next) = self.published.filter(|next| self.at > *next) {
            let detail = format!("it ends before {}: its next event is {next}", self.at);
            return Err(Error::invalid(OPERATION, detail).with_object(self.parent.as_str()));
        }
        let masker = self.masker.merge(&self.more)?;
        let store = match &self.target {
            None if self.from.fork(&self.parent, self.at, &self.session).await? => {
                Arc::clone(&self.from)
            }
            target => {
                let target = target.as_ref().unwrap_or(&self.from);
                let source = self.from.view(&self.parent).await?;
                let past = copy::Past::new(source, &self.parent, self.at)?;
                past.put(target, &self.session, durability).await?;
                Arc::clone(target)
            }
        };
        let builder = EventStreamBuilder::new(store, self.session);
        let builder = (self.configure)(builder)
            .masker(masker)
            .durability(durability)
            .folded_as(self.parent.clone());
        let builder = match self.audit {
            Some(audit) => builder.audit(audit),
            None => builder,
        };
        let stream = builder.open().await?;
        let note = Lineage::new(self.parent, self.at).note();
        stream
            .append_draft(Draft::new(Source::Environment, note))
            .await?;
        Ok(stream)
    }

    fn kept_durability(&self) -> Result<Durability> {
        let wanted = self.durability.or(self.least).unwrap_or_default();
        match self.least {
            Some(least) if is_weaker(wanted, least) => Err(Error::invalid(
                OPERATION,
                format!(
                    "{wanted:?} is weaker than the durability of the parent, {least:?}; a fork \
                     keeps that or gets a stronger one"
                ),
            )
            .with_object(self.session.as_str())),
            _ => Ok(wanted),
        }
    }
}

/// Whether a loss of power can take more with one policy than with another.
fn is_weaker(one: Durability, other: Durability) -> bool {
    match (one, other) {
        (Durability::Interval(one), Durability::Interval(other)) => one > other,
        _ => rank(one) < rank(other),
    }
}

fn rank(durability: Durability) -> u8 {
    match durability {
        Durability::Never => 0,
        Durability::Interval(_) => 1,
        // What was acknowledged is on disk with both.
        Durability::Group | Durability::Each => 2,
    }
}

impl fmt::Debug for ForkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForkBuilder")
            .field("parent", &self.parent)
            .field("at", &self.at)
            .field("session", &self.session)
            .field("masker", &self.masker)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

impl EventStream {
    /// Starts to describe a session that begins with what this one published before an id, with
    /// the same secrets, durability, chain and store unless told otherwise.
    ///
    /// ```
    /// # use oh_core::action::MessageAction;
    /// # use oh_core::{EventId, SessionId, Source};
    /// # use oh_events::{EventStream, Lineage, MemoryStore, Query};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> oh_core::Result<()> {
    /// # let store = MemoryStore::new();
    /// # let stream = EventStream::builder(store, SessionId::new("demo")?).open().await?;
    /// for text in ["one", "two", "three"] {
    ///     stream.append(Source::User, MessageAction::new(text)).await?;
    /// }
    /// // Events 0 and 1, and then a way of its own. Event 2 says where the past comes from.
    /// let fork = stream.fork(EventId(2), SessionId::new("another-way")?).open().await?;
    /// let events = fork.read(Query::default()).await?;
    /// assert_eq!(events.len(), 3);
    /// assert!(Lineage::of(&events[2]).is_some_and(|parent| parent.at == EventId(2)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn fork(&self, at: EventId, session: SessionId) -> ForkBuilder {
        let origin = self.origin();
        let mut fork = ForkBuilder::of(
            Arc::clone(&origin.store),
            self.session().clone(),
            at,
            session,
        );
        fork.published = Some(self.next());
        fork.masker = self.masker();
        fork.least = Some(origin.durability);
        fork.audit = self
            .core()
            .chain
            .as_ref()
            .map(|chain| chain.audit().clone());
        fork
    }
}

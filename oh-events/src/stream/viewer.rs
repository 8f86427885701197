//! Looking at a log without writing it.

use std::sync::Arc;

use oh_core::secret::Masker;
use oh_core::{Event, EventId, Result, SessionId};

use crate::audit::{self, Audit, AuditHead, AuditReport};
use crate::fold::{SessionState, load};
use crate::store::blob::BlobStore;
use crate::store::{EventReader, EventStore};
use crate::trajectory::{Export, ExportOptions};

use super::events::Events;
use super::query::Query;
use super::subscription::{Cursor, Subscription};

/// Reads and follows the log of a session, whether or not someone writes it: in this process or
/// in another. Cheap to clone.
///
/// Beside an [`EventStream`](crate::EventStream) of the same process its own subscriptions are the
/// better ones. A viewer sees an event when it is written, which can be a moment before the
/// writer's durability is met; where a batch of the writer meets a full disk, it can have seen an
/// event that is taken back.
#[derive(Clone, Debug)]
pub struct EventViewer {
    reader: Arc<dyn EventReader>,
    session: SessionId,
}

impl EventViewer {
    /// Opens the log of a session for reading.
    ///
    /// # Errors
    /// [`NotFound`](oh_core::ErrorKind::NotFound) if there is none; the kinds of the store.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn open(store: &dyn EventStore, session: &SessionId) -> Result<Self> {
        let reader = store.view(session).await?;
        let session = session.clone();
        Ok(Self { reader, session })
    }

    /// Id after the newest event that was seen.
    pub fn next(&self) -> EventId {
        self.reader.next()
    }

    /// Folds what is there: what came after the snapshot of the writer, or all of it if there is
    /// none that fits. Events that cannot be read are passed over and counted.
    ///
    /// # Errors
    /// The kinds of the store.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn session_state(&self) -> Result<SessionState> {
        let loaded = load(&self.reader, &self.session, self.next()).await?;
        Ok(loaded.state)
    }

    /// Follows the log from a place. The subscription never ends, as another writer can come;
    /// [`to`](Subscription::to) with [`next`](Self::next) ends it where the log ends now.
    ///
    /// Where the store cannot follow ([`EventReader::wait_past`]), it yields an error of kind
    /// [`Unsupported`](oh_core::ErrorKind::Unsupported) each time, whatever the log holds:
    /// [`events`](Self::events) reads what is there.
    pub fn subscribe(&self, from: Cursor) -> Subscription {
        Subscription::view(Arc::clone(&self.reader), from)
    }

    /// Reads what is there, page by page.
    pub fn events(&self, query: Query) -> Events {
        Events::new(Arc::clone(&self.reader), query, self.next())
    }

    /// Reads what is there into memory.
    ///
    /// # Errors
    /// [`Corrupt`](oh_core::ErrorKind::Corrupt) at the first event that cannot be read;
    /// [`events`](Self::events) goes on behind it.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn read(&self, query: Query) -> Result<Vec<Arc<Event>>> {
        self.events(query).collect().await
    }

    /// Walks the log along its chain, from the oldest event to the newest. Give the key that it was
    /// chained with, and a head that was kept elsewhere to see also whether the end was cut off
    /// or the whole chain made anew.
    ///
    /// A chain that breaks is no error: the report says where. A log without any chain breaks
    /// none, so look at [`AuditReport::from`] too.
    ///
    /// ```
    /// # use oh_core::action::MessageAction;
    /// # use oh_core::{EventId, SessionId, Source};
    /// # use oh_events::{Audit, EventStream, EventViewer, MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> oh_core::Result<()> {
    /// # let (store, session) = (MemoryStore::new(), SessionId::new("demo")?);
    /// let stream = EventStream::builder(store.clone(), session.clone())
    ///     .audit(Audit::new())
    ///     .open()
    ///     .await?;
    /// stream.append(Source::User, MessageAction::new("hello")).await?;
    /// let kept = stream.audit_head(); // where the log's writers cannot reach it
    /// stream.close().await?;
    ///
    /// let viewer = EventViewer::open(&store, &session).await?;
    /// let report = viewer.verify(&Audit::new(), kept.as_ref()).await?;
    /// assert!(report.broken.is_none() && report.from == Some(EventId(0)), "{report:?}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The kinds of the store.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn verify(&self, audit: &Audit, kept: Option<&AuditHead>) -> Result<AuditReport> {
        audit::verify(self.reader.as_ref(), self.next(), audit, kept).await
    }

    /// Writes what is there as a file of OpenHands, masked with these secrets: a viewer knows none
    /// by itself.
    pub fn export(&self, query: Query, masker: Masker, options: ExportOptions) -> Export {
        Export::new(self.events(query), move || masker.clone(), options)
    }

    /// The large contents of the session, or `None` if the store has none.
    pub fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        self.reader.blobs()
    }
}

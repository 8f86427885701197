//! Reads the log of one session, beside its writer or on another machine.

use std::sync::Arc;

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result};

use crate::store::blob::BlobStore;
use crate::store::{Encoded, EventReader, ReadRange, Snapshot};

use super::blobs::NatsBlobs;
use super::follow::Follower;
use super::pages::Pages;
use super::snapshot::Snapshots;

#[derive(Debug)]
pub(super) struct NatsReader {
    pub(super) pages: Pages,
    pub(super) snapshots: Snapshots,
    pub(super) blobs: NatsBlobs,
    pub(super) follower: Follower,
}

impl NatsReader {
    /// Asks the server how far the log goes.
    pub(super) async fn look(&self) -> Result<()> {
        let pages = &self.pages;
        match pages.last().await? {
            Some((heading, sequence)) => {
                pages.place.reach(heading.next(), sequence);
                Ok(())
            }
            None if pages.server.info(&pages.stream).await?.is_some() => Ok(()),
            None => {
                pages.place.remove();
                Err(self.removed())
            }
        }
    }

    fn removed(&self) -> Error {
        Error::new(ErrorKind::Gone, "read event log")
            .with_object(self.pages.stream.as_str())
            .with_detail("the session was removed")
    }
}

#[async_trait]
impl EventReader for NatsReader {
    fn next(&self) -> EventId {
        EventId(self.pages.place.end().next)
    }

    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>> {
        let end = self.pages.place.end();
        if end.removed {
            return Err(self.removed());
        }
        if range.to.0 > end.next && !end.written_here {
            self.look().await?;
        }
        self.pages.read(&range, self.pages.place.end()).await
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        self.snapshots.load().await
    }

    async fn wait_past(&self, known: EventId) -> Result<EventId> {
        let mut changes = self.pages.place.watch();
        loop {
            let end = *changes.borrow_and_update();
            if end.next > known.0 {
                return Ok(EventId(end.next));
            }
            if end.removed {
                return Err(self.removed());
            }
            if !end.written_here {
                self.follower.start(&self.pages)?;
            }
            if changes.changed().await.is_err() {
                return Err(self.removed());
            }
        }
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(self.blobs.clone()))
    }
}

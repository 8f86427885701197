//! Reads the log of one session.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result};

use crate::store::blob::BlobStore;
use crate::store::{Encoded, EventReader, ReadRange, Snapshot};

use super::blob::ObjectBlobs;
use super::shared::Shared;
use super::{page, snapshot};

#[derive(Debug)]
pub(super) struct ObjectReader {
    shared: Arc<Shared>,
    /// How often to look for events of other processes; `None` beside the writer.
    look_every: Option<Duration>,
}

impl ObjectReader {
    pub(super) fn new(shared: Arc<Shared>, look_every: Option<Duration>) -> Self {
        Self { shared, look_every }
    }
}

#[async_trait]
impl EventReader for ObjectReader {
    fn next(&self) -> EventId {
        EventId(self.shared.next())
    }

    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>> {
        page::read(&self.shared, range).await
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        snapshot::load(&self.shared).await
    }

    async fn wait_past(&self, known: EventId) -> Result<EventId> {
        let mut arrivals = self.shared.arrivals();
        loop {
            let next = self.next();
            if next > known {
                return Ok(next);
            }
            let arrival = async { arrivals.wait_for(|next| *next > known.0).await.map(drop) };
            let arrived = match self.look_every {
                None => Some(arrival.await),
                Some(pause) => tokio::time::timeout(pause, arrival).await.ok(),
            };
            match arrived {
                Some(arrived) => {
                    arrived.map_err(|_| Error::new(ErrorKind::Gone, "follow event log"))?;
                }
                None => {
                    self.shared.look().await?;
                }
            }
        }
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(ObjectBlobs::reader(Arc::clone(&self.shared))))
    }
}

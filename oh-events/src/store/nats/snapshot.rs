//! The snapshot of a session, in as many messages as it needs.

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use bytes::BytesMut;
use oh_core::{Error, ErrorKind, EventId, Result};

use crate::store::Snapshot;

use super::server::{Published, Server};

const NEXT: &str = "Oh-Next";
const PARTS: &str = "Oh-Parts";
const SAVED: &str = "Oh-Saved";

/// How often a snapshot is read that is replaced meanwhile.
const ATTEMPTS: usize = 3;

/// Keeps the last snapshot: one subject per part, of which the stream holds the last message.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    pub(super) server: Server,
    pub(super) stream: String,
    /// Comes before the number of a part.
    pub(super) subject: String,
}

impl Snapshots {
    pub(super) async fn save(&self, snapshot: &Snapshot) -> Result<()> {
        if snapshot.data.len() > Snapshot::MAX_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, "save snapshot")
                .with_detail("a snapshot is at most 16 MiB"));
        }
        let part_bytes = self.server.max_payload();
        let parts = snapshot.data.len().div_ceil(part_bytes).max(1);
        let saved = self.server.unique();
        // The first part last: who finds it finds the others.
        for part in (0..parts).rev() {
            let start = part * part_bytes;
            let end = snapshot.data.len().min(start + part_bytes);
            let message = PublishMessage::build()
                .payload(snapshot.data.slice(start..end))
                .message_id(format!("{saved}.{part}"))
                .header(NEXT, snapshot.next.to_string().as_str())
                .header(PARTS, parts.to_string().as_str())
                .header(SAVED, saved.as_str());
            let subject = format!("{}.{part}", self.subject);
            let published = self
                .server
                .publish(&subject, &self.stream, &subject, message)
                .await?;
            if !matches!(published, Published::Stored(_)) {
                return Err(Error::new(ErrorKind::Gone, "save snapshot")
                    .with_object(self.subject.as_str())
                    .with_detail("the store's stream of sessions is gone"));
            }
        }
        Ok(())
    }

    pub(super) async fn load(&self) -> Result<Option<Snapshot>> {
        for _ in 0..ATTEMPTS {
            let Some(first) = self.part(0).await? else {
                return Ok(None);
            };
            if let Some(snapshot) = self.rest(first).await? {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    async fn part(&self, part: usize) -> Result<Option<StreamMessage>> {
        let subject = format!("{}.{part}", self.subject);
        self.server.last(&self.stream, &subject).await
    }

    /// The snapshot that a first part begins; `None` if its parts are not together.
    async fn rest(&self, first: StreamMessage) -> Result<Option<Snapshot>> {
        let header = |message: &StreamMessage, name| {
            let value = message.headers.get(name)?;
            Some(value.as_str().to_owned())
        };
        let number = |name| header(&first, name)?.parse::<u64>().ok();
        let (Some(next), Some(parts)) = (number(NEXT), number(PARTS)) else {
            return Ok(None);
        };
        let parts = usize::try_from(parts).unwrap_or(usize::MAX);
        let mut data = BytesMut::from(first.payload.as_ref());
        for part in 1..parts {
            let Some(message) = self.part(part).await? else {
                return Ok(None);
            };
            if header(&message, SAVED) != header(&first, SAVED) {
                return Ok(None);
            }
            data.extend_from_slice(&message.payload);
        }
        Ok(Some(Snapshot::new(EventId(next), data.freeze())))
    }
}

//! Large contents of a session, in a stream of their own.

use std::collections::VecDeque;
use std::sync::Arc;

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::Config;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use oh_core::event::BlobRef;
use oh_core::{ByteRange, Error, ErrorKind, Result};
use tokio::sync::OnceCell;

use crate::hex;
use crate::store::blob::{BlobStore, BlobWriter, Room, check_read};

use super::server::{Published, Server};

const OFFSET: &str = "Oh-Offset";

/// Largest number of bytes of a piece.
const PIECE_BYTES: usize = 256 * 1024;

/// Number of pieces that are asked for at once.
const WINDOW: u64 = 8;

/// The blobs of one session. A blob is a row of pieces, each on a subject of its own:
/// `<prefix>.<blob>.<number>`. Piece 0 is empty and says that the blob is there.
#[derive(Clone, Debug)]
pub(super) struct NatsBlobs {
    pub(super) server: Server,
    /// What the stream is created as.
    pub(super) config: Arc<Config>,
    /// Comes before the name of a blob.
    pub(super) subject: String,
    /// Absent where the log was opened for reading.
    pub(super) room: Option<Arc<OnceCell<Room>>>,
    pub(super) limit_bytes: u64,
}

impl NatsBlobs {
    /// The same blobs for whoever reads only.
    pub(super) fn reader(&self) -> Self {
        Self {
            room: None,
            ..self.clone()
        }
    }

    /// The stream's room; creates the stream if there is none.
    async fn room<'a>(&self, room: &'a OnceCell<Room>) -> Result<&'a Room> {
        room.get_or_try_init(|| async {
            self.server.create(&self.config).await?;
            let info = self.server.info(&self.config.name).await?;
            let used = info.map_or(0, |info| info.state.bytes);
            Ok(Room::new(self.limit_bytes, used))
        })
        .await
    }

    async fn put(&self, blob: &str, piece: u64, offset: u64, data: Bytes) -> Result<()> {
        let subject = format!("{}.{blob}.{piece}", self.subject);
        let id = format!("{blob}.{piece}");
        let message = PublishMessage::build()
            .payload(data)
            .message_id(id)
            .expected_last_subject_sequence(0)
            .header(OFFSET, offset.to_string().as_str());
        let published = self
            .server
            .publish(blob, &self.config.name, &subject, message)
            .await?;
        match published {
            // Only this writer writes the subject: a former attempt was stored.
            Published::Stored(_) | Published::OutOfSequence => Ok(()),
            Published::NoStream => Err(Error::new(ErrorKind::Gone, "write blob")
                .with_object(blob)
                .with_detail("the session was removed")),
        }
    }

    /// A piece and where it begins.
    async fn piece(&self, blob: &str, piece: u64) -> Result<Option<(u64, Bytes)>> {
        let subject = format!("{}.{blob}.{piece}", self.subject);
        let found = self.server.last(&self.config.name, &subject).await?;
        Ok(found.and_then(|message| Some((offset(&message)?, message.payload))))
    }

    /// The last piece that begins at or before an offset. Pieces are mostly of one length.
    async fn holding(&self, blob: &str, offset: u64) -> Result<u64> {
        let (mut low, mut high) = (0_u64, None);
        let Some((_, first)) = self.piece(blob, 1).await? else {
            return Ok(0);
        };
        let mut step = (offset / (first.len() as u64).max(1)).saturating_add(1);
        loop {
            let probe = match high {
                None => low.saturating_add(step),
                Some(high) if high - low > 1 => low + (high - low) / 2,
                Some(_) => return Ok(low),
            };
            match self.piece(blob, probe).await? {
                Some((begin, _)) if begin <= offset => {
                    step = if low == 0 { 1 } else { step.saturating_mul(2) };
                    low = probe;
                }
                _ => high = Some(probe),
            }
        }
    }
}

fn offset(message: &StreamMessage) -> Option<u64> {
    message.headers.get(OFFSET)?.as_str().parse().ok()
}

#[async_trait]
impl BlobStore for NatsBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        let Some(room) = &self.room else {
            return Err(Error::unsupported("create blob")
                .with_detail("the log was opened for reading; the writer creates blobs"));
        };
        self.room(room).await?;
        let id = self.server.unique();
        self.put(&id, 0, 0, Bytes::new()).await?;
        Ok(Box::new(NatsBlob {
            blobs: self.clone(),
            room: Arc::clone(room),
            id,
            pieces: 1,
            stored: Prefix::default(),
            waiting: VecDeque::new(),
            dropped: false,
        }))
    }

    async fn read(&self, id: &str, range: ByteRange) -> Result<Bytes> {
        let known = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !known || id.is_empty() || self.piece(id, 0).await?.is_none() {
            return Err(Error::new(ErrorKind::NotFound, "read blob").with_object(id));
        }
        let mut bytes = BytesMut::new();
        let end = range.end.unwrap_or(u64::MAX);
        let mut next = self.holding(id, range.start).await?;
        loop {
            let pieces = (next..next + WINDOW).map(|piece| self.piece(id, piece));
            for piece in join_all(pieces).await {
                let Some((begin, data)) = piece? else {
                    return Ok(bytes.freeze());
                };
                if begin >= end {
                    return Ok(bytes.freeze());
                }
                let part = |at: u64| {
                    // At most the length, which is a usize.
                    at.saturating_sub(begin).min(data.len() as u64) as usize
                };
                let wanted = data.get(part(range.start)..part(end)).unwrap_or_default();
                bytes.extend_from_slice(wanted);
                check_read(id, bytes.len() as u64)?;
            }
            next += WINDOW;
        }
    }
}

/// The beginning of a blob.
#[derive(Clone, Default)]
struct Prefix {
    len: u64,
    hash: hmac_sha256::Hash,
}

struct NatsBlob {
    blobs: NatsBlobs,
    room: Arc<OnceCell<Room>>,
    id: String,
    /// Number of the next piece.
    pieces: u64,
    stored: Prefix,
    /// Pieces that are not stored yet: those of a call that was dropped go first.
    waiting: VecDeque<Bytes>,
    dropped: bool,
}

impl NatsBlob {
    async fn store_waiting(&mut self) -> Result<()> {
        let before = (self.stored.clone(), self.pieces);
        while let Some(piece) = self.waiting.front().cloned() {
            let offset = self.stored.len;
            let put = self
                .blobs
                .put(&self.id, self.pieces, offset, piece.clone())
                .await;
            if let Err(error) = put {
                self.waiting.clear();
                self.stored = before.0;
                // What cannot be stored now would leave a hole before what comes later.
                self.dropped = true;
                return Err(error);
            }
            self.waiting.pop_front();
            self.pieces += 1;
            self.stored.len += piece.len() as u64;
            self.stored.hash.update(&piece);
        }
        Ok(())
    }
}

impl std::fmt::Debug for NatsBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsBlob")
            .field("id", &self.id)
            .field("len", &self.stored.len)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobWriter for NatsBlob {
    fn id(&self) -> &str {
        &self.id
    }

    async fn write(&mut self, data: Bytes) -> Result<()> {
        // After the first loss nothing more is taken, so that the blob is a prefix.
        let room = self.blobs.room(&self.room).await?;
        let granted = if self.dropped {
            0
        } else {
            room.take(data.len())
        };
        self.dropped |= granted < data.len();
        let mut rest = data.slice(..granted);
        let piece_bytes = self.blobs.server.max_payload().min(PIECE_BYTES);
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(piece_bytes));
            self.waiting.push_back(piece);
        }
        self.store_waiting().await
    }

    async fn finish(&mut self) -> Result<BlobRef> {
        self.store_waiting().await?;
        let hash = self.stored.hash.finalize();
        let blob = BlobRef::new(self.id.clone(), self.stored.len, hex::lower(&hash));
        Ok(if self.dropped {
            blob.incomplete()
        } else {
            blob
        })
    }
}

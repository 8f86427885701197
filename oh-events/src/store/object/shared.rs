//! What the logs and readers of a process know of one session.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

use super::blob::Unfinished;
use super::body::{HEAD_BYTES, Head};
use super::client::Client;
use super::layout::{Layout, Piece, arrange};
use super::names::{EventsName, Names};

/// How often a look is taken again because objects were merged meanwhile.
const LOOKS: usize = 8;

/// Bytes of small objects that are kept: what is merged next, and what readers want most.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Largest object that is kept, and that is read as a whole.
pub(super) const WHOLE_BYTES: u64 = 1024 * 1024;

/// How many first lines of larger objects are kept.
const KEPT_HEADS: usize = 256;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) names: Names,
    /// Blobs of this process that are being written.
    pub(super) unfinished: Unfinished,
    layout: Mutex<Layout>,
    next: watch::Sender<u64>,
    kept: Mutex<Kept>,
    released: Mutex<HashSet<u64>>,
}

/// What a look found, beside the layout.
#[derive(Debug)]
pub(super) struct Look {
    /// Objects whose events are in a merged one.
    pub(super) shadowed: Vec<EventsName>,
    /// The next event, as far as the look shows.
    pub(super) next: u64,
    turn: Option<u64>,
    last: Option<Piece>,
}

/// First event, and the first one after it.
type PieceId = (u64, u64);

/// The first line of an object and its size.
type KnownHead = Arc<(Head, u64)>;

#[derive(Default)]
struct Kept {
    bodies: HashMap<PieceId, Bytes>,
    order: VecDeque<PieceId>,
    bytes: usize,
    heads: VecDeque<(PieceId, KnownHead)>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(client: Client, names: Names) -> Self {
        Self {
            client,
            names,
            unfinished: Unfinished::default(),
            layout: Mutex::default(),
            next: watch::Sender::new(0),
            kept: Mutex::default(),
            released: Mutex::default(),
        }
    }

    pub(super) fn layout(&self) -> MutexGuard<'_, Layout> {
        lock(&self.layout)
    }

    pub(super) fn next(&self) -> u64 {
        self.layout().next
    }

    /// Tells when events arrive.
    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    /// Notes an append of this process.
    pub(super) fn appended(&self, piece: Piece, body: Bytes) {
        self.keep(&piece, body);
        self.layout().push(piece);
        self.announce();
    }

    fn announce(&self) {
        let next = self.next();
        self.next
            .send_if_modified(|known| std::mem::replace(known, next.max(*known)) < next);
    }

    /// Notes that a writer of this process released its epoch, which the storage learns later.
    pub(super) fn release(&self, epoch: u64) {
        lock(&self.released).insert(epoch);
    }

    pub(super) fn is_released(&self, epoch: u64) -> bool {
        lock(&self.released).contains(&epoch)
    }

    /// Looks at the storage.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) if the last object cannot be read; those of the storage.
    pub(super) async fn look(&self) -> Result<Look> {
        const OPERATION: &str = "look at event log";
        for _ in 0..LOOKS {
            let listed = self.client.list(OPERATION, &self.names.log()).await?;
            let named = listed
                .iter()
                .filter_map(|object| Some((EventsName::parse(object.name())?, object.bytes)));
            let mut arranged = arrange(named.collect());
            let mut turn = None;
            if let Some((first, in_turn, bytes)) = arranged.open {
                match self.end_of(OPERATION, first, in_turn, bytes).await {
                    Ok((piece, now)) => {
                        turn = Some(now);
                        // The end of a turn is no append.
                        arranged.pieces.extend((piece.end > first).then_some(piece));
                    }
                    // Merged since it was listed.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            let last = arranged.pieces.last().copied();
            self.layout().install(arranged.pieces);
            self.announce();
            return Ok(Look {
                next: last.map_or(0, |last| last.end),
                shadowed: arranged.shadowed,
                turn,
                last,
            });
        }
        Err(Error::new(ErrorKind::Unavailable, OPERATION)
            .with_object(self.names.log())
            .with_detail("objects vanish as soon as they are listed, try again"))
    }

    /// Whose turn it is at the end that a look found.
    pub(super) async fn turn(&self, look: &Look) -> Result<u64> {
        let merged = match (look.turn, &look.last) {
            (Some(turn), _) => return Ok(turn),
            (None, None) => return Ok(0),
            (None, Some(merged)) => merged,
        };
        match self.head(merged).await? {
            Some(head) => Ok(head.0.epoch),
            None => {
                let key = self.names.events(merged.name());
                Err(damaged("look at event log", &key))
            }
        }
    }

    /// Where an append ends that nothing follows, and whose turn it is there.
    async fn end_of(
        &self,
        operation: &'static str,
        first: u64,
        turn: u64,
        bytes: u64,
    ) -> Result<(Piece, u64)> {
        let mut piece = Piece {
            first,
            end: first,
            bytes,
            turn: Some(turn),
        };
        let known = self.layout().pieces.last().copied();
        if let Some(known) = known.filter(|known| known.name() == piece.name()) {
            return Ok((known, turn));
        }
        let key = self.names.events(piece.name());
        if bytes > WHOLE_BYTES {
            let head = self.fetch_head(&key, bytes).await?;
            let (head, _) = head.ok_or_else(|| damaged(operation, &key))?;
            piece.end = head.end;
            return Ok((piece, turn));
        }
        // Who opens a log reads its last events next.
        let body = self.client.get(operation, &key).await?;
        let head = Head::parse(&body).ok().flatten();
        let (head, _) = head.ok_or_else(|| damaged(operation, &key))?;
        piece.end = head.end;
        if piece.end == first {
            return Ok((piece, head.epoch));
        }
        self.keep(&piece, body);
        Ok((piece, turn))
    }

    /// All bytes of a piece.
    pub(super) async fn body(&self, operation: &'static str, piece: &Piece) -> Result<Bytes> {
        let kept = lock(&self.kept)
            .bodies
            .get(&(piece.first, piece.end))
            .cloned();
        if let Some(body) = kept {
            return Ok(body);
        }
        let key = self.names.events(piece.name());
        let body = self.client.get(operation, &key).await?;
        self.keep(piece, body.clone());
        Ok(body)
    }

    /// The first line of a piece and its size; `None` if it is damaged.
    pub(super) async fn head(&self, piece: &Piece) -> Result<Option<KnownHead>> {
        let id = (piece.first, piece.end);
        let kept = lock(&self.kept)
            .heads
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, head)| Arc::clone(head));
        if kept.is_some() {
            return Ok(kept);
        }
        let key = self.names.events(piece.name());
        let Some(head) = self.fetch_head(&key, piece.bytes).await? else {
            return Ok(None);
        };
        let head = Arc::new(head);
        let mut kept = lock(&self.kept);
        if kept.heads.len() >= KEPT_HEADS {
            kept.heads.pop_front();
        }
        kept.heads.push_back((id, Arc::clone(&head)));
        Ok(Some(head))
    }

    async fn fetch_head(&self, key: &str, bytes: u64) -> Result<Option<(Head, u64)>> {
        let mut wanted = HEAD_BYTES.min(bytes);
        loop {
            let begin = self.client.get_range("read events", key, 0..wanted).await?;
            match Head::parse(&begin) {
                Ok(head) => return Ok(head),
                Err(size) if size > wanted && wanted < bytes => wanted = size.min(bytes),
                Err(_) => return Ok(None),
            }
        }
    }

    fn keep(&self, piece: &Piece, body: Bytes) {
        if body.len() as u64 > WHOLE_BYTES {
            return;
        }
        let id = (piece.first, piece.end);
        let mut kept = lock(&self.kept);
        kept.bytes += body.len();
        if let Some(former) = kept.bodies.insert(id, body) {
            kept.bytes -= former.len();
            return;
        }
        kept.order.push_back(id);
        while kept.bytes > KEPT_BYTES {
            let Some(oldest) = kept.order.pop_front() else {
                break;
            };
            kept.bytes -= kept.bodies.remove(&oldest).map_or(0, |body| body.len());
        }
    }

    /// Lets go of what the storage does not hold any more.
    pub(super) fn forget(&self, pieces: &[Piece]) {
        let mut kept = lock(&self.kept);
        for piece in pieces {
            let id = (piece.first, piece.end);
            kept.bytes -= kept.bodies.remove(&id).map_or(0, |body| body.len());
            kept.order.retain(|known| *known != id);
        }
    }
}

fn damaged(operation: &'static str, key: &str) -> Error {
    Error::new(ErrorKind::Corrupt, operation)
        .with_object(key)
        .with_detail("the last object of the log is damaged; restore it or delete it")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

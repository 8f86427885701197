//! From a file to a log.

use std::sync::Arc;

use bytes::Bytes;
use oh_core::secret::Masker;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use crate::blocking;
use crate::store::{Durability, Encoded, EventLog, EventStore, Writer};

use super::plan::{OPERATION, Plan, Prepared};
use super::references::Names;

/// Largest number of events, and about the largest number of bytes, that are written at once.
const BATCH: (usize, usize) = (256, 1024 * 1024);

/// How a trajectory is imported.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImportOptions {
    /// Secrets that are masked before anything is written; none by default.
    pub masker: Masker,
    /// When a part counts as written; see [`Durability::default`]. The whole is synced in any
    /// case.
    pub durability: Durability,
}

impl ImportOptions {
    /// Sets the secrets that are masked.
    #[must_use]
    pub fn masker(mut self, masker: Masker) -> Self {
        self.masker = masker;
        self
    }

    /// Sets the [`durability`](Self::durability).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}

/// What was imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// How many events.
    pub events: u64,
    /// Events that named others which the file does not hold before them. These names were taken
    /// out: a cause is absent, a forgotten event is not in the list, a confirmation without its
    /// action is the change of state that OpenHands V0 sees in it.
    pub unresolved: Vec<EventId>,
    /// Events whose output was in blobs, which a file does not hold. Their length and hash stand
    /// there still; the id is empty.
    pub without_blobs: Vec<EventId>,
}

/// Begins a session with the events of a trajectory: a JSON array of events as OpenHands, or an
/// [`Export`](super::Export), writes it.
///
/// Events get dense ids from 0 in the order of the file, and causes, confirmations and
/// condensations name them by these. Times are kept; an event without one has that of the event
/// before. Unknown keys and kinds are kept. Whatever was recorded is taken, however irregular its
/// course; the file as a whole is checked before anything is written.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for what is no JSON array of events, with the number
/// of the element (from 0) as object; [`AlreadyExists`](ErrorKind::AlreadyExists) if there is
/// such a session, [`Conflict`](ErrorKind::Conflict) if someone begins it at the same time; the
/// kinds of the store. After an error there is no session, unless the store cannot remove what
/// was written: the error says so then.
///
/// # Cancel safety
/// A dropped call goes on to its end where there is a tokio runtime; elsewhere it leaves a part.
/// So does the death of the process: remove the session and import again.
pub async fn import(
    store: impl EventStore + 'static,
    session: SessionId,
    trajectory: impl Into<Bytes>,
    options: ImportOptions,
) -> Result<Imported> {
    let work = Import {
        store: Arc::new(store),
        session,
    };
    let work = work.run(trajectory.into(), options);
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => match runtime.spawn(work).await {
            Ok(result) => result,
            Err(error) => Err(blocking::lost(OPERATION, error)),
        },
        Err(_) => work.await,
    }
}

struct Import {
    store: Arc<dyn EventStore>,
    session: SessionId,
}

impl Import {
    async fn run(self, json: Bytes, options: ImportOptions) -> Result<Imported> {
        let masker = options.masker;
        let plan = compute(move || Plan::new(&json, &masker)).await?;
        match self.store.view(&self.session).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(_) => return Err(self.taken()),
            Err(error) => return Err(error),
        }
        let writer = Writer::new(OPERATION).durability(options.durability);
        let log = self.store.open(&self.session, writer).await?;
        if log.next() != EventId(0) {
            return Err(self.taken());
        }
        let is_each = options.durability == Durability::Each;
        let written = write(&*log, plan, if is_each { 1 } else { BATCH.0 }).await;
        let closed = log.close().await;
        drop(log);
        match written.and_then(|imported| closed.map(|()| imported)) {
            Ok(imported) => Ok(imported),
            Err(error) => Err(self.undo(error).await),
        }
    }

    async fn undo(&self, error: Error) -> Error {
        match self.store.remove(&self.session).await {
            Ok(()) => error,
            Err(_) => {
                let detail = format!("{error}; the part that was written is still there");
                Error::new(error.kind(), OPERATION)
                    .with_object(self.session.as_str())
                    .with_detail(detail)
                    .with_source(error)
            }
        }
    }

    fn taken(&self) -> Error {
        Error::new(ErrorKind::AlreadyExists, OPERATION)
            .with_object(self.session.as_str())
            .with_detail("a trajectory begins a session; name one that does not exist")
    }
}

async fn write(log: &dyn EventLog, plan: Plan, most: usize) -> Result<Imported> {
    let (plan, mut imported) = (Arc::new(plan), Imported::default());
    let (mut next, mut time) = (0, plan.first_time());
    while next < plan.len() {
        let (of, since) = (Arc::clone(&plan), time.clone());
        let batch = compute(move || prepare(&of, next, since, most)).await?;
        for prepared in &batch {
            let id = prepared.encoded.id();
            if prepared.names == Names::Missing {
                imported.unresolved.push(id);
            }
            if prepared.lost_blobs {
                imported.without_blobs.push(id);
            }
        }
        if let Some(last) = batch.last() {
            time = last.time.clone();
        }
        let batch: Vec<Encoded> = batch.into_iter().map(|prepared| prepared.encoded).collect();
        log.append(EventId(next as u64), log.epoch(), &batch)
            .await?;
        next += batch.len();
    }
    log.sync().await?;
    imported.events = next as u64;
    Ok(imported)
}

fn prepare(
    plan: &Plan,
    first: usize,
    mut time: oh_core::Timestamp,
    most: usize,
) -> Result<Vec<Prepared>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for index in (first..plan.len()).take(most) {
        let prepared = plan.prepare(index, &time)?;
        bytes += prepared.encoded.json().len();
        time = prepared.time.clone();
        batch.push(prepared);
        if bytes >= BATCH.1 {
            break;
        }
    }
    Ok(batch)
}

/// Runs what takes long off the runtime's threads, where there is one.
async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => blocking::run(OPERATION, work).await,
        Err(_) => work(),
    }
}

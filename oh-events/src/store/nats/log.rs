//! The writer of one session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};
use tokio::task::JoinHandle;

use crate::store::blob::BlobStore;
use crate::store::{Encoded, EventLog, EventReader, OpenReport, Snapshot};

use super::blobs::NatsBlobs;
use super::failure;
use super::follow::Follower;
use super::pages::Pages;
use super::piece::{self, Heading, Piece};
use super::place::End;
use super::reader::NatsReader;
use super::record::{Records, State};
use super::server::Published;
use super::snapshot::Snapshots;
use super::tenure::Tenure;

/// Holds that are being given back, by session.
pub(super) type Releases = Arc<Mutex<HashMap<SessionId, JoinHandle<Result<()>>>>>;

#[derive(Debug)]
pub(super) struct NatsLog {
    session: SessionId,
    epoch: u64,
    tenure_id: String,
    held: tokio::sync::watch::Receiver<bool>,
    report: OpenReport,
    records: Records,
    pages: Pages,
    snapshots: Snapshots,
    blobs: NatsBlobs,
    releases: Releases,
    writing: tokio::sync::Mutex<Writing>,
    tenure: tokio::sync::Mutex<Tenure>,
}

/// What the next append goes on from.
#[derive(Debug)]
struct Writing {
    next: u64,
    /// Number of the last message of the stream.
    sequence: u64,
    /// Makes the ids of messages unlike one another.
    serial: u64,
    state: Certainty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    Clear,
    /// An append was begun whose end is not known here.
    InDoubt,
    /// An append ended without an answer; it can still arrive.
    Unknown,
    Closed,
}

impl NatsLog {
    /// Becomes the writer: from here on, no message of an earlier one is taken.
    pub(super) async fn open(
        session: SessionId,
        tenure: Tenure,
        records: Records,
        pages: Pages,
        snapshots: Snapshots,
        blobs: NatsBlobs,
        releases: Releases,
    ) -> Result<Self> {
        let mut log = Self {
            session,
            epoch: tenure.epoch,
            tenure_id: tenure.id.clone(),
            held: tenure.held.clone(),
            report: OpenReport::default(),
            records,
            pages,
            snapshots,
            blobs,
            releases,
            writing: tokio::sync::Mutex::new(Writing {
                next: 0,
                sequence: 0,
                serial: 0,
                state: Certainty::Clear,
            }),
            tenure: tokio::sync::Mutex::new(tenure),
        };
        let end = log.take_over().await?;
        log.report = OpenReport::new(EventId(end));
        Ok(log)
    }

    /// Marks the stream as this writer's, behind whatever an earlier one still writes.
    async fn take_over(&self) -> Result<u64> {
        let mut writing = self.writing.lock().await;
        loop {
            // Asked for first: a message that comes after it must not be passed over.
            let info = self.pages.server.info(&self.pages.stream).await?;
            let end = info.map_or(0, |info| info.state.last_sequence);
            let last = self.pages.last().await?;
            writing.next = last.as_ref().map_or(0, |(heading, _)| heading.next());
            // The messages at the end can have been deleted; their numbers are used up.
            writing.sequence = last.map_or(end, |(_, sequence)| sequence.max(end));
            match self.mark(&mut writing).await? {
                Published::Stored(_) => break,
                Published::NoStream => return Err(self.gone()),
                Published::OutOfSequence => {
                    let found = self.records.read().await?;
                    let ours = found.is_some_and(|found| found.record.is_of(&self.tenure_id));
                    if !ours {
                        return Err(self.fenced().await);
                    }
                }
            }
        }
        let end = End {
            next: writing.next,
            sequence: writing.sequence,
            written_here: true,
            removed: false,
        };
        self.pages.place.begin(end);
        Ok(writing.next)
    }

    /// Writes a message without events, which moves the stream on.
    async fn mark(&self, writing: &mut Writing) -> Result<Published> {
        writing.serial += 1;
        let heading = self.heading(writing, 0, 1, 1);
        let published = self
            .publish(&heading, Bytes::new(), writing.sequence)
            .await?;
        if let Published::Stored(sequence) = published {
            writing.sequence = sequence;
        }
        Ok(published)
    }

    fn heading(&self, writing: &Writing, count: u64, part: u64, parts: u64) -> Heading {
        Heading {
            first: writing.next,
            count,
            epoch: self.epoch,
            part,
            parts,
            id: format!("{}.{}.{part}", self.tenure_id, writing.serial),
        }
    }

    /// Stores one message behind `after`, once.
    async fn publish(&self, heading: &Heading, payload: Bytes, after: u64) -> Result<Published> {
        let pages = &self.pages;
        let message = heading.message(payload, after);
        let published = pages
            .server
            .publish(
                self.session.as_str(),
                &pages.stream,
                &pages.subject,
                message,
            )
            .await?;
        if published != Published::OutOfSequence {
            return Ok(published);
        }
        // An earlier attempt may have been stored, longer ago than the server looks for copies.
        let found = pages
            .server
            .at_or_after(&pages.stream, &pages.subject, after + 1)
            .await
            .map_err(failure::unclear)?;
        let own = found
            .and_then(Piece::read)
            .filter(|piece| piece.heading.id == heading.id);
        Ok(own.map_or(published, |piece| Published::Stored(piece.sequence)))
    }

    async fn write(&self, writing: &mut Writing, batch: &[Encoded]) -> Result<()> {
        let lines = piece::lines(batch);
        let part_bytes = self.pages.server.max_payload();
        let parts = lines.len().div_ceil(part_bytes).max(1);
        let begin = writing.sequence + 1;
        // Never the id of a message before, also not of one whose call was dropped.
        writing.serial += 1;
        writing.state = Certainty::InDoubt;
        for part in 0..parts {
            let count = batch.len() as u64;
            let heading = self.heading(writing, count, part as u64 + 1, parts as u64);
            let start = part * part_bytes;
            let payload = lines.slice(start..lines.len().min(start + part_bytes));
            let published = self.publish(&heading, payload, writing.sequence).await;
            match published {
                Ok(Published::Stored(sequence)) => writing.sequence = sequence,
                Ok(Published::OutOfSequence) => return Err(self.fenced().await),
                Ok(Published::NoStream) => return Err(self.gone()),
                Err(error) => {
                    writing.state = match error.kind() {
                        ErrorKind::OutcomeUnknown => Certainty::Unknown,
                        _ => Certainty::Clear,
                    };
                    return Err(error);
                }
            }
        }
        self.pages.place.note(writing.next, begin);
        writing.next += batch.len() as u64;
        writing.state = Certainty::Clear;
        self.pages.place.reach(writing.next, writing.sequence);
        Ok(())
    }

    /// Finds out what became of an append whose call was dropped.
    async fn settle(&self, writing: &mut Writing) -> Result<()> {
        loop {
            match self.mark(writing).await? {
                // What has not arrived by now is refused.
                Published::Stored(_) => break,
                Published::NoStream => return Err(self.gone()),
                Published::OutOfSequence => {}
            }
            let Some((heading, sequence)) = self.pages.last().await? else {
                return Err(self.gone());
            };
            if !heading.id.starts_with(&self.tenure_id) {
                return Err(self.fenced().await);
            }
            writing.sequence = sequence;
            writing.next = heading.next();
            if heading.is_last() {
                break;
            }
        }
        writing.state = Certainty::Clear;
        self.pages.place.reach(writing.next, writing.sequence);
        Ok(())
    }

    fn error(&self, kind: ErrorKind, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, "append event")
            .with_object(self.session.as_str())
            .with_detail(detail)
    }

    fn gone(&self) -> Error {
        self.error(ErrorKind::Gone, "the session was removed")
    }

    /// The error of a writer that another one replaced.
    async fn fenced(&self) -> Error {
        self.pages.place.release();
        let holder = match self.records.read().await {
            Ok(Some(found)) if !found.record.is_of(&self.tenure_id) => match found.record.state {
                State::Held { holder, .. } => Some(holder),
                State::Free | State::Removing => None,
            },
            Ok(_) => None,
            Err(error) => return error,
        };
        let Some(holder) = holder else {
            let detail = "another writer took the log over; open it again";
            return self.error(ErrorKind::Conflict, detail);
        };
        let detail = format!("{holder} took the log over; open it for reading");
        self.error(ErrorKind::Conflict, detail).with_source(holder)
    }
}

impl Drop for NatsLog {
    fn drop(&mut self) {
        self.pages.place.release();
        if let Some(release) = self.tenure.get_mut().release_later() {
            let mut releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
            releases.retain(|_, release| !release.is_finished());
            releases.insert(self.session.clone(), release);
        }
    }
}

#[async_trait]
impl EventLog for NatsLog {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn next(&self) -> EventId {
        EventId(self.pages.place.end().next)
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(NatsReader {
            pages: self.pages.clone(),
            snapshots: self.snapshots.clone(),
            blobs: self.blobs.reader(),
            follower: Follower::default(),
        })
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(self.blobs.clone()))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        let mut writing = self.writing.lock().await;
        match writing.state {
            Certainty::Closed => return Err(self.error(ErrorKind::Gone, "the log was closed")),
            Certainty::Unknown => {
                let detail = "an earlier append has no known outcome; open the log again";
                return Err(self.error(ErrorKind::OutcomeUnknown, detail));
            }
            _ if !*self.held.borrow() => return Err(self.fenced().await),
            Certainty::InDoubt => self.settle(&mut writing).await?,
            Certainty::Clear => {}
        }
        if epoch != self.epoch || expected.0 != writing.next {
            let detail = format!(
                "the next event is {} of epoch {}, not {expected} of epoch {epoch}",
                writing.next, self.epoch
            );
            return Err(self.error(ErrorKind::Conflict, detail));
        }
        let mut ids = batch.iter().zip(writing.next..);
        if !ids.all(|(event, id)| event.id().0 == id) {
            let detail = "the ids of a batch follow one another";
            return Err(self.error(ErrorKind::InvalidInput, detail));
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.write(&mut writing, batch).await
    }

    async fn sync(&self) -> Result<EventId> {
        // What was acknowledged is written, as far as the server does that.
        Ok(EventId(self.writing.lock().await.next))
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        self.snapshots.save(snapshot).await
    }

    async fn close(&self) -> Result<()> {
        self.writing.lock().await.state = Certainty::Closed;
        self.pages.place.release();
        self.tenure.lock().await.release().await
    }
}

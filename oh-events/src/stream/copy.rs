//! The past of a session, copied from one store into another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oh_core::{
    BlobRef, ByteRange, Error, ErrorKind, EventBody, EventId, Observation, Result, SessionId, codec,
};

use crate::audit;
use crate::store::blob::BlobStore;
use crate::store::{
    Damage, Dropped, Durability, Encoded, EventLog, EventReader, EventStore, ReadRange, Writer,
};

const OPERATION: &str = "fork session";

/// Bytes of a blob that are copied at once.
const PIECE_BYTES: u64 = 1024 * 1024;

/// What a session holds before an id.
#[derive(Debug)]
pub(super) struct Past {
    source: Arc<dyn EventReader>,
    at: EventId,
}

impl Past {
    pub(super) fn new(
        source: Arc<dyn EventReader>,
        session: &SessionId,
        at: EventId,
    ) -> Result<Self> {
        let (first, next) = (source.first(), source.next());
        if at > next {
            return Err(Error::invalid(
                OPERATION,
                format!("it ends before {at}: its next event is {next}"),
            )
            .with_object(session.as_str()));
        }
        // What is appended elsewhere begins at 0.
        if first > EventId(0) && at > EventId(0) {
            return Err(Dropped::new(EventId(0), first).into());
        }
        Ok(Self { source, at })
    }

    /// Makes it the beginning of a session; after an error there is no such session.
    pub(super) async fn put(
        &self,
        target: &Arc<dyn EventStore>,
        session: &SessionId,
        durability: Durability,
    ) -> Result<()> {
        let stage = stage_of(session)?;
        // No session has this name, so that the answer tells whether the store can fork at all.
        let can_fork = match target.fork(&stage, EventId(0), session).await {
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            answer => answer?,
        };
        if !can_fork {
            return self.write(target, session, durability).await;
        }
        self.write(target, &stage, durability).await?;
        let forked = target.fork(&stage, self.at, session).await;
        if let Err(error) = target.remove(&stage).await {
            tracing::warn!(%error, session = stage.as_str(), "a part of a fork was not removed");
        }
        forked.map(|_| ())
    }

    async fn write(
        &self,
        target: &Arc<dyn EventStore>,
        session: &SessionId,
        durability: Durability,
    ) -> Result<()> {
        match target.view(session).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(taken(session)),
        }
        // One sync at the end does for all of it.
        let writer = Writer::new(OPERATION).durability(match durability.is_synced() {
            true => Durability::Never,
            false => durability,
        });
        let log = target.open(session, writer).await?;
        // Someone began it since.
        if log.next() > EventId(0) {
            return Err(taken(session));
        }
        let mut copied = Box::pin(self.copy(&*log)).await;
        if copied.is_ok() && durability != Durability::Never {
            copied = log.sync().await.map(|_| ());
        }
        let closed = log.close().await;
        drop(log);
        let outcome = copied.and(closed);
        if outcome.is_err()
            && let Err(error) = target.remove(session).await
        {
            tracing::warn!(%error, session = session.as_str(), "a part of a fork was not removed");
        }
        outcome
    }

    async fn copy(&self, log: &dyn EventLog) -> Result<()> {
        let mut blobs = Blobs {
            from: self.source.blobs(),
            to: log.blobs(),
            names: HashMap::new(),
        };
        let mut next = EventId(0);
        while next < self.at {
            let page = self.source.read(ReadRange::new(next, self.at)).await?;
            let first = page.first().map_or(self.at, Encoded::id);
            if first > next {
                return Err(Dropped::new(next, first).into());
            }
            let mut batch = Vec::with_capacity(page.len());
            for event in page {
                batch.push(blobs.copy_named(event).await?);
            }
            log.append(next, log.epoch(), &batch).await?;
            next = batch.last().map_or(next, |last| last.id().next());
        }
        Ok(())
    }
}

fn taken(session: &SessionId) -> Error {
    Error::new(ErrorKind::AlreadyExists, OPERATION).with_object(session.as_str())
}

/// A name for what is not whole yet.
fn stage_of(session: &SessionId) -> Result<SessionId> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let moment = crate::clock::now().micros().unwrap_or_default();
    let name: String = session.as_str().chars().take(64).collect();
    SessionId::new(format!(
        "{name}.fork-{}-{moment}-{number}",
        std::process::id()
    ))
}

/// Copies blobs, which get new names in the store that they go to.
struct Blobs {
    from: Option<Arc<dyn BlobStore>>,
    to: Option<Arc<dyn BlobStore>>,
    names: HashMap<String, BlobRef>,
}

impl Blobs {
    /// Copies what an event names, and names the copies.
    async fn copy_named(&mut self, encoded: Encoded) -> Result<Encoded> {
        let Some(from) = self.from.clone() else {
            return Ok(encoded);
        };
        let json = encoded.json();
        let can_name = std::str::from_utf8(json).is_ok_and(|json| json.contains("_blob\":"));
        if !can_name {
            return Ok(encoded);
        }
        let id = encoded.id();
        let mut event = codec::decode_event(json).map_err(|error| {
            let place = format!("its JSON: {error}");
            Error::from(Damage::new(id, id.next(), place, 0))
        })?;
        let EventBody::Observation(Observation::Run(run)) = &mut event.body else {
            return Ok(encoded);
        };
        if event.extra.value(audit::KEY).is_some() {
            let detail = "the past is chained and names large contents, which would get other \
                          names; fork it within its store";
            return Err(Error::unsupported(OPERATION)
                .with_object(id.to_string())
                .with_detail(detail));
        }
        let details = &mut run.details;
        for blob in [&mut details.stdout_blob, &mut details.stderr_blob] {
            if let Some(named) = blob.take() {
                *blob = Some(self.copy(&*from, named).await?);
            }
        }
        Encoded::new(id, codec::encode_event(&event))
    }

    async fn copy(&mut self, from: &dyn BlobStore, blob: BlobRef) -> Result<BlobRef> {
        let failed = |kind, detail| {
            Err(Error::new(kind, OPERATION)
                .with_object(blob.id.clone())
                .with_detail(detail))
        };
        if let Some(known) = self.names.get(&blob.id) {
            return Ok(known.clone());
        }
        let Some(to) = &self.to else {
            let detail = "the store has no place for large contents, which the past names";
            return failed(ErrorKind::Unsupported, detail);
        };
        let mut writer = to.create().await?;
        let mut at = 0;
        while at < blob.len {
            let piece = ByteRange::from(at..blob.len.min(at + PIECE_BYTES));
            let data = match from.read(&blob.id, piece).await {
                // Lost before: there is nothing to copy.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(blob),
                data => data?,
            };
            if data.is_empty() {
                break;
            }
            at += data.len() as u64;
            writer.write(data).await?;
        }
        let mut copy = writer.finish().await?;
        if !copy.complete {
            let detail = "there is too little room for the large contents that the past names";
            return failed(ErrorKind::LimitExceeded, detail);
        }
        copy.complete = blob.complete;
        self.names.insert(blob.id, copy.clone());
        Ok(copy)
    }
}

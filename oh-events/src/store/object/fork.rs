//! Beginning a session with the past of another.

use std::sync::Arc;
use std::time::Duration;

use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use super::body::{self, Head};
use super::index::Entry;
use super::layout::Piece;
use super::lease;
use super::names::{EventsName, Kind, Names};
use super::shared::Shared;

const OPERATION: &str = "fork session";

/// How often a copy is begun again because objects were merged meanwhile.
const TRIES: usize = 4;

/// Copies within the storage; the session is there when its index entry is, at the end.
pub(super) async fn fork(
    shared: &Arc<Shared>,
    at: EventId,
    to: &SessionId,
    patience: Duration,
) -> Result<()> {
    let client = &shared.client;
    let taken = || Error::new(ErrorKind::AlreadyExists, OPERATION).with_object(to.as_str());
    if Entry::load(client, OPERATION, to).await?.is_some() {
        return Err(taken());
    }
    let entry = Entry::fresh();
    let names = Names::new(to, &entry.incarnation);
    let forked = async {
        copy(shared, at.0, &names).await?;
        lease::go_on(shared, &names).await?;
        let there = entry.create(client, OPERATION, to, patience).await?;
        if there == entry { Ok(()) } else { Err(taken()) }
    };
    let forked = forked.await;
    if let Err(error) = &forked
        // What may be there after all must keep its objects.
        && error.kind() != ErrorKind::OutcomeUnknown
    {
        let left = client.list(OPERATION, names.all()).await?;
        let left = left.into_iter().map(|object| object.key).collect();
        client.delete(OPERATION, left).await?;
    }
    forked
}

async fn copy(shared: &Shared, at: u64, to: &Names) -> Result<()> {
    let mut tries = 0;
    loop {
        shared.look().await?;
        let layout = shared.layout().clone();
        if layout.next < at {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION)
                .with_object(at.to_string())
                .with_detail(format!("the session ends before the event {}", layout.next)));
        }
        match copy_events(shared, &layout.pieces, at, to).await {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => tries += 1,
            copied => break copied?,
        }
    }
    let folder = shared.names.blobs();
    let blobs = shared.client.list(OPERATION, &folder).await?;
    let target = to.blobs();
    let pairs = blobs.into_iter().filter_map(|part| {
        let rest = part.key.strip_prefix(&folder)?;
        let to = format!("{target}{rest}");
        Some((part.key, to))
    });
    shared.client.copy(OPERATION, pairs.collect()).await
}

async fn copy_events(shared: &Shared, pieces: &[Piece], at: u64, to: &Names) -> Result<()> {
    let whole = pieces.iter().filter(|piece| piece.end <= at);
    let pairs = whole.map(|piece| (shared.names.events(piece.name()), to.events(piece.name())));
    shared.client.copy(OPERATION, pairs.collect()).await?;
    // Objects that reach beyond the end are begun anew, up to the end.
    for piece in pieces
        .iter()
        .filter(|piece| piece.first < at && piece.end > at)
    {
        let bytes = shared.body(OPERATION, piece).await?;
        let place = shared.names.events(piece.name());
        let lines = body::read(&bytes, 0, piece.first, piece.end, &place);
        let damage = lines.damage.into_iter().find(|damage| damage.from.0 < at);
        if let Some(damage) = damage {
            return Err(damage.into());
        }
        let jsons = lines
            .events
            .iter()
            .take_while(|(id, _)| id.0 < at)
            .map(|(_, json)| json.as_ref());
        let epoch = Head::parse(&bytes)
            .ok()
            .flatten()
            .map(|(head, _)| head.epoch);
        let body = body::write(piece.first, epoch.unwrap_or_default(), "", jsons)?;
        let name = EventsName {
            first: piece.first,
            kind: Kind::Merged(at),
        };
        shared.client.put(OPERATION, &to.events(name), body).await?;
    }
    Ok(())
}

//! Making few large objects of many small ones.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use oh_core::{Error, ErrorKind, Result};
use std::time::Duration;

use super::body::{self, Head};
use super::client::AT_ONCE;
use super::layout::Piece;
use super::names::EventsName;
use super::settle::{self, Settled};
use super::shared::Shared;

const OPERATION: &str = "merge events";

/// How many merged objects of little size are merged once more.
const LEAST_MERGED: usize = 16;

/// What is worth merging.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merging {
    /// Appends in a row; fewer are left alone.
    pub(super) least: usize,
    /// Bytes of the objects that become one.
    pub(super) most_bytes: u64,
    pub(super) patience: Duration,
}

/// Merges until nothing more is worth it.
pub(super) async fn run(shared: &Shared, merging: Merging) -> Result<()> {
    loop {
        let chosen = choose(&shared.layout().pieces, merging);
        if chosen.is_empty() {
            return Ok(());
        }
        match merge(shared, &chosen, merging).await {
            // Someone else merged them.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                shared.look().await?;
                if choose(&shared.layout().pieces, merging) == chosen {
                    return Err(error);
                }
            }
            result => result?,
        }
    }
}

/// Deletes objects whose events are in a merged one, but for names that stay taken.
pub(super) async fn sweep(shared: &Shared, shadowed: Vec<EventsName>) -> Result<()> {
    if shadowed.is_empty() {
        return Ok(());
    }
    let fenced = fenced(shared).await?;
    let keys = shadowed
        .into_iter()
        .filter(|name| !fenced.contains(name))
        .map(|name| shared.names.events(name))
        .collect();
    shared.client.delete(OPERATION, keys).await
}

/// The first objects in a row that are worth merging.
fn choose(pieces: &[Piece], merging: Merging) -> Vec<Piece> {
    let small = |piece: &Piece| !piece.is_merged() && piece.bytes < merging.most_bytes / 2;
    let medium = |piece: &Piece| piece.is_merged() && piece.bytes < merging.most_bytes / 16;
    let chosen = run_of(pieces, merging.least.max(2), merging.most_bytes, small);
    if !chosen.is_empty() {
        return chosen;
    }
    run_of(pieces, LEAST_MERGED, merging.most_bytes, medium)
}

fn run_of(
    pieces: &[Piece],
    least: usize,
    most_bytes: u64,
    fits: impl Fn(&Piece) -> bool,
) -> Vec<Piece> {
    let in_a_row = |a: &Piece, b: &Piece| fits(a) && fits(b) && a.end == b.first;
    let run = pieces
        .chunk_by(in_a_row)
        .find(|run| run.len() >= least && run.first().is_some_and(&fits));
    let mut bytes = 0;
    run.unwrap_or_default()
        .iter()
        .take_while(|piece| {
            bytes += piece.bytes;
            bytes <= most_bytes
        })
        .copied()
        .collect()
}

async fn merge(shared: &Shared, pieces: &[Piece], merging: Merging) -> Result<()> {
    let (Some(head), Some(last)) = (pieces.first(), pieces.last()) else {
        return Ok(());
    };
    let (first, end) = (head.first, last.end);
    let fetches: Vec<_> = pieces
        .iter()
        .map(|piece| shared.body(OPERATION, piece))
        .collect();
    let bodies: Vec<_> = stream::iter(fetches)
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut events = Vec::new();
    for (piece, body) in pieces.iter().zip(&bodies) {
        let place = shared.names.events(piece.name());
        let lines = body::read(body, 0, piece.first, piece.end, &place);
        if let Some(damage) = lines.damage.into_iter().next() {
            // What is damaged stays as it is, for whoever can mend it.
            return Err(damage.into());
        }
        events.extend(lines.events);
    }
    let last_head = bodies
        .last()
        .and_then(|body| Head::parse(body).ok().flatten());
    let Some((last_head, _)) = last_head else {
        return Err(Error::new(ErrorKind::Corrupt, OPERATION)
            .with_object(shared.names.events(last.name()))
            .with_detail("the first line of the object is damaged"));
    };
    // The same events make the same bytes, whoever merges them.
    let jsons = events.iter().map(|(_, json)| json.as_ref());
    let body = body::write(first, last_head.epoch, "", jsons)?;
    let merged = Piece {
        first,
        end,
        bytes: body.len() as u64,
        turn: None,
    };
    let key = shared.names.events(merged.name());
    let settled = settle::create(&shared.client, OPERATION, &key, &body, merging.patience).await?;
    if let Settled::Taken(there) = settled {
        let is_same = Head::parse(&there)
            .ok()
            .flatten()
            .is_some_and(|(head, _)| (head.first, head.end) == (first, end));
        if !is_same || there.len() != body.len() {
            return Err(Error::new(ErrorKind::Corrupt, OPERATION)
                .with_object(key)
                .with_detail("the name of the merged object is taken by something else"));
        }
    }
    shared.layout().merge(merged);
    shared.forget(pieces);
    sweep(shared, pieces.iter().map(Piece::name).collect()).await
}

/// Names that stay taken.
async fn fenced(shared: &Shared) -> Result<Vec<EventsName>> {
    let listed = shared
        .client
        .list(OPERATION, &shared.names.fences())
        .await?;
    Ok(listed
        .iter()
        .filter_map(|fence| EventsName::parse_stem(fence.name()))
        .collect())
}

//! Pages: 25 events in one file, which V0 reads instead of 25 files.

use std::io::{ErrorKind as Io, Result, Write};
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::store::Encoded;
use crate::store::segment::directory::{self, Sync};

use super::folder::Folder;
use super::found::{self, Found};

/// Number of events of a page.
pub(super) const EVENTS: u64 = 25;

/// Larger pages are not written: whoever wants one event would read them all.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// First event of the page of an event.
pub(super) fn start_of(id: u64) -> u64 {
    id - id % EVENTS
}

/// First event after the page that begins with an event; `None` if it would go beyond the last id.
pub(super) fn end_of(start: u64) -> Option<u64> {
    start.checked_add(EVENTS)
}

pub(super) fn path(folder: &Folder, start: u64) -> PathBuf {
    folder
        .pages()
        .join(format!("{start}-{}.json", start.saturating_add(EVENTS)))
}

/// Reads the page that begins with an event; `None` if there is none that can be trusted, and
/// the files of its events are to be read.
pub(super) fn read(folder: &Folder, start: u64) -> Result<Option<Vec<Encoded>>> {
    match found::read_file(&path(folder, start)) {
        Ok(Some(bytes)) => Ok(parse(start, &Bytes::from(bytes))),
        Ok(None) => Ok(None),
        Err(error) if error.kind() == Io::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(start: u64, bytes: &Bytes) -> Option<Vec<Encoded>> {
    let raw: Vec<&RawValue> = serde_json::from_slice(bytes).ok()?;
    if raw.len() as u64 != EVENTS {
        return None;
    }
    raw.iter()
        .zip(start..)
        .map(|(raw, id)| found::event(id, &bytes.slice_ref(raw.get().as_bytes())))
        .collect()
}

/// Writes the page that begins with an event, once: if all of its events are there.
pub(super) fn write(folder: &Folder, start: u64, sync: Sync) -> Result<()> {
    let place = path(folder, start);
    if place.exists() {
        return Ok(());
    }
    let mut page = vec![b'['];
    for id in start..start.saturating_add(EVENTS) {
        let Found::Event(event) = Found::read(folder, id)? else {
            return Ok(());
        };
        if page.len() + event.json().len() > MAX_BYTES {
            return Ok(());
        }
        if id > start {
            page.extend_from_slice(b", ");
        }
        page.extend_from_slice(event.json());
    }
    page.push(b']');
    directory::create(&folder.pages())?;
    let fresh = folder.fresh().join(format!("page-{start}"));
    let written = directory::create_file(&fresh)
        .and_then(|mut file| {
            file.write_all(&page)?;
            match sync {
                Sync::Yes => file.sync_data(),
                Sync::No => Ok(()),
            }
        })
        .and_then(|()| std::fs::rename(&fresh, &place));
    if written.is_err() {
        // On a full disk the half of it must not keep the space.
        let _ = std::fs::remove_file(&fresh);
    }
    written
}

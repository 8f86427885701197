//! What stands in the place of an event.

use std::fs::File;
use std::io::{ErrorKind as Io, Read, Result};
use std::path::Path;

use bytes::Bytes;
use oh_core::EventId;
use serde_json::value::RawValue;

use crate::store::{Damage, Encoded};

use super::folder::Folder;

#[derive(Debug)]
pub(super) enum Found {
    Event(Encoded),
    Damage(Damage),
    /// V0 leaves holes where it was ended between giving an id and writing the event.
    Nothing,
}

impl Found {
    /// Reads the file of one event.
    pub(super) fn read(folder: &Folder, id: u64) -> Result<Self> {
        let path = folder.event(id);
        let damage = |offset| {
            let place = path.display().to_string();
            Self::Damage(Damage::new(EventId(id), EventId(id + 1), place, offset))
        };
        let bytes = match read_file(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(damage(0)),
            Err(error) if error.kind() == Io::NotFound => return Ok(Self::Nothing),
            Err(error) => return Err(error),
        };
        let len = bytes.len() as u64;
        Ok(match check(&bytes) {
            Ok(()) => match event(id, &Bytes::from(bytes)) {
                Some(event) => Self::Event(event),
                None => damage(0),
            },
            Err(error) if error.is_eof() => damage(len),
            Err(error) if error.line() == 1 => damage(error.column().saturating_sub(1) as u64),
            Err(_) => damage(0),
        })
    }
}

/// Reads a file; `None` if it is none, or larger than any event.
pub(super) fn read_file(path: &Path) -> Result<Option<Vec<u8>>> {
    // Before it is opened: opening a pipe would wait for its other end.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > Encoded::MAX_BYTES as u64 {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    let file = File::open(path)?;
    file.take(Encoded::MAX_BYTES as u64)
        .read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The bytes are JSON to their end: a file that was cut is not.
fn check(bytes: &[u8]) -> std::result::Result<(), serde_json::Error> {
    serde_json::from_slice::<&RawValue>(bytes).map(drop)
}

/// The event of some JSON, if it is that one. Its bytes are kept, but for white space around it
/// and line feeds between its parts.
pub(super) fn event(id: u64, json: &Bytes) -> Option<Encoded> {
    let json = json.slice_ref(json.trim_ascii());
    let json = if json.contains(&b'\n') {
        // In valid JSON a line feed is white space: inside of texts it is escaped.
        let line = |byte: &u8| if *byte == b'\n' { b' ' } else { *byte };
        json.iter().map(line).collect()
    } else {
        json
    };
    if !json.starts_with(b"{") || Encoded::id_in(&json) != Some(EventId(id)) {
        return None;
    }
    Encoded::new(EventId(id), json).ok()
}

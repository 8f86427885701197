//! The snapshot beside a log: `<crc32 8 hex> <next 16 hex>\n` and the data. The checksum is about
//! all that follows it.

use std::io::{ErrorKind as Io, Read, Result};
use std::path::Path;

use oh_core::EventId;

use crate::store::Snapshot;

use super::directory::{self, Sync};
use super::line::{hex, push_hex};

pub(in crate::store) const NAME: &str = "snapshot";

const HEADER_BYTES: usize = 8 + 1 + 16 + 1;

/// Puts a snapshot in place of the former one, which stays until the new one is whole.
pub(in crate::store) fn save(directory: &Path, snapshot: &Snapshot, sync: Sync) -> Result<()> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    let next = snapshot.next.0;
    push_hex(&mut header, (next >> 32) as u32);
    push_hex(&mut header, next as u32);
    header.push(b'\n');
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header);
    crc.update(&snapshot.data);
    let mut start = Vec::with_capacity(HEADER_BYTES);
    push_hex(&mut start, crc.finalize());
    start.push(b' ');
    start.append(&mut header);
    directory::replace_file(directory, NAME, &[&start, &snapshot.data], sync)
}

/// Reads the snapshot. One that is not whole counts as none: it can be made again.
pub(in crate::store) fn load(directory: &Path) -> Result<Option<Snapshot>> {
    let file = match std::fs::File::open(directory.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == Io::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    let largest = (HEADER_BYTES + Snapshot::MAX_BYTES) as u64;
    file.take(largest + 1).read_to_end(&mut bytes)?;
    Ok(parse(bytes))
}

fn parse(bytes: Vec<u8>) -> Option<Snapshot> {
    if bytes.len() > HEADER_BYTES + Snapshot::MAX_BYTES {
        return None;
    }
    let (header, _) = bytes.split_at_checked(HEADER_BYTES)?;
    let is_whole = hex(header.get(..8)?)? == crc32fast::hash(bytes.get(9..)?);
    let has_form = header.get(8) == Some(&b' ') && header.last() == Some(&b'\n');
    if !is_whole || !has_form {
        return None;
    }
    let (high, low) = (hex(header.get(9..17)?)?, hex(header.get(17..25)?)?);
    let next = EventId(u64::from(high) << 32 | u64::from(low));
    Some(Snapshot::new(
        next,
        bytes::Bytes::from(bytes).slice(HEADER_BYTES..),
    ))
}

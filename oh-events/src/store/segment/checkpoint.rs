//! Places of some events in a segment, so that reading need not begin at its start.

use std::fs::{File, OpenOptions};
use std::io::{Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::line::{hex, push_hex};

/// Bytes of events after which the next event gets a checkpoint.
pub(super) const SPACING_BYTES: u64 = 64 * 1024;

/// `<id 16 hex> <offset 16 hex> <crc32 of both 8 hex>\n`
const ENTRY_BYTES: usize = 16 + 1 + 16 + 1 + 8 + 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) id: u64,
    pub(super) offset: u64,
}

impl Checkpoint {
    fn encode(self, out: &mut Vec<u8>) {
        let start = out.len();
        for number in [self.id, self.offset] {
            push_hex(out, (number >> 32) as u32);
            push_hex(out, number as u32);
            out.push(b' ');
        }
        let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
        push_hex(out, crc);
        out.push(b'\n');
    }

    fn decode(entry: &[u8]) -> Option<Self> {
        let numbers = entry.get(..34)?;
        if hex(entry.get(34..42)?)? != crc32fast::hash(numbers) || entry.get(42..)? != b"\n" {
            return None;
        }
        let number = |at: usize| {
            let high = hex(numbers.get(at..at + 8)?)?;
            let low = hex(numbers.get(at + 8..at + 16)?)?;
            Some(u64::from(high) << 32 | u64::from(low))
        };
        Some(Self {
            id: number(0)?,
            offset: number(17)?,
        })
    }
}

/// What a checkpoint file says.
pub(super) struct Loaded {
    /// Up to the first that cannot be right.
    pub(super) checkpoints: Vec<Checkpoint>,
    /// The file holds nothing else.
    pub(super) whole: bool,
}

/// Reads the checkpoints of a segment. A missing or damaged file is no error: what it says can be
/// derived from the segment.
pub(super) fn load(path: &Path, first: u64, segment_bytes: u64) -> Loaded {
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    let text = std::fs::read(path).unwrap_or_default();
    for entry in text.chunks(ENTRY_BYTES) {
        let Some(checkpoint) = Checkpoint::decode(entry) else {
            break;
        };
        let (after_id, after_offset) = checkpoints
            .last()
            .map_or((first, 0), |last| (last.id, last.offset));
        let rises = checkpoint.id > after_id && checkpoint.offset > after_offset;
        if !rises || checkpoint.offset >= segment_bytes {
            break;
        }
        checkpoints.push(checkpoint);
    }
    let whole = checkpoints.len() * ENTRY_BYTES == text.len();
    Loaded { checkpoints, whole }
}

/// Writes all checkpoints of a segment anew.
pub(super) fn store(path: &Path, checkpoints: &[Checkpoint]) -> Result<()> {
    let mut text = Vec::with_capacity(checkpoints.len() * ENTRY_BYTES);
    for checkpoint in checkpoints {
        checkpoint.encode(&mut text);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&text)
}

/// Opens the checkpoint file of a segment for appending.
pub(super) fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Appends one checkpoint.
pub(super) fn append(file: &mut File, checkpoint: Checkpoint) -> Result<()> {
    let mut entry = Vec::with_capacity(ENTRY_BYTES);
    checkpoint.encode(&mut entry);
    file.write_all(&entry)
}

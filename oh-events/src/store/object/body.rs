//! The inside of an object of events: a line about it, then a line per event.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use oh_core::{Error, ErrorKind, EventId, Result};
use serde::{Deserialize, Serialize};

use crate::store::line::{self, Parsed};
use crate::store::{Damage, Encoded};

/// How many bytes lie between two places that the first line names.
const SPACING_BYTES: u64 = 64 * 1024;

/// Bytes that hold the first line of nearly every object.
pub(super) const HEAD_BYTES: u64 = 8 * 1024;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) first: u64,
    /// First event after it.
    pub(super) end: u64,
    /// Epoch of the writer, whose turn it was at the end or, without events, is from here on.
    #[serde(default)]
    pub(super) epoch: u64,
    /// Makes the bytes unlike those of every other writer; empty if it was merged.
    #[serde(default)]
    pub(super) nonce: String,
    /// Events, and where their lines begin, in bytes after this line.
    #[serde(default)]
    index: Vec<(u64, u64)>,
}

/// A part of an object that begins and ends with whole lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) first: u64,
    pub(super) end: u64,
    /// Bytes of the object.
    pub(super) bytes: Range<u64>,
}

/// What the lines of a part hold.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) events: Vec<(EventId, Bytes)>,
    /// The damage in the order of the ids.
    pub(super) damage: Vec<Damage>,
}

/// Writes an object with the events from `first` on; without events it ends a turn.
pub(super) fn write<'a>(
    first: u64,
    epoch: u64,
    nonce: &str,
    events: impl Iterator<Item = &'a [u8]>,
) -> Result<Bytes> {
    let mut lines = Vec::new();
    let mut index = Vec::new();
    let mut indexed = 0;
    let mut end = first;
    for json in events {
        let offset = lines.len() as u64;
        if offset - indexed >= SPACING_BYTES {
            index.push((end, offset));
            indexed = offset;
        }
        line::write(&mut lines, json);
        end += 1;
    }
    let head = Head {
        first,
        end,
        epoch,
        nonce: nonce.to_owned(),
        index,
    };
    let head = serde_json::to_vec(&head)
        .map_err(|error| Error::new(ErrorKind::Internal, "encode events").with_source(error))?;
    let mut first_line = Vec::new();
    line::write(&mut first_line, &head);
    let mut body = BytesMut::with_capacity(first_line.len() + lines.len());
    body.put_slice(&first_line);
    body.put_slice(&lines);
    Ok(body.freeze())
}

impl Head {
    /// Reads the first line; `Err` names how many bytes it needs, `Ok(None)` says that it is
    /// damaged.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, u64)>, u64> {
        match line::parse(bytes, Encoded::MAX_BYTES) {
            Parsed::Incomplete { size } => Err(size as u64),
            Parsed::Damaged => Ok(None),
            Parsed::Line { json, size } => {
                let head = serde_json::from_slice::<Self>(json).ok();
                Ok(head
                    .filter(|head| head.end >= head.first)
                    .map(|head| (head, size as u64)))
            }
        }
    }

    /// The parts of an object of `len` bytes whose first line has `size` bytes.
    pub(super) fn blocks(&self, size: u64, len: u64) -> Vec<Block> {
        let mut starts = vec![(self.first, size)];
        starts.extend(self.index.iter().map(|(id, offset)| (*id, size + offset)));
        let ends = starts.iter().skip(1).copied().chain([(self.end, len)]);
        starts
            .iter()
            .zip(ends)
            .map(|((first, from), (end, to))| Block {
                first: *first,
                end,
                bytes: *from..to,
            })
            .collect()
    }
}

/// Reads the lines of the events from `first` up to, and without, `end`.
pub(super) fn read(bytes: &Bytes, offset: u64, first: u64, end: u64, place: &str) -> Lines {
    let mut lines = Lines::default();
    let mut expected = first;
    let mut at = 0;
    // Where the damage begins that is being skipped.
    let mut broken: Option<u64> = None;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let parsed = match line::parse(rest, Encoded::MAX_BYTES) {
            Parsed::Line { json, size } => Encoded::id_in(json).map(|id| (id.0, json.len(), size)),
            _ => None,
        };
        match parsed {
            Some((id, len, size)) if id >= expected && id < end => {
                if id > expected {
                    let from = broken.unwrap_or(at as u64 + offset);
                    let damage = Damage::new(EventId(expected), EventId(id), place, from);
                    lines.damage.push(damage);
                }
                broken = None;
                let begin = at + line::HEADER_BYTES;
                lines
                    .events
                    .push((EventId(id), bytes.slice(begin..begin + len)));
                expected = id + 1;
                at += size;
            }
            _ => {
                broken.get_or_insert(at as u64 + offset);
                let skipped = rest.iter().position(|byte| *byte == b'\n');
                at += skipped.map_or(rest.len(), |skipped| skipped + 1);
            }
        }
    }
    if expected < end {
        let from = broken.unwrap_or(bytes.len() as u64 + offset);
        let damage = Damage::new(EventId(expected), EventId(end), place, from);
        lines.damage.push(damage);
    }
    lines
}

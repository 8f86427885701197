//! Finds the end of a log.

use std::fs::File;
use std::io::Result;

use crate::store::Encoded;

use super::checkpoint::{self, Checkpoint, SPACING_BYTES};
use super::scan::{Piece, Scan};
use super::segment_file::Segment;

/// The end of a segment.
#[derive(Debug)]
pub(super) struct End {
    /// Id after the last event.
    pub(super) next: u64,
    /// Bytes up to the end of the last event.
    pub(super) len: u64,
    /// Bytes after that: the rest of a write that did not come to its end.
    pub(super) torn_bytes: u64,
    pub(super) checkpoints: Vec<Checkpoint>,
    /// The checkpoint file says the same.
    pub(super) checkpoints_stored: bool,
}

/// Finds the end of a segment from its last checkpoint on.
///
/// Bytes after the last whole line are torn; damage with whole lines after it is left for readers
/// to report.
pub(super) fn find_end(segment: &Segment, file: &File) -> Result<End> {
    let file_len = file.metadata()?.len();
    let loaded = checkpoint::load(&segment.checkpoint_path(), segment.first, file_len);
    let (mut checkpoints, mut checkpoints_stored) = (loaded.checkpoints, loaded.whole);
    while let Some(last) = checkpoints.last() {
        if is_at(file, *last, file_len)? {
            break;
        }
        checkpoints.pop();
        checkpoints_stored = false;
    }
    let start = checkpoints.last().copied().unwrap_or(Checkpoint {
        id: segment.first,
        offset: 0,
    });
    let (mut next, mut len, mut last) = (start.id, start.offset, start.offset);
    let mut scan = Scan::new(file, start.offset, file_len);
    loop {
        match scan.next()? {
            Piece::Line { offset, json } => {
                let id = Encoded::id_in(json).map_or(next, |id| id.0.max(next));
                if offset - last >= SPACING_BYTES {
                    checkpoints.push(Checkpoint { id, offset });
                    checkpoints_stored = false;
                    last = offset;
                }
                next = id.saturating_add(1);
                len = scan.offset();
            }
            Piece::Damage { at_end: false, .. } => {}
            Piece::Damage { at_end: true, .. } | Piece::End => break,
        }
    }
    Ok(End {
        next,
        len,
        torn_bytes: file_len.saturating_sub(len),
        checkpoints,
        checkpoints_stored,
    })
}

fn is_at(file: &File, checkpoint: Checkpoint, file_len: u64) -> Result<bool> {
    let mut scan = Scan::new(file, checkpoint.offset, file_len);
    Ok(matches!(scan.next()?, Piece::Line { json, .. }
        if Encoded::id_in(json).is_some_and(|id| id.0 == checkpoint.id)))
}

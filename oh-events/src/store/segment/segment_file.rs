//! One file of events, and what is known of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::Encoded;

use super::checkpoint::{self, Checkpoint, SPACING_BYTES};
use super::scan::{Piece, Scan};

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// Bytes that hold events.
    len: u64,
    /// `None` until they are needed.
    checkpoints: Option<Vec<Checkpoint>>,
}

impl Segment {
    pub(super) fn new(directory: &Path, first: u64, len: u64) -> Self {
        Self {
            first,
            path: directory.join(format!("{first:020}.log")),
            known: Mutex::new(Known {
                len,
                checkpoints: None,
            }),
        }
    }

    pub(super) fn checkpoint_path(&self) -> PathBuf {
        self.path.with_extension("idx")
    }

    pub(super) fn len(&self) -> u64 {
        self.known().len
    }

    /// Notes that events reach up to here now, and where some of them begin.
    pub(super) fn grow(&self, len: u64, fresh: &[Checkpoint]) {
        let mut known = self.known();
        known.len = len;
        if let Some(checkpoints) = &mut known.checkpoints {
            checkpoints.extend_from_slice(fresh);
        }
    }

    /// Replaces what is known.
    pub(super) fn replace(&self, len: u64, checkpoints: Vec<Checkpoint>) {
        *self.known() = Known {
            len,
            checkpoints: Some(checkpoints),
        };
    }

    /// The last checkpoint at or before an event, if one is known.
    pub(super) fn checkpoint_before(
        &self,
        file: &File,
        id: u64,
    ) -> std::io::Result<Option<Checkpoint>> {
        let mut known = self.known();
        let len = known.len;
        let checkpoints = match &mut known.checkpoints {
            Some(checkpoints) => checkpoints,
            missing => {
                let path = self.checkpoint_path();
                let mut loaded = checkpoint::load(&path, self.first, len).checkpoints;
                derive(file, self.first, len, &mut loaded)?;
                missing.insert(loaded)
            }
        };
        let after = checkpoints.partition_point(|checkpoint| checkpoint.id <= id);
        Ok(after
            .checked_sub(1)
            .and_then(|at| checkpoints.get(at))
            .copied())
    }

    pub(super) fn forget_checkpoints(&self) {
        self.known().checkpoints = Some(Vec::new());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Completes checkpoints from the segment, where many are missing.
fn derive(
    file: &File,
    first: u64,
    len: u64,
    checkpoints: &mut Vec<Checkpoint>,
) -> std::io::Result<()> {
    let mut last = checkpoints.last().copied().unwrap_or(Checkpoint {
        id: first,
        offset: 0,
    });
    if len.saturating_sub(last.offset) < 4 * SPACING_BYTES {
        return Ok(());
    }
    let mut scan = Scan::new(file, last.offset, len);
    loop {
        match scan.next()? {
            Piece::End => return Ok(()),
            Piece::Damage { .. } => {}
            Piece::Line { offset, json } => {
                if offset - last.offset >= SPACING_BYTES
                    && let Some(id) = Encoded::id_in(json)
                    && id.0 > last.id
                {
                    last = Checkpoint { id: id.0, offset };
                    checkpoints.push(last);
                }
            }
        }
    }
}

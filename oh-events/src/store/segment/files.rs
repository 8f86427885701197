//! The segments of one session, as writer and readers of a process see them.

use std::fs::File;
use std::io::{Error as IoError, ErrorKind as Io};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oh_core::{Error, EventId, Result};

use crate::store::{Damage, Encoded};

use super::checkpoint::{self, Checkpoint, SPACING_BYTES};
use super::scan::{Piece, Scan};

/// Where events are. Events before `next` are readable; what a file holds beyond that is not
/// looked at.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    layout: Mutex<Layout>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// In the order of their first events.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) next: u64,
}

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

/// What a walk over a range of ids meets.
pub(super) enum Found<'a> {
    Event(EventId, &'a [u8]),
    Damage(Damage),
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
    fn checkpoint_before(&self, file: &File, id: u64) -> std::io::Result<Option<Checkpoint>> {
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

    fn forget_checkpoints(&self) {
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

impl Files {
    pub(super) fn new(directory: PathBuf, layout: Layout) -> Self {
        Self {
            directory,
            layout: Mutex::new(layout),
        }
    }

    pub(super) fn layout(&self) -> MutexGuard<'_, Layout> {
        self.layout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next(&self) -> u64 {
        self.layout().next
    }

    pub(super) fn first(&self) -> u64 {
        let layout = self.layout();
        layout
            .segments
            .first()
            .map_or(layout.next, |segment| segment.first)
    }

    /// The segment that holds an event, and the first id after that segment.
    fn segment_of(&self, id: u64) -> Option<(Arc<Segment>, u64)> {
        let layout = self.layout();
        let after = layout
            .segments
            .partition_point(|segment| segment.first <= id);
        let segment = layout.segments.get(after.checked_sub(1)?)?;
        let end = layout
            .segments
            .get(after)
            .map_or(layout.next, |next| next.first);
        Some((Arc::clone(segment), end))
    }

    /// Visits the events from `from` up to, and without, `to`, and the damage between them.
    pub(super) fn walk(
        &self,
        from: u64,
        to: u64,
        visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let to = to.min(self.next());
        let mut at = from.max(self.first());
        while at < to {
            let Some((segment, end)) = self.segment_of(at) else {
                return Ok(());
            };
            let walked = walk_segment(&segment, end, at, to, visit).map_err(|error| {
                Error::io("read events", error).with_object(segment.path.display().to_string())
            })?;
            match walked {
                ControlFlow::Continue(reached) if reached > at => at = reached,
                _ => return Ok(()),
            }
        }
        Ok(())
    }
}

/// Visits one segment and returns the id that comes next.
fn walk_segment(
    segment: &Segment,
    segment_end: u64,
    from: u64,
    to: u64,
    visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<(), u64>> {
    let place = || segment.path.display().to_string();
    let to = to.min(segment_end);
    let file = match File::open(&segment.path) {
        Ok(file) => file,
        // A file that vanished is damage of the log, not a failure to read it.
        Err(error) if error.kind() == Io::NotFound => {
            let lost = Damage::new(EventId(segment.first), EventId(segment_end), place(), 0);
            let flow = visit(Found::Damage(lost));
            return Ok(flow_to(flow, segment_end));
        }
        Err(error) => return Err(error),
    };
    let mut start = segment.checkpoint_before(&file, from)?;
    'again: loop {
        let (mut id, offset) = start.map_or((segment.first, 0), |start| (start.id, start.offset));
        let mut scan = Scan::new(&file, offset, segment.len());
        let mut damaged_at = None;
        let mut trusted = start.is_none();
        while id < to {
            let piece = scan.next()?;
            if !trusted {
                let fits = matches!(&piece, Piece::Line { json, .. }
                    if Encoded::id_in(json) == Some(EventId(id)));
                if !fits {
                    segment.forget_checkpoints();
                    start = None;
                    continue 'again;
                }
                trusted = true;
            }
            match piece {
                Piece::Line { offset, json } => {
                    let written = Encoded::id_in(json).map_or(id, |id| id.0);
                    if written < id {
                        // Out of order: it can be no event of this place.
                        damaged_at.get_or_insert(offset);
                        continue;
                    }
                    if written > id {
                        let at = damaged_at.unwrap_or(offset);
                        let end = written.min(segment_end);
                        let lost = Damage::new(EventId(id), EventId(end), place(), at);
                        if end > from && visit(Found::Damage(lost)).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                        id = end;
                        if id >= to {
                            // It stands behind the end of its segment, or of the range.
                            break;
                        }
                    }
                    damaged_at = None;
                    if id >= from && id < to {
                        let event = Found::Event(EventId(id), json);
                        if visit(event).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    id += 1;
                }
                Piece::Damage { from, .. } => {
                    damaged_at.get_or_insert(from);
                }
                Piece::End => {
                    let at = damaged_at.unwrap_or_else(|| scan.offset());
                    let lost = Damage::new(EventId(id), EventId(segment_end), place(), at);
                    let flow = visit(Found::Damage(lost));
                    return Ok(flow_to(flow, segment_end));
                }
            }
        }
        return Ok(ControlFlow::Continue(id));
    }
}

fn flow_to(flow: ControlFlow<()>, id: u64) -> ControlFlow<(), u64> {
    match flow {
        ControlFlow::Break(()) => ControlFlow::Break(()),
        ControlFlow::Continue(()) => ControlFlow::Continue(id),
    }
}

/// Finds the segments of a directory, with the lengths of their files.
pub(super) fn list(directory: &Path) -> std::result::Result<Vec<Arc<Segment>>, IoError> {
    let mut segments = Vec::new();
    for entry in directory.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let first = name
            .to_str()
            .and_then(|name| name.strip_suffix(".log"))
            .filter(|digits| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        if let Some(first) = first {
            let len = entry.metadata()?.len();
            segments.push(Arc::new(Segment::new(directory, first, len)));
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

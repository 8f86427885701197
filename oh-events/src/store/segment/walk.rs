//! Visits the events of a range, across segments.

use std::fs::File;
use std::io::{Error as IoError, ErrorKind as Io};
use std::ops::ControlFlow;

use oh_core::{Error, EventId, Result};

use crate::store::{Damage, Encoded};

use super::files::{self, Files};
use super::scan::{Piece, Scan};
use super::segment_file::Segment;

/// What a walk over a range of ids meets.
pub(super) enum Found<'a> {
    Event(EventId, &'a [u8]),
    Damage(Damage),
}

impl Files {
    /// Visits the events from `from` up to, and without, `to`, and the damage between them. Events
    /// that were dropped are passed over.
    pub(super) fn walk(
        &self,
        from: u64,
        to: u64,
        visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let to = to.min(self.next());
        let mut at = from;
        loop {
            // Retention may drop segments while this goes on.
            at = at.max(self.first());
            if at >= to {
                return Ok(());
            }
            let Some((segment, end)) = self.segment_of(at) else {
                continue;
            };
            let failed = |error| {
                Error::io("read events", error).with_object(segment.path.display().to_string())
            };
            let opened = File::open(&segment.path);
            self.check_there()?;
            let walked = match opened {
                Ok(file) => walk_segment(&segment, &file, end, at, to, visit).map_err(failed)?,
                Err(error) if error.kind() == Io::NotFound => {
                    if self.forget_dropped(segment.first)? {
                        continue;
                    }
                    // A file that vanished is damage of the log, not a failure to read it.
                    let place = segment.path.display().to_string();
                    let lost = Damage::new(EventId(segment.first), EventId(end), place, 0);
                    flow_to(visit(Found::Damage(lost)), end)
                }
                Err(error) => return Err(failed(error)),
            };
            match walked {
                ControlFlow::Continue(reached) if reached > at => at = reached,
                _ => return Ok(()),
            }
        }
    }

    /// Whether a segment that is not there was dropped by the writer, who drops the oldest ones;
    /// if so, the others that were dropped are forgotten too.
    fn forget_dropped(&self, first: u64) -> Result<bool> {
        let failed = |error: IoError| match error.kind() {
            Io::NotFound => self.removed(),
            _ => Error::io("read events", error).with_object(self.directory.display().to_string()),
        };
        let there = files::list(&self.directory).map_err(failed)?;
        let Some(oldest) = there.first().filter(|oldest| oldest.first > first) else {
            return Ok(false);
        };
        self.drop_before(oldest.first);
        Ok(true)
    }
}

/// Visits one segment and returns the id that comes next.
fn walk_segment(
    segment: &Segment,
    file: &File,
    segment_end: u64,
    from: u64,
    to: u64,
    visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<(), u64>> {
    let place = || segment.path.display().to_string();
    let to = to.min(segment_end);
    let mut start = segment.checkpoint_before(file, from)?;
    'again: loop {
        let (mut id, offset) = start.map_or((segment.first, 0), |start| (start.id, start.offset));
        let mut scan = Scan::new(file, offset, segment.len());
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

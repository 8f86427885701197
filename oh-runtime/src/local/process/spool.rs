//! The bytes of one stream: recent ones in memory, all of them on disk once there are many.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::segment::{Segment, Stored};

#[cfg(test)]
mod tests;

/// Where output goes that is too large for memory, and how much of it is kept.
#[derive(Clone, Debug)]
pub(crate) struct SpoolSettings {
    /// Directory of the spool files. They have no name there, so that nothing can stay behind.
    pub(crate) directory: PathBuf,
    /// Bytes kept of one process. Beyond it the oldest quarter goes.
    pub(crate) limit_bytes: u64,
}

/// One stream of one process.
#[derive(Debug, Default)]
pub(super) struct Spool {
    total: u64,
    recent: VecDeque<Chunk>,
    /// Bytes in `recent` with what each chunk costs beside its data.
    recent_cost: usize,
    segments: VecDeque<Segment>,
    /// What is not on disk though later bytes are: sorted, neither touching nor overlapping.
    missing: Vec<Range<u64>>,
}

#[derive(Debug)]
struct Chunk {
    at: u64,
    data: Bytes,
}

/// What stands at a position of a stream.
#[derive(Debug)]
pub(super) enum Piece {
    /// These bytes.
    Data(Bytes),
    /// Bytes in a file, to be read without a lock.
    Stored(Stored),
    /// Nothing until this position.
    Missing(u64),
}

impl Spool {
    /// A stream up to this size has no file.
    pub(super) const MEMORY_BYTES: u64 = 128 * 1024;
    /// Memory for the last bytes of a larger one, so that a follower that keeps up reads no file.
    const RECENT_BYTES: usize = 1024 * 1024;
    /// Largest piece read from a file at once.
    const READ_BYTES: u64 = 128 * 1024;
    /// About what a chunk costs beside its data.
    const CHUNK_COST: usize = 96;
    /// More holes than this are joined, together with what lies between them.
    const MAX_HOLES: usize = 1024;

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes that can still be read.
    pub(super) fn kept_bytes(&self) -> u64 {
        let missing: u64 = self.missing.iter().map(|hole| hole.end - hole.start).sum();
        self.total - missing
    }

    fn stored_bytes(&self) -> u64 {
        self.segments.iter().map(|part| part.end - part.start).sum()
    }

    /// What has to be written to a file before [`push`](Self::push) of `data`: everything kept in
    /// memory where this is the step over the limit, else `data`.
    pub(super) fn store(&self, data: &Bytes, settings: &SpoolSettings) -> Option<Writing> {
        if self.total + data.len() as u64 <= Self::MEMORY_BYTES {
            return None;
        }
        let spilled = !self.segments.is_empty() || !self.missing.is_empty();
        let mut chunks: Vec<Bytes> = Vec::new();
        let mut start = self.total;
        if !spilled {
            start = 0;
            chunks.extend(self.recent.iter().map(|chunk| chunk.data.clone()));
        }
        chunks.push(data.clone());
        let segment_bytes = (settings.limit_bytes / 4).max(4096);
        let current = self
            .segments
            .back()
            .filter(|part| part.end - part.start < segment_bytes)
            .cloned();
        Some(Writing {
            start,
            chunks,
            segment: current,
        })
    }

    /// Appends bytes, with the outcome of writing them.
    pub(super) fn push(&mut self, data: Bytes, written: Option<Written>) {
        let start = self.total;
        self.total += data.len() as u64;
        if let Some(written) = written {
            let Written {
                range,
                stored_to,
                segment,
            } = written;
            if let Some(segment) = segment {
                match self.segments.back_mut() {
                    Some(last) if last.start == segment.start => *last = segment,
                    _ => self.segments.push_back(segment),
                }
            }
            if stored_to < range.end {
                self.lose(stored_to..range.end);
            }
        }
        self.recent_cost += data.len() + Self::CHUNK_COST;
        // Small pieces are joined, or a program that writes byte by byte would cost a hundred
        // times its output.
        match self.recent.back_mut() {
            Some(last) if last.data.len() + data.len() <= 1024 => {
                let mut joined = BytesMut::with_capacity(last.data.len() + data.len());
                joined.extend_from_slice(&last.data);
                joined.extend_from_slice(&data);
                last.data = joined.freeze();
                self.recent_cost -= Self::CHUNK_COST;
            }
            _ => self.recent.push_back(Chunk { at: start, data }),
        }
        if self.total > Self::MEMORY_BYTES {
            self.trim_recent(Self::RECENT_BYTES);
        }
    }

    fn trim_recent(&mut self, most: usize) {
        while self.recent_cost > most {
            let Some(chunk) = self.recent.pop_front() else {
                break;
            };
            self.recent_cost -= chunk.data.len() + Self::CHUNK_COST;
        }
    }

    /// Drops from memory what is on disk. Called when nothing more will come.
    pub(super) fn settle(&mut self) {
        if self.total > Self::MEMORY_BYTES && self.missing.is_empty() {
            self.trim_recent(0);
        }
    }

    /// Drops the oldest segment of the fuller of two streams while both together are over the
    /// limit.
    pub(super) fn enforce(spools: &mut [Self; 2], limit_bytes: u64) {
        loop {
            let [a, b] = &mut *spools;
            if a.stored_bytes() + b.stored_bytes() <= limit_bytes {
                return;
            }
            let fuller = if a.stored_bytes() >= b.stored_bytes() {
                a
            } else {
                b
            };
            // The last segment is being written to.
            if fuller.segments.len() < 2 {
                return;
            }
            if let Some(oldest) = fuller.segments.pop_front() {
                fuller.lose(oldest.start..oldest.end);
            }
        }
    }

    fn lose(&mut self, range: Range<u64>) {
        let at = self.missing.partition_point(|hole| hole.end < range.start);
        let until = self.missing.partition_point(|hole| hole.start <= range.end);
        let mut joined = range;
        for hole in self.missing.drain(at..until) {
            joined = joined.start.min(hole.start)..joined.end.max(hole.end);
        }
        self.missing.insert(at, joined);
        if self.missing.len() > Self::MAX_HOLES
            && let (Some(last), Some(before)) = (self.missing.pop(), self.missing.last_mut())
        {
            before.end = last.end;
        }
    }

    /// What stands at `from`, up to `to`. `None` if there is nothing between the two.
    pub(super) fn piece(&self, from: u64, to: u64) -> Option<Piece> {
        let to = to.min(self.total);
        if from >= to {
            return None;
        }
        let recent_from = self.recent.front().map_or(self.total, |chunk| chunk.at);
        if from >= recent_from {
            let index = self.recent.partition_point(|chunk| chunk.at <= from);
            let chunk = self.recent.get(index.checked_sub(1)?)?;
            let start = usize::try_from(from - chunk.at).ok()?;
            let end = chunk.data.len().min(usize::try_from(to - chunk.at).ok()?);
            return Some(Piece::Data(chunk.data.slice(start..end)));
        }
        let to = to.min(recent_from);
        let hole = self.missing.partition_point(|hole| hole.end <= from);
        let hole = self.missing.get(hole);
        if let Some(hole) = hole.filter(|hole| hole.start <= from) {
            return Some(Piece::Missing(hole.end.min(recent_from)));
        }
        let to = hole.map_or(to, |hole| to.min(hole.start));
        let index = self.segments.partition_point(|part| part.start <= from);
        let part = index.checked_sub(1).and_then(|at| self.segments.get(at));
        let Some(part) = part.filter(|part| from < part.end) else {
            return Some(Piece::Missing(to));
        };
        let end = to.min(part.end).min(from + Self::READ_BYTES);
        part.stored(from, end).map(Piece::Stored)
    }
}

/// Bytes that are about to be written to a spool file.
#[derive(Debug)]
pub(super) struct Writing {
    start: u64,
    chunks: Vec<Bytes>,
    segment: Option<Segment>,
}

/// How far a [`Writing`] came.
#[derive(Debug)]
pub(super) struct Written {
    range: Range<u64>,
    stored_to: u64,
    segment: Option<Segment>,
}

impl Writing {
    /// Writes as much as the file system takes. What it does not take is lost, and only that: a
    /// full disk neither stops nor ends the process.
    pub(super) fn write(self, directory: &Path) -> Written {
        let length: usize = self.chunks.iter().map(Bytes::len).sum();
        let mut written = Written {
            range: self.start..self.start + length as u64,
            stored_to: self.start,
            segment: None,
        };
        let segment = match self.segment {
            Some(segment) => Ok(segment),
            None => Segment::create(directory, self.start),
        };
        match segment {
            Ok(mut segment) => {
                for chunk in &self.chunks {
                    written.stored_to = segment.write(chunk, written.stored_to);
                }
                segment.end = segment.end.max(written.stored_to);
                written.segment = Some(segment);
            }
            Err(error) => {
                let directory = directory.display();
                tracing::warn!(%error, %directory, "no spool file: output is lost");
            }
        }
        written
    }
}

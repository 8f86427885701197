//! Files with holes, in archives and on disk.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;
use tar::{GnuExtSparseHeader, Header};

use super::facts::Facts;

/// Block of an archive.
const BLOCK: u64 = 512;

/// A file in more pieces is written with its holes filled.
const MAX_SEGMENTS: usize = 4096;

/// Smallest run of zeros that becomes a hole.
const HOLE: usize = 4096;

/// Offset and length of the data of a file with holes; `None` if it has none.
pub(super) fn data_segments(file: &File, facts: &Facts) -> Option<Vec<(u64, u64)>> {
    let size = facts.size;
    if facts.blocks.saturating_mul(512) >= size {
        return None;
    }
    let mut segments: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) if start < size => start / BLOCK * BLOCK,
            // Only a hole is left.
            Ok(_) | Err(Errno::NXIO) => break,
            Err(_) => return None,
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start.max(at))).ok()?;
        // Each piece but the last fills whole blocks.
        let end = end.div_ceil(BLOCK).saturating_mul(BLOCK).min(size);
        if end <= at || segments.len() == MAX_SEGMENTS {
            return None;
        }
        segments.push((start.max(at), end - start.max(at)));
        at = end;
    }
    if segments
        .last()
        .is_none_or(|(start, length)| start + length < size)
    {
        // Says how long the file is.
        segments.push((size, 0));
    }
    Some(segments)
}

/// Writes the segments into the header. What does not fit there is to come before the data.
pub(super) fn describe(header: &mut Header, size: u64, segments: &[(u64, u64)]) -> Cursor<Vec<u8>> {
    header.set_size(segments.iter().map(|(_, length)| length).sum());
    let mut rest = segments;
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.set_real_size(size);
        let (here, after) = segments.split_at(gnu.sparse.len().min(segments.len()));
        for (slot, (offset, length)) in gnu.sparse.iter_mut().zip(here) {
            slot.set_offset(*offset);
            slot.set_length(*length);
        }
        gnu.set_is_extended(!after.is_empty());
        rest = after;
    }
    let mut more = Vec::new();
    while !rest.is_empty() {
        let mut block = GnuExtSparseHeader::new();
        let (here, after) = rest.split_at(block.sparse.len().min(rest.len()));
        for (slot, (offset, length)) in block.sparse_mut().iter_mut().zip(here) {
            slot.set_offset(*offset);
            slot.set_length(*length);
        }
        block.set_is_extended(!after.is_empty());
        more.extend_from_slice(block.as_bytes());
        rest = after;
    }
    Cursor::new(more)
}

/// Reads segments of a file. What is missing, because the file became shorter, reads as zeros.
pub(super) struct Segments<'a> {
    file: &'a File,
    segments: std::vec::IntoIter<(u64, u64)>,
    at: u64,
    left: u64,
}

impl<'a> Segments<'a> {
    pub(super) fn new(file: &'a File, segments: Vec<(u64, u64)>) -> Self {
        Self {
            file,
            segments: segments.into_iter(),
            at: 0,
            left: 0,
        }
    }
}

impl Read for Segments<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            match self.segments.next() {
                Some((at, length)) => (self.at, self.left) = (at, length),
                None => return Ok(0),
            }
        }
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(buffer) = buffer.get_mut(..wanted) else {
            return Ok(0);
        };
        let mut count = self.file.read_at(buffer, self.at)?;
        if count == 0 {
            buffer.fill(0);
            count = wanted;
        }
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Copies content into a new file and leaves out what is zero. Answers its length.
pub(super) fn copy_with_holes(
    source: &mut impl Read,
    target: &File,
    buffer: &mut [u8],
) -> Result<u64, CopyFault> {
    let zeros = [0_u8; HOLE];
    let mut at = 0_u64;
    loop {
        let count = fill(source, buffer).map_err(CopyFault::Source)?;
        let data = buffer.get(..count).unwrap_or_default();
        let mut run = 0..0;
        for block in data.chunks(HOLE) {
            let is_zero = zeros.get(..block.len()) == Some(block);
            if is_zero {
                write(target, data, run.clone(), at)?;
                run = run.end + block.len()..run.end + block.len();
            } else {
                run.end += block.len();
            }
        }
        write(target, data, run, at)?;
        at += count as u64;
        if count < buffer.len() {
            break;
        }
    }
    // The last bytes may be a hole.
    target.set_len(at).map_err(CopyFault::Target)?;
    Ok(at)
}

/// Which side of a copy failed.
#[derive(Debug)]
pub(super) enum CopyFault {
    Source(io::Error),
    Target(io::Error),
}

fn write(
    target: &File,
    data: &[u8],
    run: std::ops::Range<usize>,
    at: u64,
) -> Result<(), CopyFault> {
    let start = run.start as u64;
    let data = data.get(run).unwrap_or_default();
    let written = target.write_all_at(data, at + start);
    written.map_err(CopyFault::Target)
}

/// Reads until the buffer is full or the source ends.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

//! Walks over the lines of a segment, from a place where one begins.

use std::fs::File;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::FileExt;

use crate::store::Encoded;

use super::line::{self, Parsed};

const CHUNK_BYTES: usize = 64 * 1024;

/// What stands next in a segment.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// A whole line.
    Line { offset: u64, json: &'a [u8] },
    /// Bytes that are no line, with a whole line or the end of the segment after them.
    Damage { from: u64, at_end: bool },
    /// Nothing more.
    End,
}

/// Reads a file from an offset up to a length, which can be less than that of the file.
#[derive(Debug)]
pub(super) struct Scan<'f> {
    file: &'f File,
    /// Offset of the next byte that is not in the buffer.
    read_to: u64,
    end: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    done: usize,
}

impl<'f> Scan<'f> {
    pub(super) fn new(file: &'f File, from: u64, end: u64) -> Self {
        Self {
            file,
            read_to: from.min(end),
            end,
            buffer: Vec::new(),
            done: 0,
        }
    }

    /// The next piece; after `End` always `End`.
    pub(super) fn next(&mut self) -> Result<Piece<'_>> {
        if self.fill(line::HEADER_BYTES)? == 0 {
            return Ok(Piece::End);
        }
        let offset = self.offset();
        match self.line_here()? {
            Some(size) => {
                self.done += size;
                let json = self
                    .buffer
                    .get(self.done - size + line::HEADER_BYTES..self.done - 1)
                    .unwrap_or_default();
                Ok(Piece::Line { offset, json })
            }
            None => self.skip_damage(offset),
        }
    }

    /// Offset of the next piece.
    pub(super) fn offset(&self) -> u64 {
        self.read_to - (self.buffer.len() - self.done) as u64
    }

    /// Size of the whole line at this place, if there is one.
    fn line_here(&mut self) -> Result<Option<usize>> {
        loop {
            let rest = self.buffer.get(self.done..).unwrap_or_default();
            match line::parse(rest, Encoded::MAX_BYTES) {
                Parsed::Line { size, .. } => return Ok(Some(size)),
                Parsed::Damaged => return Ok(None),
                Parsed::Incomplete { size } => {
                    // A length that points beyond the end needs no reading to be refused.
                    if self.offset() + size as u64 > self.end || self.fill(size)? < size {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Goes on to the next place after a line feed where a whole line stands.
    fn skip_damage(&mut self, from: u64) -> Result<Piece<'static>> {
        loop {
            let rest = self.buffer.get(self.done..).unwrap_or_default();
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    self.done += at + 1;
                    if self.fill(line::HEADER_BYTES)? == 0 {
                        break;
                    }
                    if self.line_here()?.is_some() {
                        return Ok(Piece::Damage {
                            from,
                            at_end: false,
                        });
                    }
                }
                None => {
                    self.done = self.buffer.len();
                    if self.fill(1)? == 0 {
                        break;
                    }
                }
            }
        }
        Ok(Piece::Damage { from, at_end: true })
    }

    /// Sees to it that the buffer holds `wanted` unread bytes, or all that are left; returns how
    /// many it holds.
    fn fill(&mut self, wanted: usize) -> Result<usize> {
        let held = self.buffer.len() - self.done;
        if held >= wanted || self.read_to >= self.end {
            return Ok(held);
        }
        self.buffer.drain(..self.done);
        self.done = 0;
        let left = usize::try_from(self.end - self.read_to).unwrap_or(usize::MAX);
        let goal = held + left.min((wanted - held).max(CHUNK_BYTES));
        self.buffer.resize(goal, 0);
        let mut filled = held;
        while filled < goal {
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            match self.file.read_at(room, self.read_to) {
                Ok(0) => {
                    // The file is shorter than was said: what is missing is damage.
                    self.end = self.read_to;
                    break;
                }
                Ok(read) => {
                    filled += read;
                    self.read_to += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(filled);
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(filled)
    }
}

//! Server-sent events, as the HTML standard defines their stream (section "Parsing an event
//! stream"): bytes in, in any pieces; events out.
//!
//! Each byte is looked at once and copied at most twice, whatever the pieces are; an event may not
//! grow past a limit. Fields that a request of a model has no use for (`id`, `retry`) are skipped.

use std::fmt;

use bytes::{Buf, Bytes};
use memchr::memchr2;

/// An event, valid until the parser goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SseEvent<'p> {
    /// Value of the last `event` field; empty if there was none.
    pub(crate) name: &'p [u8],
    /// Values of the `data` fields, joined by line feeds.
    pub(crate) data: &'p [u8],
}

/// An event is larger than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventTooLarge {
    pub(crate) max_bytes: usize,
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an event of the stream is larger than {} bytes",
            self.max_bytes
        )
    }
}

impl std::error::Error for EventTooLarge {}

/// Splits a stream of bytes into events.
#[derive(Debug)]
pub(crate) struct SseParser {
    input: Bytes,
    /// The beginning of a line whose end is not there yet.
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The event in `name` and `data` was given out.
    given: bool,
    /// The last line ended with a carriage return: a line feed now belongs to it.
    after_return: bool,
    /// No line was read yet: it may begin with a byte order mark.
    at_start: bool,
    max_bytes: usize,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl SseParser {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            input: Bytes::new(),
            line: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
            given: false,
            after_return: false,
            at_start: true,
            max_bytes,
        }
    }

    /// Takes the next piece. Call it when [`next`](Self::next) has nothing more.
    pub(crate) fn push(&mut self, piece: Bytes) {
        debug_assert!(self.input.is_empty(), "events of the last piece were left");
        self.input = piece;
    }

    /// The next event that is whole.
    pub(crate) fn next(&mut self) -> Result<Option<SseEvent<'_>>, EventTooLarge> {
        self.forget_given();
        while let Some(end) = self.find_line_end() {
            let mut input = std::mem::take(&mut self.input);
            let rest = input.split_off(end);
            let is_over = if self.line.is_empty() {
                self.take_line(&input)?
            } else {
                self.keep(&input)?;
                let mut line = std::mem::take(&mut self.line);
                let is_over = self.take_line(&line)?;
                line.clear();
                self.line = line;
                is_over
            };
            self.after_return = rest.first() == Some(&b'\r');
            self.input = rest;
            self.input.advance(1);
            if is_over {
                return Ok(Some(self.give()));
            }
        }
        let rest = std::mem::take(&mut self.input);
        self.keep(&rest)?;
        Ok(None)
    }

    /// What the end of the stream leaves: an event without the empty line after it. The standard
    /// drops it; some servers end so.
    pub(crate) fn finish(&mut self) -> Result<Option<SseEvent<'_>>, EventTooLarge> {
        self.forget_given();
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line)?;
        }
        Ok(self.has_data.then(|| self.give()))
    }

    fn give(&mut self) -> SseEvent<'_> {
        self.given = true;
        SseEvent {
            name: &self.name,
            data: &self.data,
        }
    }

    fn forget_given(&mut self) {
        if self.given {
            self.given = false;
            self.has_data = false;
            self.name.clear();
            self.data.clear();
        }
    }

    /// Where the line ends that the input begins with.
    fn find_line_end(&mut self) -> Option<usize> {
        if self.after_return && !self.input.is_empty() {
            self.after_return = false;
            if self.input.first() == Some(&b'\n') {
                self.input.advance(1);
            }
        }
        memchr2(b'\n', b'\r', &self.input)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), EventTooLarge> {
        self.check(self.line.len() + piece.len())?;
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn check(&self, more: usize) -> Result<(), EventTooLarge> {
        if self.name.len() + self.data.len() + more > self.max_bytes {
            return Err(EventTooLarge {
                max_bytes: self.max_bytes,
            });
        }
        Ok(())
    }

    /// Takes a whole line; says whether it ends an event.
    fn take_line(&mut self, mut line: &[u8]) -> Result<bool, EventTooLarge> {
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.is_empty() {
            if !self.has_data {
                self.name.clear();
            }
            return Ok(self.has_data);
        }
        if let Some(value) = field(line, b"data") {
            self.check(value.len() + 1)?;
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(value);
        } else if let Some(value) = field(line, b"event") {
            self.check(value.len())?;
            self.name.clear();
            self.name.extend_from_slice(value);
        }
        // Anything else is a comment, or a field without a meaning here.
        Ok(false)
    }
}

/// The value of a line of this field, without the one space that may stand before it.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;

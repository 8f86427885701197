//! Masks a stream, wherever its chunks are cut.

use std::fmt;
use std::ops::Range;

use aho_corasick::automaton::StateID;
use bytes::{Bytes, BytesMut};

use crate::secret::forms::MIN_BYTES;
use crate::secret::masker::{Edge, Masker};
use crate::secret::searcher::{Searcher, Sink};
use crate::secret::value::MASK;

/// Masks a stream of bytes: the result does not depend on where the chunks are cut.
///
/// Held back is only what may turn out to be the beginning of a secret, so at most one byte less
/// than the longest form of a secret. Without secrets chunks pass through uncopied.
pub struct StreamMasker {
    masker: Masker,
    state: StateID,
    /// Bytes that were read and not given out.
    tail: Bytes,
    /// Secrets inside the tail whose beginning is not settled: disjoint, in order.
    found: Vec<Range<usize>>,
    /// Bytes at the beginning of the tail that a mask stands for already.
    hidden: usize,
}

impl StreamMasker {
    pub(super) fn new(masker: Masker) -> Self {
        let state = masker.searcher().map(Searcher::start).unwrap_or_default();
        Self {
            masker,
            state,
            tail: Bytes::new(),
            found: Vec::new(),
            hidden: 0,
        }
    }

    /// Takes a chunk and gives out what is certain by now; may be empty.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let Some(searcher) = self.masker.searcher() else {
            return chunk;
        };
        let read = self.tail.len();
        let buffer = if read == 0 {
            chunk
        } else {
            let mut joined = BytesMut::with_capacity(read + chunk.len());
            joined.extend_from_slice(&self.tail);
            joined.extend_from_slice(&chunk);
            joined.freeze()
        };
        let found = &mut self.found;
        let hidden = &mut self.hidden;
        let fresh = buffer.get(read..).unwrap_or_default();
        self.state = searcher.read(self.state, fresh, |len, end| {
            let end = read + end;
            note(found, hidden, end.saturating_sub(len)..end);
            Sink::More
        });
        let held = searcher.held(self.state);
        let settled = buffer.len().saturating_sub(held);
        self.release(&buffer, settled)
    }

    /// Ends the stream and gives out the rest. The masker is then as new.
    pub fn finish(&mut self) -> Bytes {
        self.finish_at(Edge::Whole)
    }

    /// Like [`finish`](Self::finish), with what the end of the stream is: at a cut, the beginning
    /// of a secret (four bytes or more) is hidden too.
    pub fn finish_at(&mut self, end: Edge) -> Bytes {
        let Some(searcher) = self.masker.searcher() else {
            return Bytes::new();
        };
        let buffer = std::mem::take(&mut self.tail);
        if end == Edge::Cut && searcher.held(self.state) >= MIN_BYTES {
            let begun = buffer.len().saturating_sub(searcher.held(self.state));
            note(&mut self.found, &mut self.hidden, begun..buffer.len());
        }
        self.state = searcher.start();
        let rest = self.release(&buffer, buffer.len());
        self.hidden = 0;
        rest
    }

    /// Number of bytes that are held back at present.
    pub fn held_bytes(&self) -> usize {
        self.tail.len()
    }

    /// Starts with the end of a secret that began before the stream: hides its first bytes.
    pub(super) fn begin_hidden(&mut self, len: usize) -> Bytes {
        self.hidden = len;
        Bytes::from_static(MASK.as_bytes())
    }

    /// Gives out everything before `settled` and keeps the rest. No secret that is still to be
    /// found begins before `settled`; one that was found may still grow beyond it.
    fn release(&mut self, buffer: &Bytes, settled: usize) -> Bytes {
        let certain = self.found.iter().take_while(|s| s.start < settled).count();
        let mut at = self.hidden;
        let out = if certain == 0 && at == 0 {
            buffer.slice(..settled)
        } else {
            let mut out = BytesMut::with_capacity(settled);
            for secret in self.found.drain(..certain) {
                out.extend_from_slice(buffer.get(at..secret.start).unwrap_or_default());
                out.extend_from_slice(MASK.as_bytes());
                at = secret.end;
            }
            out.extend_from_slice(buffer.get(at..settled).unwrap_or_default());
            out.freeze()
        };
        self.hidden = at.saturating_sub(settled);
        for secret in &mut self.found {
            *secret = secret.start - settled..secret.end - settled;
        }
        // A copy, so that a short tail does not keep a large chunk alive.
        self.tail = Bytes::copy_from_slice(buffer.get(settled..).unwrap_or_default());
        out
    }
}

/// Adds a secret that ends after all that were found before; those it overlaps become one.
fn note(found: &mut Vec<Range<usize>>, hidden: &mut usize, secret: Range<usize>) {
    while found.last().is_some_and(|last| last.start >= secret.start) {
        found.pop();
    }
    match found.last_mut() {
        Some(last) if last.end > secret.start => last.end = secret.end,
        None if secret.start < *hidden => *hidden = secret.end.max(*hidden),
        _ => found.push(secret),
    }
}

impl fmt::Debug for StreamMasker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamMasker")
            .field("masker", &self.masker)
            .field("held_bytes", &self.tail.len())
            .finish_non_exhaustive()
    }
}

//! The limits of a page, and of what is asked for at once to fill it.

use oh_core::Result;

use crate::store::{Damage, Encoded, ReadRange};

use super::piece::Piece;

/// Largest number of messages that are asked for at once.
const WINDOW: u64 = 64;

/// Bytes of messages that are asked for at once, as far as can be foreseen.
const WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// Events that were read, within the limits of a page.
pub(super) struct Page {
    pub(super) events: Vec<Encoded>,
    limit: usize,
    bytes_left: usize,
}

/// Whether a page takes more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

impl Page {
    pub(super) fn new(range: &ReadRange) -> Self {
        Self {
            events: Vec::new(),
            limit: range.limit,
            bytes_left: range.max_bytes,
        }
    }

    pub(super) fn push(&mut self, event: Encoded) -> More {
        let bytes = event.json().len();
        if self.events.len() >= self.limit || (!self.events.is_empty() && bytes > self.bytes_left) {
            return More::No;
        }
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.events.push(event);
        if self.events.len() >= self.limit {
            More::No
        } else {
            More::Yes
        }
    }

    /// Ends the page before damage, unless it begins with it.
    pub(super) fn end_before(self, damage: Damage) -> Result<Vec<Encoded>> {
        if self.events.is_empty() {
            Err(damage.into())
        } else {
            Ok(self.events)
        }
    }
}

/// How many messages to ask for at once: more with each time, as long as they are small.
pub(super) struct Window {
    messages: u64,
}

impl Window {
    pub(super) fn new(messages: u64) -> Self {
        Self { messages }
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    pub(super) fn grow(&mut self, pieces: &[Option<Piece>]) {
        let bytes: u64 = pieces
            .iter()
            .flatten()
            .map(|piece| piece.payload.len() as u64)
            .sum();
        let each = bytes / (pieces.len() as u64).max(1) + 1;
        self.messages = (self.messages * 2)
            .min(WINDOW_BYTES / each)
            .clamp(1, WINDOW);
    }
}

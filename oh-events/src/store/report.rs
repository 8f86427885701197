//! What was found when a log was opened.

use oh_core::EventId;

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// Id that the next event gets.
    pub next: EventId,
    /// Bytes of an unfinished last write that were cut off.
    pub cut_bytes: u64,
    /// File that was cut, if one was.
    pub cut_file: Option<String>,
}

impl OpenReport {
    /// Reports a log whose next event gets this id, and nothing else.
    pub fn new(next: EventId) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// Notes bytes that were cut off the end of a file.
    #[must_use]
    pub fn cut(mut self, file: impl Into<String>, bytes: u64) -> Self {
        self.cut_file = Some(file.into());
        self.cut_bytes = bytes;
        self
    }
}

//! What a log folds to, kept beside it.

use bytes::Bytes;
use oh_core::EventId;

/// What the events before an id fold to, as bytes of whoever made them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// First event that is not folded in.
    pub next: EventId,
    /// The folded state; at most 16 MiB.
    pub data: Bytes,
}

impl Snapshot {
    /// Largest number of bytes of [`data`](Self::data).
    pub const MAX_BYTES: usize = 16 * 1024 * 1024;

    /// Holds the state after the events before `next`.
    pub fn new(next: EventId, data: impl Into<Bytes>) -> Self {
        Self {
            next,
            data: data.into(),
        }
    }
}

//! Who opens a log for writing, and how.

use std::time::Duration;

/// When an append returns, and what a crash of the machine can take.
///
/// With every policy an event that was acknowledged survives the death of the process (SIGKILL
/// included); the policies differ in what survives a crash of the system or a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The system writes to disk when it likes.
    Never,
    /// Written to disk at most this long after the append, in the background.
    Interval(Duration),
    /// The append returns when the event is on disk; appends of the same moment share one sync.
    Group,
    /// The append returns when the event is on disk, and every event has a sync of its own.
    Each,
}

impl Default for Durability {
    /// Every second: an append costs one write to the page cache, and a loss of power takes a
    /// second of work at most.
    fn default() -> Self {
        Self::Interval(Duration::from_secs(1))
    }
}

impl Durability {
    /// Whether an acknowledged append is on disk.
    pub fn is_synced(self) -> bool {
        matches!(self, Self::Group | Self::Each)
    }
}

/// The one writer of a log: a name for messages, and its durability.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Writer {
    /// Shown to whoever finds the log taken.
    pub name: String,
    /// When an append returns.
    pub durability: Durability,
}

impl Writer {
    /// Names a writer, with the default durability.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            durability: Durability::default(),
        }
    }

    /// Sets the [`durability`](Self::durability).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}

//! Output that is kept apart from the event that speaks of it.

use serde::{Deserialize, Serialize};

/// Names bytes in a blob store: the whole output of a command, say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BlobRef {
    /// Name within the store of the session.
    pub id: String,
    /// Length in bytes.
    pub len: u64,
    /// SHA-256 of the bytes, in lower-case hexadecimal digits.
    pub sha256: String,
    /// False if the blob holds less than was written, because a limit was reached.
    pub complete: bool,
}

impl BlobRef {
    /// Names a complete blob.
    pub fn new(id: impl Into<String>, len: u64, sha256: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            len,
            sha256: sha256.into(),
            complete: true,
        }
    }

    /// Marks the blob as cut off.
    #[must_use]
    pub fn incomplete(mut self) -> Self {
        self.complete = false;
        self
    }
}

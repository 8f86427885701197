//! Writing a file.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::meta::FileVersion;
use super::stream::ByteStream;

/// What `write` puts into a file.
#[non_exhaustive]
pub enum Body {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes as they arrive. The target changes only after the last of them.
    Stream(ByteStream),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Body::Bytes({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Body::Stream"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::Bytes(Bytes::from_static(text.as_bytes()))
    }
}

impl From<ByteStream> for Body {
    fn from(stream: ByteStream) -> Self {
        Self::Stream(stream)
    }
}

/// When `write` may write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WriteMode {
    /// Creates the file or replaces its content.
    #[default]
    CreateOrReplace,
    /// Only if there is nothing.
    CreateNew,
    /// Only if the file has this version.
    IfVersion(FileVersion),
}

/// Whether missing parent directories are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parents {
    /// Makes them.
    #[default]
    Create,
    /// Fails with [`NotFound`](crate::ErrorKind::NotFound).
    Require,
}

/// How `write` writes. The write is atomic: readers see the old content or the new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteOptions {
    /// When to write.
    pub mode: WriteMode,
    /// Permission bits; an existing file keeps its own, a new one gets `0o644`, if `None`.
    pub permissions: Option<u32>,
    /// Missing parent directories.
    pub parents: Parents,
}

impl WriteOptions {
    /// Sets when to write.
    #[must_use]
    pub fn mode(mut self, mode: WriteMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the permission bits.
    #[must_use]
    pub fn permissions(mut self, bits: u32) -> Self {
        self.permissions = Some(bits);
        self
    }

    /// Sets what happens to missing parents.
    #[must_use]
    pub fn parents(mut self, parents: Parents) -> Self {
        self.parents = parents;
        self
    }
}

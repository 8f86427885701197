//! What is known of a file.

use serde::{Deserialize, Serialize};

use crate::runtime::path::SandboxPath;
use crate::time::Timestamp;

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or named pipe.
    Other,
}

/// Opaque mark of the content of a file, for conditional writes.
///
/// Equal marks mean an unchanged file among the callers of one runtime; against other programs it
/// is best effort.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileVersion(String);

impl FileVersion {
    /// Wraps a mark that a runtime made.
    pub fn new(mark: impl Into<String>) -> Self {
        Self(mark.into())
    }

    /// The mark.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileMeta {
    /// The path, absolute as commands see it.
    pub path: SandboxPath,
    /// What it is. Links are followed, except by `list` and by [`LinkMode::Keep`].
    pub kind: FileKind,
    /// Size in bytes; 0 for what has none.
    pub size_bytes: u64,
    /// Permission bits (`0o7777`), where there are any.
    pub mode: Option<u32>,
    /// Owner, where there is one.
    pub uid: Option<u32>,
    /// Group, where there is one.
    pub gid: Option<u32>,
    /// Last change of the content.
    pub modified: Option<Timestamp>,
    /// Mark of the content, for a regular file.
    pub version: Option<FileVersion>,
    /// Where a link points, as it is written there.
    pub link_target: Option<String>,
    /// The last component as bytes, if it is no UTF-8; `path` then has U+FFFD in it and cannot be
    /// used to open the file.
    pub raw_name: Option<Vec<u8>>,
}

impl FileMeta {
    /// The least that can be known.
    pub fn new(path: SandboxPath, kind: FileKind, size_bytes: u64) -> Self {
        Self {
            path,
            kind,
            size_bytes,
            mode: None,
            uid: None,
            gid: None,
            modified: None,
            version: None,
            link_target: None,
            raw_name: None,
        }
    }
}

/// Whether the last component of a path is followed if it is a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkMode {
    /// Looks at what the link points to.
    #[default]
    Follow,
    /// Looks at the link itself.
    Keep,
}

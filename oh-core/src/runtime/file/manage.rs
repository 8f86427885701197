//! Removing, renaming, copying.

use serde::{Deserialize, Serialize};

/// Whether `remove` takes whole trees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoveMode {
    /// A file, a link or an empty directory.
    #[default]
    Single,
    /// A directory with all that is in it; links in it are removed, not followed.
    Tree,
}

/// What `rename` does when the target exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenameMode {
    /// Replaces it as `rename(2)` does.
    #[default]
    Replace,
    /// Fails with [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    KeepTarget,
}

/// Form of the bytes of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CopyFormat {
    /// A POSIX tar archive of a tree: modes, links, empty directories, times. The entries are
    /// relative to the directory that is copied.
    #[default]
    Tar,
    /// The bytes of one file.
    File,
}

/// How a copy in or out works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Form of the bytes.
    pub format: CopyFormat,
    /// Largest number of entries. Default 1,000,000.
    pub max_entries: u64,
    /// Largest sum of file sizes. Default 64 GiB.
    pub max_bytes: u64,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            format: CopyFormat::Tar,
            max_entries: 1_000_000,
            max_bytes: 64 << 30,
        }
    }
}

impl CopyOptions {
    /// Copies one file as plain bytes.
    pub fn file() -> Self {
        Self {
            format: CopyFormat::File,
            ..Self::default()
        }
    }

    /// Sets the largest number of entries.
    #[must_use]
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets the largest sum of file sizes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }
}

/// What a copy in did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CopySummary {
    /// Regular files written, hard links included.
    pub files: u64,
    /// Directories made or kept.
    pub directories: u64,
    /// Symbolic links made.
    pub symlinks: u64,
    /// Sum of file sizes.
    pub bytes: u64,
}

//! Paths as commands of a sandbox see them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A path as commands of the sandbox see it: UTF-8, no NUL, at most 4,096 bytes.
///
/// A relative path means below the workspace of the runtime
/// ([`Descriptor::workspace`](super::Descriptor::workspace)). For the local runtime it equals the
/// path on the host; for others it says nothing about the host. `.` components, doubled and
/// trailing slashes are removed; `..` is kept, since what it means depends on links: each runtime
/// resolves it against its file system and its scope.
///
/// ```
/// use oh_core::SandboxPath;
/// let path = SandboxPath::new("src//./main.rs")?;
/// assert_eq!(path.as_str(), "src/main.rs");
/// assert!(SandboxPath::new("a\0b").is_err());
/// # Ok::<(), oh_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SandboxPath(String);

impl SandboxPath {
    /// Longest path in bytes, as Linux has it (`PATH_MAX`).
    pub const MAX_BYTES: usize = 4096;

    /// Checks and normalises a path. The empty text and `.` are the workspace itself.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a NUL byte or more than
    /// [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(path: impl AsRef<str>) -> Result<Self> {
        let path = path.as_ref();
        if path.len() > Self::MAX_BYTES {
            let start: String = path.chars().take(64).collect();
            return Err(Error::invalid("path", "a path has at most 4096 bytes")
                .with_object(format!("{start}…")));
        }
        if path.contains('\0') {
            return Err(Error::invalid("path", "a path cannot hold a NUL byte").with_object(path));
        }
        let mut normal = String::with_capacity(path.len());
        if path.starts_with('/') {
            normal.push('/');
        }
        for component in path
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
        {
            if !normal.is_empty() && !normal.ends_with('/') {
                normal.push('/');
            }
            normal.push_str(component);
        }
        if normal.is_empty() {
            normal.push('.');
        }
        Ok(Self(normal))
    }

    /// The workspace itself.
    pub fn workspace() -> Self {
        Self(".".to_owned())
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path starts at the root.
    pub fn is_absolute(&self) -> bool {
        self.0.starts_with('/')
    }

    /// This path extended by another; an absolute one replaces it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn join(&self, tail: impl AsRef<str>) -> Result<Self> {
        let tail = tail.as_ref();
        if tail.starts_with('/') {
            Self::new(tail)
        } else {
            Self::new(format!("{}/{tail}", self.0))
        }
    }

    /// The last component, unless it is `..`, the root or the workspace.
    pub fn file_name(&self) -> Option<&str> {
        let name = self.0.rsplit('/').next()?;
        (!name.is_empty() && name != ".." && name != ".").then_some(name)
    }

    /// The path without its last component.
    pub fn parent(&self) -> Option<Self> {
        self.file_name()?;
        Some(match self.0.rsplit_once('/') {
            Some(("", _)) => Self("/".to_owned()),
            Some((parent, _)) => Self(parent.to_owned()),
            None => Self::workspace(),
        })
    }
}

impl fmt::Display for SandboxPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SandboxPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SandboxPath({:?})", self.0)
    }
}

impl TryFrom<String> for SandboxPath {
    type Error = Error;

    fn try_from(path: String) -> Result<Self> {
        Self::new(path)
    }
}

impl TryFrom<&str> for SandboxPath {
    type Error = Error;

    fn try_from(path: &str) -> Result<Self> {
        Self::new(path)
    }
}

impl std::str::FromStr for SandboxPath {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self> {
        Self::new(path)
    }
}

impl From<SandboxPath> for String {
    fn from(path: SandboxPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_without_touching_dot_dot() {
        for (given, normal) in [
            ("", "."),
            (".", "."),
            ("./", "."),
            ("/", "/"),
            ("//a//b/", "/a/b"),
            ("a/./b", "a/b"),
            ("a/../b", "a/../b"),
            ("../x", "../x"),
        ] {
            assert_eq!(
                SandboxPath::new(given).unwrap().as_str(),
                normal,
                "{given:?}"
            );
        }
    }

    #[test]
    fn joining_keeps_the_rules() {
        let base = SandboxPath::new("/w").unwrap();
        assert_eq!(base.join("a/b").unwrap().as_str(), "/w/a/b");
        assert_eq!(base.join("/etc").unwrap().as_str(), "/etc");
        assert_eq!(SandboxPath::workspace().join("a").unwrap().as_str(), "a");
        assert!(base.join("a\0").is_err());
    }

    #[test]
    fn parents_end_at_the_root_and_at_the_workspace() {
        let parent = |text: &str| SandboxPath::new(text).unwrap().parent().map(String::from);
        assert_eq!(parent("/a/b"), Some("/a".into()));
        assert_eq!(parent("/a"), Some("/".into()));
        assert_eq!(parent("/"), None);
        assert_eq!(parent("a"), Some(".".into()));
        assert_eq!(parent("."), None);
        assert_eq!(parent("a/.."), None);
    }
}

//! The file system as the methods of one runtime see it.

use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oh_core::edit::UndoHistory;
use oh_core::{Error, ErrorKind, LinkMode, Result, SandboxPath};
use rustix::fs::{Mode, OFlags};

use super::call::Call;
use super::facts::Facts;
use super::scope::FileScope;
use super::tree::{Bounds, Place, Tree};

/// Locks that calls share by the hash of what they write.
const STRIPES: usize = 64;

/// Tree, locks and undo history of one runtime.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) tree: Tree,
    pub(super) workspace: SandboxPath,
    scope: FileScope,
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
    undo: Mutex<UndoHistory>,
}

impl Volume {
    pub(super) fn open(workspace: &Path, scope: FileScope) -> Result<Self> {
        let bounds = match scope {
            FileScope::Workspace => Bounds::Beneath,
            FileScope::Anywhere => Bounds::None,
        };
        Self::with_bounds(workspace, scope, bounds)
    }

    pub(super) fn with_bounds(workspace: &Path, scope: FileScope, bounds: Bounds) -> Result<Self> {
        let call = Call::about("open workspace", workspace.to_string_lossy());
        let canonical = std::fs::canonicalize(workspace).map_err(|error| call.io(error))?;
        let text = canonical.to_str().ok_or_else(|| {
            call.invalid("the path of a workspace has to be UTF-8; choose another directory")
        })?;
        let path = SandboxPath::new(text)?;
        let mut names = vec![canonical.clone()];
        // The path as it was given names the workspace too, even if it leads through a link.
        if let Ok(given) = std::path::absolute(workspace) {
            names.push(given);
        }
        let tree = Tree::open(&canonical, names, bounds).map_err(|errno| call.errno(errno))?;
        Ok(Self {
            tree,
            workspace: path,
            scope,
            stripes: std::array::from_fn(|_| Mutex::new(())),
            hasher: RandomState::new(),
            undo: Mutex::new(UndoHistory::new()),
        })
    }

    pub(super) fn scope(&self) -> FileScope {
        self.scope
    }

    /// The path as commands see it: absolute.
    pub(super) fn visible(&self, path: &SandboxPath) -> SandboxPath {
        if path.is_absolute() {
            return path.clone();
        }
        if *path == SandboxPath::workspace() {
            return self.workspace.clone();
        }
        // Only a path beyond the limit of length fails, and such a one cannot be opened either.
        self.workspace
            .join(path.as_str())
            .unwrap_or_else(|_| path.clone())
    }

    pub(super) fn locate(&self, path: &SandboxPath, links: LinkMode, call: &Call) -> Result<Place> {
        let place = self.tree.locate(Path::new(path.as_str()), links);
        place.map_err(|miss| call.miss(miss))
    }

    /// Opens a directory so that its entries can be read.
    pub(super) fn open_readable_dir(
        &self,
        path: &SandboxPath,
        call: &Call,
    ) -> Result<std::os::fd::OwnedFd> {
        let place = self.locate(path, LinkMode::Follow, call)?;
        place.open_dir().map_err(|errno| call.errno(errno))
    }

    /// Holds off other writers of this place among the callers of this runtime.
    pub(super) fn lock(&self, key: &PlaceKey) -> MutexGuard<'_, ()> {
        self.lock_stripe(self.stripe(key))
    }

    /// As [`lock`](Self::lock) for two places, always in the same order.
    pub(super) fn lock_both(
        &self,
        one: &PlaceKey,
        other: &PlaceKey,
    ) -> (MutexGuard<'_, ()>, Option<MutexGuard<'_, ()>>) {
        let (one, other) = (self.stripe(one), self.stripe(other));
        let first = self.lock_stripe(one.min(other));
        let second = (one != other).then(|| self.lock_stripe(one.max(other)));
        (first, second)
    }

    fn stripe(&self, key: &PlaceKey) -> usize {
        (self.hasher.hash_one(&key.0) % STRIPES as u64) as usize
    }

    fn lock_stripe(&self, index: usize) -> MutexGuard<'_, ()> {
        // The index is below the length.
        let stripe = self.stripes.get(index).unwrap_or(&self.stripes[0]);
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn undo(&self) -> MutexGuard<'_, UndoHistory> {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name in a directory, the same for every path that leads there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PlaceKey(String);

impl Place {
    pub(super) fn key(&self, call: &Call) -> Result<PlaceKey> {
        let facts = Facts::of(&self.dir).map_err(|errno| call.errno(errno))?;
        let name = self.name.as_deref().unwrap_or(OsStr::new(""));
        let name: String = name.as_bytes().escape_ascii().to_string();
        Ok(PlaceKey(format!("{:x}.{:x}/{name}", facts.dev, facts.ino)))
    }

    /// Names the history of the place. A new directory may get the number of a removed one, so
    /// the path belongs to the name where the system tells it.
    pub(super) fn history(&self, key: &PlaceKey) -> String {
        let dir = format!("/proc/self/fd/{}", self.dir.as_raw_fd());
        match std::fs::read_link(dir) {
            Ok(path) => format!("{} {}", key.0, path.as_os_str().as_bytes().escape_ascii()),
            Err(_) => key.0.clone(),
        }
    }

    /// What stands here, a link not followed.
    pub(super) fn facts(&self) -> Result<Facts, rustix::io::Errno> {
        match &self.name {
            Some(name) => Facts::at(&self.dir, name),
            None => Facts::of(&self.dir),
        }
    }

    /// Opens the directory that stands here so that its entries can be read.
    pub(super) fn open_dir(&self) -> Result<std::os::fd::OwnedFd, rustix::io::Errno> {
        let name = self.name.as_deref().unwrap_or(OsStr::new("."));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.dir, name, flags, Mode::empty())
    }

    /// The name of a file.
    pub(super) fn file_name(&self, call: &Call) -> Result<&OsStr> {
        self.name
            .as_deref()
            .ok_or_else(|| call.kind(ErrorKind::IsADirectory))
    }
}

/// Makes an error out of a lost background job.
pub(super) fn lost_job(operation: &'static str, error: tokio::task::JoinError) -> Error {
    let kind = if error.is_cancelled() {
        ErrorKind::Gone
    } else {
        ErrorKind::Internal
    };
    Error::new(kind, operation).with_source(error)
}

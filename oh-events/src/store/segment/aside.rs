//! Directories beside the sessions: what is being built, and what is being removed.
//!
//! Their names begin with a dot, which no session's name does. Whoever works on one holds its
//! lock, so that what a crash left can be told from what someone works on.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind as Io, Result};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use oh_core::SessionId;

use super::holder_file::LOCK;
use super::{contents, directory};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Fork,
    Removed,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Fork => ".fork.",
            Self::Removed => ".removed.",
        }
    }
}

/// A fresh name beside a session.
pub(super) fn name(root: &Path, purpose: Purpose, session: &SessionId) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let path = root.join(format!("{}{session}.{process}-{number}", purpose.prefix()));
        // Left by a process that had the same number.
        if path.symlink_metadata().is_err() {
            return path;
        }
    }
}

/// A session that is being built. Dropped before it is published, it is removed.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) path: PathBuf,
    lock: std::fs::File,
    published: bool,
}

impl Stage {
    pub(super) fn new(root: &Path, session: &SessionId) -> Result<Self> {
        loop {
            let path = name(root, Purpose::Fork, session);
            DirBuilder::new().mode(0o700).create(&path)?;
            let lock = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path.join(LOCK));
            match lock {
                // Unless it was swept away before it was locked.
                Ok(lock) if lock.try_lock().is_ok() && path.join(LOCK).exists() => {
                    return Ok(Self {
                        path,
                        lock,
                        published: false,
                    });
                }
                Ok(_) => {}
                Err(error) if error.kind() == Io::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the session its name, as a whole; `AlreadyExists` if the name is taken.
    pub(super) fn publish(mut self, to: &Path) -> Result<()> {
        directory::sync(&self.path);
        match std::fs::rename(&self.path, to) {
            Ok(()) => self.published = true,
            Err(error) if is_taken(error.kind()) => return Err(Io::AlreadyExists.into()),
            Err(error) => return Err(error),
        }
        if let Some(root) = to.parent() {
            directory::sync(root);
        }
        Ok(())
    }
}

fn is_taken(kind: Io) -> bool {
    matches!(
        kind,
        Io::DirectoryNotEmpty | Io::AlreadyExists | Io::NotADirectory
    )
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = contents::remove(&self.path)
        {
            tracing::debug!(%error, "an unfinished fork was not removed");
        }
        // See `Held`.
        let _ = self.lock.unlock();
    }
}

/// Finishes what crashes interrupted; returns the sessions whose removal it finished. What cannot
/// be removed now is left for the next time.
pub(super) fn sweep(root: &Path) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    let entries = match root.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == Io::NotFound => return Ok(removed),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().into_string().ok() else {
            continue;
        };
        // Of a link, which no one here makes, what it leads to would be removed.
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let path = entry.path();
        let swept = if name.starts_with(Purpose::Fork.prefix()) {
            sweep_fork(&path)
        } else if let Some(rest) = name.strip_prefix(Purpose::Removed.prefix()) {
            contents::remove(&path).map(|()| {
                let session = rest.rsplit_once('.').map(|(session, _)| session.to_owned());
                removed.extend(session);
            })
        } else {
            continue;
        };
        if let Err(error) = swept {
            tracing::debug!(%error, path = %path.display(), "a leftover was not removed");
        }
    }
    Ok(removed)
}

/// Removes a fork unless someone works on it.
fn sweep_fork(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).open(path.join(LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => contents::remove(path),
            Err(_) => Ok(()),
        },
        // It is about to get its lock, or a crash came between; only an empty one is removed.
        Err(error) if error.kind() == Io::NotFound => std::fs::remove_dir(path),
        Err(error) => Err(error),
    }
}

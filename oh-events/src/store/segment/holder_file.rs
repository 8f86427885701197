//! The lock that keeps a second writer out, and the note of who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind as Io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use oh_core::{Error, ErrorKind, Result, SessionId};

use crate::store::Holder;

use super::directory::{self, Sync};

pub(in crate::store) const LOCK: &str = "lock";
pub(in crate::store) const NOTE: &str = "holder.json";

const OPERATION: &str = "lock event log";

/// The lock, as long as this lives. The system frees it when the process dies.
#[derive(Debug)]
pub(in crate::store) struct Held {
    lock: File,
    pub(in crate::store) epoch: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing alone is not enough: a process that is being started elsewhere in this program
        // has the descriptor, and with it the lock, until it becomes another program.
        let _ = self.lock.unlock();
    }
}

/// Becomes the writer of a log, whose directory is created if there is none.
pub(in crate::store) fn take(directory: &Path, session: &SessionId, name: &str) -> Result<Held> {
    loop {
        directory::create(directory).map_err(|error| failed(directory, error))?;
        // One that was removed meanwhile is begun anew.
        match lock(directory, session, OpenOptions::new().create(true)) {
            Ok(None) => {}
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && directory.join(LOCK).symlink_metadata().is_err() => {}
            Ok(Some(lock)) => {
                let epoch = epoch(directory).saturating_add(1);
                let held = Held { lock, epoch };
                note(directory, name, epoch)?;
                return Ok(held);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Keeps writers out of a log that is there; `None` if there is none.
pub(in crate::store) fn keep_out(directory: &Path, session: &SessionId) -> Result<Option<Held>> {
    match lock(directory, session, &mut OpenOptions::new()) {
        Ok(lock) => Ok(lock.map(|lock| Held {
            lock,
            epoch: epoch(directory),
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Number of the last tenure, 0 if there was none.
pub(in crate::store) fn epoch(directory: &Path) -> u64 {
    read(directory).map_or(0, |holder| holder.epoch)
}

/// Notes this process as the holder.
pub(in crate::store) fn note(directory: &Path, name: &str, epoch: u64) -> Result<()> {
    let holder = Holder::this_process(name, epoch);
    let text = serde_json::to_vec(&holder).map_err(|error| failed(directory, error.into()))?;
    directory::replace_file(directory, NOTE, &[&text], Sync::No)
        .map_err(|error| failed(directory, error))
}

fn lock(directory: &Path, session: &SessionId, options: &mut OpenOptions) -> Result<Option<File>> {
    let lock = options
        .read(true)
        .write(true)
        .mode(0o600)
        .open(directory.join(LOCK))
        .map_err(|error| failed(directory, error))?;
    lock_opened(lock, directory, session)
}

/// Takes the lock; `None` if the log was removed between opening and locking.
fn lock_opened(lock: File, directory: &Path, session: &SessionId) -> Result<Option<File>> {
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(match read(directory) {
                Some(holder) => holder.conflict(session),
                // Between the lock and the note of a writer that is just opening.
                None => Error::new(ErrorKind::Conflict, "open event log")
                    .with_object(session.as_str())
                    .with_detail("held by another writer, which is opening it now"),
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(directory, error)),
    }
    let locked = lock.metadata().map_err(|error| failed(directory, error))?;
    match std::fs::metadata(directory.join(LOCK)) {
        Ok(named) if (named.dev(), named.ino()) == (locked.dev(), locked.ino()) => Ok(Some(lock)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == Io::NotFound => Ok(None),
        Err(error) => Err(failed(directory, error)),
    }
}

fn read(directory: &Path) -> Option<Holder> {
    serde_json::from_slice(&std::fs::read(directory.join(NOTE)).ok()?).ok()
}

fn failed(directory: &Path, error: std::io::Error) -> Error {
    Error::io(OPERATION, error).with_object(directory.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{LOCK, lock_opened, take};
    use oh_core::SessionId;
    use std::fs::File;

    #[test]
    fn a_log_is_free_after_closing_even_while_a_process_is_being_started() {
        let directory = tempfile::tempdir().unwrap();
        let session = SessionId::new("s").unwrap();
        let held = take(directory.path(), &session, "first").unwrap();
        // What a process has between its fork and its exec.
        let inherited = held.lock.try_clone().unwrap();
        drop(held);
        take(directory.path(), &session, "second").unwrap();
        drop(inherited);
    }
    #[test]
    fn the_lock_of_a_log_that_was_removed_meanwhile_holds_nothing() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("s");
        let session = SessionId::new("s").unwrap();
        drop(take(&directory, &session, "before").unwrap());
        let open = || File::open(directory.join(LOCK)).unwrap();
        let late = open();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(lock_opened(late, &directory, &session).unwrap().is_none());
        drop(take(&directory, &session, "again").unwrap());
        let late = open();
        std::fs::remove_dir_all(&directory).unwrap();
        let held = take(&directory, &session, "anew").unwrap();
        assert!(lock_opened(late, &directory, &session).unwrap().is_none());
        drop(held);
        assert!(lock_opened(open(), &directory, &session).unwrap().is_some());
    }
}

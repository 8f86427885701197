//! The lock that keeps a second writer out, and the note of who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use oh_core::{Error, ErrorKind, Result, SessionId};

use crate::store::Holder;

/// The lock, as long as this lives. The system frees it when the process dies.
#[derive(Debug)]
pub(super) struct Held {
    lock: File,
    pub(super) epoch: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing alone is not enough: a process that is being started elsewhere in this program
        // has the descriptor, and with it the lock, until it becomes another program.
        let _ = self.lock.unlock();
    }
}

pub(super) fn take(directory: &Path, session: &SessionId, name: &str) -> Result<Held> {
    const OPERATION: &str = "lock event log";
    let failed = |error| Error::io(OPERATION, error).with_object(directory.display().to_string());
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join("lock"))
        .map_err(failed)?;
    let note = directory.join("holder.json");
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(match read(&note) {
                Some(holder) => holder.conflict(session),
                // Between the lock and the note of a writer that is just opening.
                None => Error::new(ErrorKind::Conflict, "open event log")
                    .with_object(session.as_str())
                    .with_detail("held by another writer, which is opening it now"),
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let epoch = read(&note)
        .map_or(0, |holder| holder.epoch)
        .saturating_add(1);
    let held = Held { lock, epoch };
    write(directory, &note, &Holder::this_process(name, epoch)).map_err(failed)?;
    Ok(held)
}

fn read(note: &Path) -> Option<Holder> {
    serde_json::from_slice(&std::fs::read(note).ok()?).ok()
}

/// Replaces the note as a whole, so that a reader never meets half of one.
fn write(directory: &Path, note: &Path, holder: &Holder) -> std::io::Result<()> {
    let fresh = directory.join("holder.json.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(&serde_json::to_vec(holder)?)?;
    std::fs::rename(&fresh, note)
}

#[cfg(test)]
mod tests {
    use super::take;
    use oh_core::SessionId;

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
}

//! Reads one conversation, beside its writer or from another process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result};

use crate::blocking;
use crate::store::blob::{BlobStore, FileBlobStore};
use crate::store::segment::snapshot_file;
use crate::store::{Encoded, EventReader, ReadRange, Snapshot};

use super::folder::Folder;
use super::found::Found;
use super::log::Shared;
use super::walk;

/// How often a follower looks whether a writer of another process has written.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// V0 writes events of several threads in any order: an id that is left out counts as a hole when
/// nothing was written for this long. So does a file that is no whole event count as damage.
const SETTLED: Duration = Duration::from_millis(250);

/// How far a look reaches: from a hole on, and back from the end for what is being written.
const REACH: u64 = 33;

#[derive(Debug)]
pub(super) struct OpenHandsReader {
    folder: Folder,
    next: Next,
}

#[derive(Debug)]
enum Next {
    /// What the writer of this process says.
    Told(Arc<Shared>),
    /// What was seen last; held while one call looks.
    Seen(Arc<Mutex<Seen>>),
}

#[derive(Debug)]
struct Seen {
    next: u64,
    /// State of the folder in which nothing more was found.
    settled: Option<SystemTime>,
}

impl OpenHandsReader {
    /// Shares what the writer of this process knows.
    pub(super) fn beside_writer(shared: &Arc<Shared>) -> Self {
        Self {
            folder: shared.folder.clone(),
            next: Next::Told(Arc::clone(shared)),
        }
    }

    /// Looks at the files that any writer writes.
    pub(super) fn follow(folder: Folder) -> std::io::Result<Self> {
        let listed = folder.list()?.next;
        let next = (listed.saturating_sub(REACH)..listed)
            .find(|id| is_being_written(&folder, *id))
            .unwrap_or(listed);
        let seen = Seen {
            next,
            settled: None,
        };
        Ok(Self {
            folder,
            next: Next::Seen(Arc::new(Mutex::new(seen))),
        })
    }
}

fn is_settled(changed: SystemTime) -> bool {
    changed.elapsed().is_ok_and(|age| age > SETTLED)
}

/// V0 writes in place: for a moment its file holds nothing, or a part.
fn is_being_written(folder: &Folder, id: u64) -> bool {
    let metadata = std::fs::metadata(folder.event(id));
    let is_young = metadata.is_ok_and(|metadata| {
        let changed = metadata.modified().ok();
        metadata.is_file() && !changed.is_some_and(is_settled)
    });
    is_young && matches!(Found::read(folder, id), Ok(Found::Damage(_)))
}

impl Seen {
    fn look(&mut self, folder: &Folder) {
        let before = self.next;
        while self.next < u64::MAX && folder.event(self.next).exists() {
            if is_being_written(folder, self.next) {
                return;
            }
            self.next += 1;
        }
        let changed = folder.changed();
        if self.next > before || changed == self.settled {
            return;
        }
        if changed.is_some_and(is_settled) {
            let mut beyond = self.next.saturating_add(1)..self.next.saturating_add(REACH);
            match beyond.find(|id| folder.event(*id).exists()) {
                Some(id) if is_being_written(folder, id) => {}
                Some(id) => self.next = id + 1,
                None => self.settled = changed,
            }
        }
    }
}

#[async_trait]
impl EventReader for OpenHandsReader {
    fn next(&self) -> EventId {
        EventId(match &self.next {
            Next::Told(shared) => *shared.next.borrow(),
            Next::Seen(seen) => seen.lock().unwrap_or_else(PoisonError::into_inner).next,
        })
    }

    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>> {
        let (folder, next) = (self.folder.clone(), self.next().0);
        blocking::run("read events", move || {
            let read = walk::read(&folder, next, range).map_err(|error| {
                Error::io("read events", error).with_object(folder.base().display().to_string())
            })?;
            read.map_err(Error::from)
        })
        .await
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        let folder = self.folder.clone();
        blocking::run("read snapshot", move || {
            snapshot_file::load(&folder.own()).map_err(|error| {
                Error::io("read snapshot", error).with_object(folder.base().display().to_string())
            })
        })
        .await
    }

    async fn wait_past(&self, known: EventId) -> Result<EventId> {
        let seen = match &self.next {
            Next::Told(shared) => {
                let mut next = shared.next.subscribe();
                let waited = next.wait_for(|next| *next > known.0).await;
                // This reader keeps the sender alive.
                return match waited {
                    Ok(next) => Ok(EventId(*next)),
                    Err(_) => Err(Error::new(ErrorKind::Gone, "follow event log")),
                };
            }
            Next::Seen(seen) => seen,
        };
        loop {
            let next = self.next();
            if next > known {
                return Ok(next);
            }
            let (folder, seen) = (self.folder.clone(), Arc::clone(seen));
            blocking::run("follow event log", move || {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.look(&folder);
                Ok(())
            })
            .await?;
            if self.next() <= known {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(FileBlobStore::reader(self.folder.blobs())))
    }
}

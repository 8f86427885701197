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
use super::log::Shared;
use super::walk;

/// How often a follower looks whether a writer of another process has written.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// V0 writes events of several threads in any order: an id that is left out counts as a hole when
/// nothing was written for this long.
const SETTLED: Duration = Duration::from_millis(250);

/// How many ids a look goes through beyond a hole, with the hole.
const REACH: usize = 33;

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
        let next = folder.list()?.next;
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

impl Seen {
    fn look(&mut self, folder: &Folder) {
        let before = self.next;
        while self.next < u64::MAX && folder.event(self.next).exists() {
            self.next += 1;
        }
        let changed = folder.changed();
        if self.next > before || changed == self.settled {
            return;
        }
        let is_settled = |changed: SystemTime| changed.elapsed().is_ok_and(|age| age > SETTLED);
        if changed.is_some_and(is_settled) {
            let mut beyond = (self.next..u64::MAX).take(REACH).skip(1);
            match beyond.find(|id| folder.event(*id).exists()) {
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

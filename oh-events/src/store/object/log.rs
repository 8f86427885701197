//! A log that is open for writing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use oh_core::{EventId, Result};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::store::blob::BlobStore;
use crate::store::{Encoded, EventLog, EventReader, OpenReport, Snapshot};

use super::append::Appender;
use super::blob::ObjectBlobs;
use super::merge::{self, Merging};
use super::names::EventsName;
use super::reader::ObjectReader;
use super::snapshot;

/// At least so many appends are merged when a log is closed.
const LEAST_AT_CLOSE: usize = 8;

#[derive(Debug)]
pub(super) struct ObjectLog {
    appender: Arc<Appender>,
    blobs: ObjectBlobs,
    report: OpenReport,
    merging: Merging,
    /// Appends since objects were merged.
    unmerged: AtomicUsize,
    runtime: Handle,
    renewal: Mutex<JoinSet<()>>,
    merger: Mutex<JoinSet<()>>,
    closed: tokio::sync::Mutex<bool>,
}

impl ObjectLog {
    /// Begins to renew the lease, and to merge what former writers left.
    pub(super) fn start(
        appender: Appender,
        blobs: ObjectBlobs,
        merging: Merging,
        renew_every: Duration,
        shadowed: Vec<EventsName>,
    ) -> Self {
        let appender = Arc::new(appender);
        let mut renewal = JoinSet::new();
        renewal.spawn(Arc::clone(&appender.lease).renew(renew_every));
        let mut merger = JoinSet::new();
        let shared = Arc::clone(&appender.shared);
        merger.spawn(async move {
            let swept = merge::sweep(&shared, shadowed).await;
            note(match swept {
                Ok(()) => merge::run(&shared, merging).await,
                Err(error) => Err(error),
            });
        });
        Self {
            report: OpenReport::new(EventId(appender.next())),
            appender,
            blobs,
            merging,
            unmerged: AtomicUsize::new(0),
            runtime: Handle::current(),
            renewal: Mutex::new(renewal),
            merger: Mutex::new(merger),
            closed: tokio::sync::Mutex::new(false),
        }
    }

    /// Merges in the background when enough was appended and the last merging is over.
    fn merge(&self) {
        let unmerged = self.unmerged.fetch_add(1, Ordering::Relaxed) + 1;
        if unmerged < self.merging.least {
            return;
        }
        let mut merger = lock(&self.merger);
        while merger.try_join_next().is_some() {}
        if merger.is_empty() {
            self.unmerged.store(0, Ordering::Relaxed);
            let (shared, merging) = (Arc::clone(&self.appender.shared), self.merging);
            merger.spawn_on(
                async move { note(merge::run(&shared, merging).await) },
                &self.runtime,
            );
        }
    }
}

/// What merging cannot do now it does at another time.
fn note(merged: Result<()>) {
    if let Err(error) = merged {
        tracing::warn!(%error, "small objects of the log were not merged");
    }
}

impl Drop for ObjectLog {
    fn drop(&mut self) {
        let lease = Arc::clone(&self.appender.lease);
        lease.release_here();
        if !*self.closed.get_mut() && lease.lost_to().is_none() {
            let (mut renewal, appender) = (JoinSet::new(), Arc::clone(&self.appender));
            std::mem::swap(&mut renewal, &mut lock(&self.renewal));
            self.runtime.spawn(async move {
                // A renewal that is under way must not come after this.
                renewal.shutdown().await;
                appender.close().await;
                if let Err(error) = lease.release().await {
                    tracing::debug!(%error, "the lease of the log runs out by itself");
                }
            });
        }
    }
}

#[async_trait]
impl EventLog for ObjectLog {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn epoch(&self) -> u64 {
        self.appender.lease.epoch()
    }

    fn next(&self) -> EventId {
        EventId(self.appender.next())
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        let shared = Arc::clone(&self.appender.shared);
        Arc::new(ObjectReader::new(shared, None))
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(self.blobs.clone()))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        self.appender.append(expected, epoch, batch).await?;
        self.merge();
        Ok(())
    }

    async fn sync(&self) -> Result<EventId> {
        Ok(self.next())
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        snapshot::save(&self.appender.shared, snapshot).await
    }

    async fn close(&self) -> Result<()> {
        let mut closed = self.closed.lock().await;
        if *closed {
            return Ok(());
        }
        self.appender.close().await;
        let mut renewal = std::mem::take(&mut *lock(&self.renewal));
        renewal.shutdown().await;
        let mut merger = std::mem::take(&mut *lock(&self.merger));
        while merger.join_next().await.is_some() {}
        let merging = Merging {
            least: self.merging.least.min(LEAST_AT_CLOSE),
            ..self.merging
        };
        note(merge::run(&self.appender.shared, merging).await);
        let lease = &self.appender.lease;
        lease.release_here();
        let released = match lease.lost_to() {
            Some(_) => Ok(()),
            None => lease.release().await,
        };
        *closed = true;
        released
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

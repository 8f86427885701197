//! When the fold is kept, so that the next opening reads only the tail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oh_core::{EventId, Result};
use tokio::sync::Mutex;

use crate::fold::snapshot_of;
use crate::store::ReadRange;

use super::append::Core;

/// When the next snapshot is due, and how far the last one went.
#[derive(Debug)]
pub(super) struct Snapshots {
    every: u64,
    /// Only the writer whose turn it is changes it.
    due: AtomicU64,
    /// Held while a snapshot is saved. After closing nothing is beyond it.
    saved: Mutex<EventId>,
}

impl Snapshots {
    /// Saves one after each `every` events, and at closing.
    pub(super) fn new(every: u64, saved: EventId) -> Self {
        let every = every.max(1);
        Self {
            every,
            due: AtomicU64::new(saved.0.saturating_add(every)),
            saved: Mutex::new(saved),
        }
    }

    fn take_due(&self, next: u64) -> bool {
        let due = next >= self.due.load(Ordering::Relaxed);
        if due {
            let after = next.saturating_add(self.every);
            self.due.store(after, Ordering::Relaxed);
        }
        due
    }
}

impl Core {
    /// Saves a snapshot beside the caller, if enough was published since the last one.
    pub(super) fn save_snapshot_if_due(self: &Arc<Self>) {
        if !self.snapshots.take_due(self.hub.next()) {
            return;
        }
        // Without a runtime there is no one to do it; closing does.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let core = Arc::clone(self);
        drop(runtime.spawn(async move {
            // The one that is being saved is young enough.
            if let Ok(mut saved) = core.snapshots.saved.try_lock() {
                core.save_snapshot(&mut saved).await;
            }
        }));
    }

    /// Saves the last snapshot of this tenure.
    pub(super) async fn save_last_snapshot(&self) {
        let mut saved = self.snapshots.saved.lock().await;
        self.save_snapshot(&mut saved).await;
        *saved = EventId(u64::MAX);
    }

    /// It is a cache: if it cannot be saved, the next opening takes longer.
    async fn save_snapshot(&self, saved: &mut EventId) {
        if let Err(error) = self.try_save_snapshot(saved).await {
            let session = self.session.as_str();
            tracing::warn!(%error, session, "the snapshot of the session was not saved");
        }
    }

    async fn try_save_snapshot(&self, saved: &mut EventId) -> Result<()> {
        let state = self.hub.session();
        let next = state.next();
        if next <= *saved {
            return Ok(());
        }
        let last = ReadRange::new(EventId(next.0.saturating_sub(1)), next).limit(1);
        let last = self.hub.reader.read(last).await?;
        let Some(last) = last.first() else {
            return Ok(());
        };
        match snapshot_of(&self.session, &state, last) {
            Some(snapshot) => self.log.save_snapshot(&snapshot).await?,
            None => tracing::warn!(
                session = self.session.as_str(),
                "the snapshot of the session is too large to be saved"
            ),
        }
        *saved = next;
        Ok(())
    }
}

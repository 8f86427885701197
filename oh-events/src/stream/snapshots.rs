//! When the fold is kept, so that the next opening reads only the tail.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use oh_core::{EventId, Result};
use tokio::sync::Mutex;

use crate::fold::snapshot_of;
use crate::store::ReadRange;

use super::append::Core;

/// When the next snapshot is due, and how far the last one went.
#[derive(Debug)]
pub(super) struct Snapshots {
    every: u64,
    /// Shortest time between two: a session that appends a hundred thousand events a second does
    /// not save hundreds of snapshots in it.
    gap: Duration,
    /// Only the writer whose turn it is changes it.
    due: AtomicU64,
    /// When the last one was due, if one was.
    last: std::sync::Mutex<Option<Instant>>,
    /// Held while a snapshot is saved. After closing nothing is beyond it.
    saved: Arc<Mutex<EventId>>,
}

impl Snapshots {
    /// Saves one after each `every` events, if the last one is `gap` old, and at closing.
    pub(super) fn new(every: u64, gap: Duration, saved: EventId) -> Self {
        let every = every.max(1);
        Self {
            every,
            gap,
            due: AtomicU64::new(saved.0.saturating_add(every)),
            last: std::sync::Mutex::default(),
            saved: Arc::new(Mutex::new(saved)),
        }
    }

    fn take_due(&self, next: u64) -> bool {
        if next < self.due.load(Ordering::Relaxed) {
            return false;
        }
        let after = next.saturating_add(self.every);
        self.due.store(after, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.is_some_and(|last| now.duration_since(last) < self.gap) {
            return false;
        }
        *last = Some(now);
        true
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
        // It holds the log no longer than it must: whoever drops the last handle opens it again.
        let (core, saved) = (Arc::downgrade(self), Arc::clone(&self.snapshots.saved));
        drop(runtime.spawn(async move {
            // The one that is being saved is young enough.
            if let Ok(mut saved) = saved.try_lock_owned() {
                save(&core, &mut saved).await;
            }
        }));
    }

    /// Saves the last snapshot of this tenure.
    pub(super) async fn save_last_snapshot(self: &Arc<Self>) {
        let mut saved = self.snapshots.saved.lock().await;
        save(&Arc::downgrade(self), &mut saved).await;
        *saved = EventId(u64::MAX);
    }
}

/// It is a cache: if it cannot be saved, the next opening takes longer.
async fn save(core: &Weak<Core>, saved: &mut EventId) {
    if let Err(error) = try_save(core, saved).await {
        tracing::warn!(%error, "the snapshot of a session was not saved");
    }
}

async fn try_save(core: &Weak<Core>, saved: &mut EventId) -> Result<()> {
    let parts = |core: Arc<Core>| {
        let reader = Arc::clone(&core.hub.reader);
        (core.session.clone(), core.hub.session(), reader)
    };
    let Some((session, state, reader)) = core.upgrade().map(parts) else {
        return Ok(());
    };
    let next = state.next();
    if next <= *saved {
        return Ok(());
    }
    let last = ReadRange::new(EventId(next.0.saturating_sub(1)), next).limit(1);
    let last = reader.read(last).await?;
    let Some(last) = last.first() else {
        return Ok(());
    };
    match (snapshot_of(&session, &state, last), core.upgrade()) {
        (Some(snapshot), Some(core)) => core.log.save_snapshot(&snapshot).await?,
        (None, _) => {
            let session = session.as_str();
            tracing::warn!(
                session,
                "the snapshot of a session is too large to be saved"
            );
        }
        _ => {}
    }
    *saved = next;
    Ok(())
}

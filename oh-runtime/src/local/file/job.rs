//! Blocking work on the blocking pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oh_core::Result;

use super::volume::lost_job;

/// Tells long work that nobody waits for it any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Runs a job on the blocking pool. Its [`Stop`] is set when the future is dropped.
pub(super) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    job: impl FnOnce(&Stop) -> Result<T> + Send + 'static,
) -> Result<T> {
    let stop = Stop::default();
    let guard = StopOnDrop(stop.clone());
    let result = tokio::task::spawn_blocking(move || job(&stop)).await;
    drop(guard);
    result.map_err(|error| lost_job(operation, error))?
}

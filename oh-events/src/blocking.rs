//! File work on the pool that is there for it.

use oh_core::{Error, ErrorKind, Result};
use tokio::task::JoinError;

/// Runs file work off the runtime's threads. It runs to its end even if the call is dropped.
pub(crate) async fn run<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(lost(operation, error)),
    }
}

/// The error of work that did not come to an end.
pub(crate) fn lost(operation: &'static str, error: JoinError) -> Error {
    let kind = if error.is_cancelled() {
        ErrorKind::Cancelled
    } else {
        ErrorKind::Internal
    };
    Error::new(kind, operation).with_source(error)
}

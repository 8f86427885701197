//! Creating an object once, whatever the answers are.

use std::time::{Duration, Instant};

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Result};

use super::client::{Client, pause};
use super::failure::is_refusal;

/// Who has the name.
#[derive(Debug)]
pub(super) enum Settled {
    /// It holds our bytes.
    Ours,
    /// It holds these.
    Taken(Bytes),
}

/// Creates an object whose bytes no one else writes.
///
/// # Errors
/// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown) if it cannot be told within `patience` whether the
/// object is there or will be; with any other error it neither is nor will be.
pub(super) async fn create(
    client: &Client,
    operation: &'static str,
    key: &str,
    body: &Bytes,
    patience: Duration,
) -> Result<Settled> {
    let begin = Instant::now();
    // Whether a call may still be under way somewhere.
    let mut loose = false;
    let mut tries = 0;
    loop {
        let error = match client.create(operation, key, body.clone()).await {
            Ok(()) => return Ok(Settled::Ours),
            Err(error) => error,
        };
        // A storage also says that a name is taken while someone else is about to take it, or
        // because an earlier try of this call was heard after all.
        let is_refused = is_refusal(error.kind());
        if is_refused || error.kind() == ErrorKind::AlreadyExists {
            match client.get(operation, key).await {
                Ok(there) if there == *body => return Ok(Settled::Ours),
                Ok(there) => return Ok(Settled::Taken(there)),
                Err(_) if is_refused && !loose => return Err(error),
                Err(_) => {}
            }
        } else {
            loose = true;
        }
        tries += 1;
        if begin.elapsed() >= patience {
            return Err(unknown(operation, key, error));
        }
        tokio::time::sleep(pause(tries)).await;
    }
}

fn unknown(operation: &'static str, key: &str, cause: Error) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, operation)
        .with_object(key)
        .with_detail("the storage left open whether it was written; open the log again to see")
        .with_source(cause)
}

//! Beginning to write a log: the turn of the former writer ends.

use std::time::Duration;

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Result, SessionId};

use super::body;
use super::lease::Lease;
use super::names::EventsName;
use super::settle::{self, Settled};

const OPERATION: &str = "open event log";

/// How often a log is looked at until no one else writes the name that it goes on with.
const LOOKS: usize = 16;

/// Ends the turn of the former writer, so that the log goes on with this one. Returns the next
/// event, and the objects that can be deleted.
pub(super) async fn begin(
    lease: &Lease,
    session: &SessionId,
    patience: Duration,
) -> Result<(u64, Vec<EventsName>)> {
    let (shared, epoch) = (lease.shared(), lease.epoch());
    let mut look = shared.look().await?;
    for _ in 0..LOOKS {
        let (next, turn) = (look.next, shared.turn(&look).await?);
        if turn >= epoch {
            // A later writer came first. Turns only rise: after a lower one events would be lost.
            return Err(overtaken(lease, session).await?);
        }
        let name = EventsName::turn(next, turn);
        // First the fence, so that the name stays taken from now on.
        let fence = shared.names.fence(name);
        shared.client.put(OPERATION, &fence, Bytes::new()).await?;
        let body = body::write(next, epoch, &lease.nonce(), std::iter::empty())?;
        let key = shared.names.events(name);
        let settled = settle::create(&shared.client, OPERATION, &key, &body, patience).await?;
        look = shared.look().await?;
        // If the name was free because it had been merged, the end is elsewhere.
        let is_ours = matches!(settled, Settled::Ours);
        if is_ours && look.next == next && shared.turn(&look).await? == epoch {
            return Ok((next, look.shadowed));
        }
        if let Some(holder) = lease.look().await? {
            return Err(holder.conflict(session));
        }
    }
    Err(Error::new(ErrorKind::Conflict, OPERATION)
        .with_object(session.as_str())
        .with_detail("another writer goes on writing; close it there"))
}

/// The error of a writer that was replaced while it opened the log.
async fn overtaken(lease: &Lease, session: &SessionId) -> Result<Error> {
    let error = match lease.look().await? {
        Some(holder) => holder.conflict(session),
        None => Error::new(ErrorKind::Conflict, OPERATION)
            .with_object(session.as_str())
            .with_detail("another writer took the log over meanwhile; open it again"),
    };
    Ok(error)
}

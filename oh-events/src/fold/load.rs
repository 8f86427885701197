//! From a log to its fold.

use std::sync::Arc;

use oh_core::{Error, EventId, Result, SessionId};

use crate::store::{Damage, Dropped, EventReader, ReadRange};

use super::saved::Opened;
use super::session_state::SessionState;

/// What a log folds to, and how far a snapshot went.
pub(crate) struct Loaded {
    pub(crate) state: SessionState,
    /// First event that the snapshot in the store does not hold; 0 if none could be used.
    pub(crate) saved: EventId,
}

/// Folds the events before `to`: those that the snapshot does not hold, or all of them if there
/// is none that fits.
pub(crate) async fn load(
    reader: &Arc<dyn EventReader>,
    session: &SessionId,
    to: EventId,
) -> Result<Loaded> {
    let mut state = match reader.snapshot().await {
        Ok(Some(snapshot)) => match Opened::read(session, &snapshot) {
            Some(opened) => fitting(reader, opened).await?,
            None => None,
        },
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(%error, session = session.as_str(), "the snapshot cannot be read");
            None
        }
    }
    .unwrap_or_default();
    let saved = state.next();
    fold(&mut state, reader, to).await?;
    Ok(Loaded { state, saved })
}

/// The state of a snapshot that belongs to this log as it is now.
async fn fitting(reader: &Arc<dyn EventReader>, opened: Opened) -> Result<Option<SessionState>> {
    let Some(last) = opened.last() else {
        return Ok(None);
    };
    // A store that dropped the past up to the snapshot has nothing to compare with.
    if last < reader.first() {
        return Ok((opened.state.next() == reader.first()).then_some(opened.state));
    }
    let page = match reader
        .read(ReadRange::new(last, last.next()).limit(1))
        .await
    {
        Ok(page) => page,
        Err(error) if unreadable(&error).is_some() => return Ok(None),
        Err(error) => return Err(error),
    };
    let fits = page.first().is_some_and(|event| opened.ends_with(event));
    Ok(fits.then_some(opened.state))
}

/// Folds in what is between the state and `to`. What cannot be read is passed over.
async fn fold(state: &mut SessionState, reader: &Arc<dyn EventReader>, to: EventId) -> Result<()> {
    state.pass_over(reader.first().min(to));
    while state.next() < to {
        match reader.read(ReadRange::new(state.next(), to)).await {
            Ok(page) => {
                for encoded in &page {
                    state.pass_over(encoded.id());
                    match encoded.decode() {
                        Ok(event) => state.apply(&event),
                        Err(_) => state.pass_over(encoded.id().next()),
                    }
                }
                if page.is_empty() {
                    state.pass_over(to);
                }
            }
            Err(error) => match unreadable(&error) {
                Some(end) => state.pass_over(end.clamp(state.next().next(), to)),
                None => return Err(error),
            },
        }
    }
    Ok(())
}

/// Where reading goes on behind events that cannot be read, if that is what the error says.
fn unreadable(error: &Error) -> Option<EventId> {
    let damaged = Damage::of(error).map(|damage| damage.to);
    damaged.or_else(|| Dropped::of(error).map(|dropped| dropped.to))
}

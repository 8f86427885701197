//! What an earlier run left open, and what was left to this executor.

use std::sync::Arc;

use oh_core::event::Event;
use oh_core::observation::FailureObservation;
use oh_core::{ErrorKind, EventId, Result};
use oh_events::{Dropped, Query};

use super::builder::Executor;

/// Where an executor begins.
#[derive(Debug)]
pub(super) struct Begin {
    /// Actions that wait for an answer, and the question about each.
    pub(super) asked: Vec<(Arc<Event>, EventId)>,
    /// First event that is left to the loop.
    pub(super) from: EventId,
}

impl Executor {
    /// Finds where to begin. What earlier runs left open was closed when the stream was opened, or
    /// left to the host ([`Recovery`](oh_events::Recovery)). What an earlier executor of this run
    /// left open is closed here: it may have been carried out, in part or not at all, and is never
    /// carried out again. Questions that are still open stay open. What this run appended so far
    /// and no executor has begun is left to the loop.
    pub(super) async fn recover(&self) -> Result<Begin> {
        let opened = self.stream.report().next;
        // An executor before this one on the same stream may have begun more.
        let from = opened.max(self.claim.reached());
        let mut state = self.stream.found().clone();
        let mut events = self.stream.events(Query::new(opened, from));
        while let Some(event) = events.next().await {
            if let Some(event) = readable(event)? {
                state.apply(&event);
            }
        }
        let left = &self.stream.recovered().left;
        let mut asked = Vec::new();
        for action in state.open_actions() {
            if !self.stream.is_open(action) || left.contains(&action) {
                continue;
            }
            let Some(event) = self.event(action).await? else {
                continue;
            };
            match state.open_question(action) {
                Some(question) => asked.push((event, question)),
                None => {
                    let failure = FailureObservation::interrupted();
                    self.answer(&event, failure).await?;
                }
            }
        }
        Ok(Begin { asked, from })
    }

    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>> {
        let mut events = self.stream.events(Query::new(id, id.next()));
        match events.next().await {
            Some(event) => readable(event),
            None => Ok(None),
        }
    }
}

/// Passes over a stretch of the log that is damaged or was dropped, which the stream names and
/// reads on behind: what is lost there cannot be closed, and everything else can.
pub(super) fn readable(event: Result<Arc<Event>>) -> Result<Option<Arc<Event>>> {
    match event {
        Ok(event) => Ok(Some(event)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::warn!(%error, "a part of the log is damaged");
            Ok(None)
        }
        Err(error) if Dropped::of(&error).is_some() => {
            tracing::warn!(%error, "a part of the log was dropped before it was read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

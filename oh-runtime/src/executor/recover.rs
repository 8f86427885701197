//! What an earlier run left open.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use oh_core::action::{Action, ConfirmStep};
use oh_core::event::{Event, EventBody};
use oh_core::observation::FailureObservation;
use oh_core::{ErrorKind, EventId, Result};

use oh_events::{Approval, Query};

use super::builder::Executor;

/// Actions of an earlier run that have no observation.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// Actions in the order of the log.
    actions: BTreeMap<EventId, Arc<Event>>,
    /// Those about which a question is open.
    asked: BTreeMap<EventId, EventId>,
}

impl Open {
    fn note(&mut self, event: &Arc<Event>) {
        // What was approved may have been carried out.
        self.asked
            .retain(|action, question| Approval::find(event, *action, *question).is_none());
        match &event.body {
            EventBody::Action(Action::Confirm(confirm))
                if confirm.step == ConfirmStep::Question =>
            {
                self.asked.insert(confirm.action, event.id);
            }
            EventBody::Action(action) if action.expects_observation() => {
                self.actions.insert(event.id, event.clone());
            }
            EventBody::Observation(_) => {
                if let Some(cause) = event.cause {
                    self.actions.remove(&cause);
                    self.asked.remove(&cause);
                }
            }
            _ => {}
        }
    }
}

/// Where an executor begins.
#[derive(Debug)]
pub(super) struct Recovered {
    /// Actions that wait for an answer, and the question about each.
    pub(super) asked: Vec<(Arc<Event>, EventId)>,
    /// Actions of this run that have an observation already.
    pub(super) answered: HashSet<EventId>,
    /// First event that is left to the loop.
    pub(super) from: EventId,
}

impl Executor {
    /// Reads the log. Actions that an earlier run of the host, or an earlier executor of this run,
    /// left open are closed: they may have been carried out, in part or not at all, and are never
    /// carried out again. Questions that are still open stay open. What this run appended so far
    /// and no executor has begun is left to the loop, but for actions that are answered already.
    pub(super) async fn recover(&self) -> Result<Recovered> {
        // An executor before this one on the same stream may have begun more.
        let from = self.stream.report().next.max(self.claim.reached());
        let mut open = Open::default();
        let mut recovered = Recovered {
            asked: Vec::new(),
            answered: HashSet::new(),
            from,
        };
        let mut events = self
            .stream
            .events(Query::new(EventId(0), self.stream.next()));
        while let Some(event) = events.next().await {
            let Some(event) = readable(event)? else {
                continue;
            };
            if event.id < from {
                open.note(&event);
            } else if matches!(event.body, EventBody::Observation(_)) {
                recovered.answered.extend(event.cause);
            }
        }
        for (id, event) in open.actions {
            if recovered.answered.contains(&id) {
                continue;
            }
            if let Some(question) = open.asked.get(&id) {
                recovered.asked.push((event, *question));
                continue;
            }
            let failure = FailureObservation::interrupted();
            self.answer(&event, failure).await?;
        }
        Ok(recovered)
    }
}

/// Passes over a damaged stretch of the log, which the stream names and reads on behind: what is
/// lost there cannot be closed, and everything else can.
pub(super) fn readable(event: Result<Arc<Event>>) -> Result<Option<Arc<Event>>> {
    match event {
        Ok(event) => Ok(Some(event)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::warn!(%error, "a part of the log is damaged");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

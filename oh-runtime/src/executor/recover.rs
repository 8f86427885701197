//! What an earlier run left open.

use std::collections::BTreeMap;
use std::sync::Arc;

use oh_core::action::{Action, ConfirmStep};
use oh_core::event::{Event, EventBody};
use oh_core::observation::FailureObservation;
use oh_core::{ErrorKind, EventId, Result};

use oh_events::Query;

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
        match &event.body {
            EventBody::Action(Action::Confirm(confirm)) => match confirm.step {
                ConfirmStep::Question => {
                    self.asked.insert(confirm.action, event.id);
                }
                _ => {
                    self.asked.remove(&confirm.action);
                }
            },
            EventBody::Action(action) if is_executed(action) => {
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
    /// Actions that wait for an answer.
    pub(super) asked: Vec<Arc<Event>>,
    /// Actions that were appended before the executor started.
    pub(super) todo: Vec<Arc<Event>>,
    /// First event that was not looked at.
    pub(super) from: EventId,
}

/// Whether an executor answers this action.
pub(super) fn is_executed(action: &Action) -> bool {
    action.is_runnable() || matches!(action, Action::Think(_) | Action::TaskTracking(_))
}

impl Executor {
    /// Reads the log up to now. Actions that an earlier run of the host left open are closed: they
    /// may have been carried out, in part or not at all, and are never carried out again.
    /// Questions that are still open stay open; actions of this run are still to be done.
    pub(super) async fn recover(&self) -> Result<Recovered> {
        let first_new = self.stream.report().next;
        let until = self.stream.next();
        let mut open = Open::default();
        let mut events = self.stream.events(Query::new(EventId(0), until));
        while let Some(event) = events.next().await {
            open.note(&event?);
        }
        let mut recovered = Recovered {
            asked: Vec::new(),
            todo: Vec::new(),
            from: until,
        };
        for (id, event) in open.actions {
            if open.asked.contains_key(&id) {
                recovered.asked.push(event);
                continue;
            }
            if id >= first_new {
                recovered.todo.push(event);
                continue;
            }
            let failure = FailureObservation::new(
                "the host stopped while this action ran, or before it did; whether it was carried \
                 out is unknown: look at the workspace before you try again",
                ErrorKind::OutcomeUnknown,
            );
            self.stream.reply(id, failure).await?;
        }
        Ok(recovered)
    }
}

//! What an earlier run left open.

use std::collections::BTreeMap;
use std::sync::Arc;

use oh_core::action::{Action, ConfirmStep};
use oh_core::event::{Event, EventBody};
use oh_core::observation::FailureObservation;
use oh_core::{ErrorKind, EventId, Result};

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

/// Whether an executor answers this action.
pub(super) fn is_executed(action: &Action) -> bool {
    action.is_runnable() || matches!(action, Action::Think(_) | Action::TaskTracking(_))
}

impl Executor {
    /// Closes what an earlier run left open: it may have been carried out, in part or not at all,
    /// and is never carried out again. Questions that are still open stay open. Returns the
    /// actions that wait for an answer, and the first event of this run.
    pub(super) async fn recover(&self) -> Result<(Vec<Arc<Event>>, EventId)> {
        let first_new = self.stream.opened_at();
        let mut open = Open::default();
        let mut at = EventId(0);
        while at < first_new {
            let page = self.stream.read(at, first_new, 1000).await?;
            let Some(last) = page.last() else { break };
            at = last.id.next();
            page.iter().for_each(|event| open.note(event));
        }
        let mut waiting = Vec::new();
        for (id, event) in open.actions {
            if open.asked.contains_key(&id) {
                waiting.push(event);
                continue;
            }
            let failure = FailureObservation::new(
                "the host stopped while this action ran, or before it did; whether it was carried \
                 out is unknown: look at the workspace before you try again",
                ErrorKind::OutcomeUnknown,
            );
            self.stream.reply(id, failure).await?;
        }
        Ok((waiting, first_new))
    }
}

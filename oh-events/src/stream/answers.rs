//! Every action ends with exactly one observation.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use oh_core::action::Action;
use oh_core::{Error, ErrorKind, Event, EventBody, EventId, Result};

use crate::filter::Filter;

use super::append::Core;
use super::events::Events;
use super::pending::Pending;
use super::query::Query;

/// How many events behind an action are looked through for its answer.
const NEARBY: u64 = 1024;

/// An action has its observation already.
///
/// It is the source of the [`Conflict`](ErrorKind::Conflict) that a second answer gets;
/// [`Answered::of`] finds it there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The action.
    pub action: EventId,
    /// Its observation, if it stands near the action.
    pub by: Option<EventId>,
}

impl Answered {
    /// The answer that an error tells of, if it tells of one.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the action {} has its observation already", self.action)?;
        match self.by {
            Some(by) => write!(f, ", the event {by}"),
            None => Ok(()),
        }
    }
}

impl StdError for Answered {}

impl Core {
    /// Checks what an event says about others, and names the action that it would close. That no
    /// one else closes it meanwhile is checked when the event is written.
    pub(super) async fn admit(&self, event: &Event) -> Result<Option<EventId>> {
        let next = self.hub.next();
        if let Some(cause) = event.cause
            && cause.0 >= next
        {
            return Err(self.error(ErrorKind::InvalidInput).with_detail(format!(
                "the cause {cause} is no event of this log yet, which ends before {next}"
            )));
        }
        if let Some(action) = event.answers() {
            if self.hub.is_open(action) {
                return Ok(Some(action));
            }
            return match Box::pin(self.expects_observation(action)).await? {
                Some(true) => Err(self.answered(action, self.find_answer(action).await)),
                // It was folded in before it was dropped: it would be open.
                None if action < self.hub.reader.first() => Err(self.answered(action, None)),
                _ => Ok(None),
            };
        }
        if let EventBody::Action(Action::Confirm(confirm)) = &event.body
            && !self.hub.is_open(confirm.action)
        {
            let action = confirm.action;
            let is_action =
                action.0 < next && Box::pin(self.expects_observation(action)).await? != Some(false);
            if !is_action {
                return Err(self.error(ErrorKind::InvalidInput).with_detail(format!(
                    "the event {action} is no action that can be confirmed: name the one that is \
                     in question"
                )));
            }
        }
        Ok(None)
    }

    /// Whether an event is an action that ends with an observation; `None` if it cannot be read.
    async fn expects_observation(&self, event: EventId) -> Result<Option<bool>> {
        let expects = |event: Arc<Event>| {
            let action = event.body.as_action();
            action.is_some_and(Action::expects_observation)
        };
        Ok(self.event(event).await?.map(expects))
    }

    /// The observation of an action, if it stands near.
    async fn find_answer(&self, action: EventId) -> Option<EventId> {
        let to = action.next().0.saturating_add(NEARBY);
        let query = Query::new(action.next(), EventId(to)).filter(answer_to(action));
        let mut events = Events::new(
            Arc::clone(&self.hub.reader),
            query.limit(1),
            EventId(self.hub.next()),
        );
        Some(Box::pin(events.next()).await?.ok()?.id)
    }

    /// Refuses what would close an action that is closed by now. In the writer's turn that is
    /// certain.
    pub(super) fn refuse_answered(&self, batch: Vec<Pending>) -> Result<Vec<Pending>> {
        if batch.iter().all(|pending| pending.answers.is_none()) {
            return Ok(batch);
        }
        let mut open = Vec::with_capacity(batch.len());
        for pending in batch {
            match self.refusal(&pending) {
                None => open.push(pending),
                Some(refusal) => match pending.done {
                    Some(done) => drop(done.send(Err(refusal))),
                    // It is the only one.
                    None => return Err(refusal),
                },
            }
        }
        Ok(open)
    }

    /// Refuses what answers an action that was answered meanwhile.
    pub(super) fn refusal(&self, pending: &Pending) -> Option<Error> {
        let action = pending.answers?;
        (!self.hub.is_open(action)).then(|| self.answered(action, None))
    }

    /// Adds to the refusal of an answer which event was earlier.
    pub(super) async fn explain(&self, refusal: Error) -> Error {
        match Answered::of(&refusal) {
            Some(Answered { action, by: None }) => {
                let action = *action;
                self.answered(action, self.find_answer(action).await)
            }
            _ => refusal,
        }
    }

    /// The refusal of an answer.
    fn answered(&self, action: EventId, by: Option<EventId>) -> Error {
        let answered = Answered { action, by };
        self.error(ErrorKind::Conflict)
            .with_detail(answered.to_string())
            .with_source(answered)
    }
}

/// The observation of an action. A change of the agent's state has a cause as well.
pub(super) fn answer_to(action: EventId) -> Filter {
    Filter::new()
        .observations()
        .cause(action)
        .without_kind("agent_state_changed")
}

//! What becomes of actions that an earlier run left open.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oh_core::action::Action;
use oh_core::observation::FailureObservation;
use oh_core::{Draft, Event, EventId, IdempotencyKey, Observation, Result, Source};

use crate::fold::SessionState;
use crate::store::{Damage, Dropped, ReadRange};

use super::answers::Answered;
use super::append::Core;

/// What becomes, at opening, of the actions that an earlier run left open: it died before it
/// appended their observation, and whether they were carried out is not in the log.
///
/// None of them is carried out again. An action about which a person was asked and has not
/// answered stays open in any case: it was not carried out.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Recovery {
    /// They are closed by a failure of kind
    /// [`OutcomeUnknown`](oh_core::ErrorKind::OutcomeUnknown).
    #[default]
    Close,
    /// They stay open: the host answers them.
    Leave,
    /// The host is asked about each of them, in the order of the log.
    Ask(Arc<dyn ActionLookup>),
}

impl Recovery {
    /// Asks the host.
    pub fn ask(lookup: impl ActionLookup + 'static) -> Self {
        Self::Ask(Arc::new(lookup))
    }
}

/// Knows what became of actions, as a runtime does that outlives the host.
///
/// ```
/// use std::collections::HashMap;
///
/// use async_trait::async_trait;
/// use oh_core::action::RunAction;
/// use oh_core::observation::RunObservation;
/// use oh_core::{Event, Exit, IdempotencyKey, Result, SessionId, Source};
/// use oh_events::{ActionLookup, EventStream, MemoryStore, Outcome, Recovery};
///
/// /// How jobs ended, by the keys under which they were sent.
/// #[derive(Debug)]
/// struct Jobs(HashMap<IdempotencyKey, i32>);
///
/// #[async_trait]
/// impl ActionLookup for Jobs {
///     async fn look_up(&self, _: &Event, key: Option<&IdempotencyKey>) -> Result<Outcome> {
///         Ok(match key.and_then(|key| self.0.get(key)) {
///             Some(code) => Outcome::ended(RunObservation::ended("", "make", Exit::Code(*code))),
///             None => Outcome::Unknown,
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let (store, session) = (MemoryStore::new(), SessionId::new("demo")?);
/// let stream = EventStream::builder(store.clone(), session.clone()).open().await?;
/// let mut make = RunAction::new("make");
/// make.options.key = Some(IdempotencyKey::new("job-1"));
/// let action = stream.append(Source::Agent, make).await?;
/// drop(stream); // the host ends before the command does
///
/// let jobs = Jobs(HashMap::from([(IdempotencyKey::new("job-1"), 0)]));
/// let stream = EventStream::builder(store, session).recovery(Recovery::ask(jobs)).open().await?;
/// assert_eq!(stream.recovered().answered, [action]);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait ActionLookup: fmt::Debug + Send + Sync {
    /// Says what became of an action of an earlier run. A command that was sent under a key can be
    /// found by it: `key` is that of [`RunOptions`](oh_core::action::RunOptions).
    ///
    /// The opening of the stream waits for it.
    ///
    /// # Errors
    /// Any: the opening fails with it, and the action stays open for the next one.
    ///
    /// # Cancel safety
    /// It is dropped with the opening, and called again at the next one.
    async fn look_up(&self, action: &Event, key: Option<&IdempotencyKey>) -> Result<Outcome>;
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It ended with this.
    Ended(Box<Observation>),
    /// No one knows; it is closed as by [`Recovery::Close`].
    Unknown,
    /// It goes on: it stays open, and the host answers it.
    Running,
}

impl Outcome {
    /// The action ended with an observation.
    pub fn ended(observation: impl Into<Observation>) -> Self {
        Self::Ended(Box::new(observation.into()))
    }
}

/// What became of the actions that an earlier run left open. Each list is in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Closed as "outcome unknown".
    pub closed: Vec<EventId>,
    /// Closed with what the host said.
    pub answered: Vec<EventId>,
    /// Left open: the host answers them.
    pub left: Vec<EventId>,
    /// Left open: they wait for a person.
    pub asked: Vec<EventId>,
}

impl Core {
    /// Deals with what is open in the log as it was found.
    pub(super) async fn recover(
        self: &Arc<Self>,
        found: &SessionState,
        recovery: &Recovery,
    ) -> Result<Recovered> {
        let mut recovered = Recovered::default();
        for action in found.open_actions() {
            if found.open_question(action).is_some() {
                recovered.asked.push(action);
                continue;
            }
            let list = match recovery {
                Recovery::Leave => &mut recovered.left,
                Recovery::Close => {
                    self.close_interrupted(action).await?;
                    &mut recovered.closed
                }
                Recovery::Ask(lookup) => match self.ask(action, &**lookup).await? {
                    Outcome::Ended(_) => &mut recovered.answered,
                    Outcome::Unknown => &mut recovered.closed,
                    Outcome::Running => &mut recovered.left,
                },
            };
            list.push(action);
        }
        Ok(recovered)
    }

    async fn ask(self: &Arc<Self>, action: EventId, lookup: &dyn ActionLookup) -> Result<Outcome> {
        let Some(event) = self.event(action).await? else {
            // There is nothing to look it up by.
            self.close_interrupted(action).await?;
            return Ok(Outcome::Unknown);
        };
        let key = match event.body.as_action() {
            Some(Action::Run(run)) => run.options.key.as_ref(),
            _ => None,
        };
        let outcome = lookup.look_up(&event, key).await?;
        match &outcome {
            Outcome::Ended(observation) => {
                let observation = Observation::clone(observation);
                self.answer(Draft::reply_to(&event, observation)).await?;
            }
            Outcome::Unknown => {
                let failure = FailureObservation::interrupted();
                self.answer(Draft::reply_to(&event, failure)).await?;
            }
            Outcome::Running => {}
        }
        Ok(outcome)
    }

    async fn close_interrupted(self: &Arc<Self>, action: EventId) -> Result<()> {
        let failure = FailureObservation::interrupted();
        let reply = match self.event(action).await? {
            Some(event) => Draft::reply_to(&event, failure),
            None => Draft::new(Source::Environment, failure).cause(action),
        };
        self.answer(reply).await
    }

    /// Appends an answer, unless there is one.
    async fn answer(self: &Arc<Self>, reply: Draft) -> Result<()> {
        match self.append(reply).await {
            Err(error) if Answered::of(&error).is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads an event; `None` if it cannot be read.
    pub(super) async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>> {
        if let Some(event) = self.hub.recent(id) {
            return Ok(Some(event));
        }
        match self
            .hub
            .reader
            .read(ReadRange::new(id, id.next()).limit(1))
            .await
        {
            Ok(page) => {
                let event = page.first().and_then(|encoded| encoded.decode().ok());
                Ok(event.map(Arc::new))
            }
            Err(error) if Damage::of(&error).is_some() || Dropped::of(&error).is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

//! The loop: events in, observations out, one action at a time.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oh_core::action::{Action, ConfirmationState};
use oh_core::event::{Event, EventBody, StatusChange};
use oh_core::observation::{FailureObservation, Observation, UserRejectedObservation};
use oh_core::policy::{Decision, PolicyContext};
use oh_core::{AgentState, AgentTrigger, Error, ErrorKind, EventId, Result, Runtime, Source};
use oh_events::Cursor;

use super::approval::{Answer, answer};
use super::builder::Executor;
use super::recover::{is_executed, readable};
use super::tap::StreamTap;

/// What the executor does at the moment.
enum Work<'a> {
    Idle,
    /// An action waits for a person.
    Asked(Arc<Event>),
    /// An action is carried out. The flag is set when it was approved by a person.
    Running(
        EventId,
        Approved,
        Pin<Box<dyn Future<Output = Observation> + Send + 'a>>,
    ),
}

#[derive(Clone, Copy, PartialEq)]
enum Approved {
    ByPolicy,
    ByPerson,
}

/// What an event asks of the executor.
enum Halt {
    No,
    /// Ends the running action; what is queued waits.
    Pause,
    /// Ends the running action and drops what is queued.
    Stop,
}

impl Executor {
    /// Executes actions until the stream is closed.
    ///
    /// First it closes what an earlier run left open. Then it follows the stream: each action gets
    /// exactly one observation. A change of the agent's state to stopped, paused or error ends the
    /// running action ([`Exit::Cancelled`](oh_core::Exit::Cancelled), with the output so far).
    ///
    /// # Errors
    /// What the stream reports: an executor that cannot log does not go on.
    ///
    /// # Cancel safety
    /// Dropping the future ends the running command. Its action stays open and is closed as
    /// "outcome unknown" by the next executor.
    pub async fn run(self) -> Result<()> {
        let begin = self.recover().await?;
        let mut events = self.stream.subscribe(Cursor::From(begin.from));
        let mut statuses = self.runtime.status_changes();
        let mut statuses_go_on = true;
        let mut asked = begin.asked.into_iter();
        let mut work = asked.next().map_or(Work::Idle, Work::Asked);
        let mut queue: VecDeque<Arc<Event>> = asked.collect();
        let mut paused = self.stream.state() == AgentState::Paused;
        loop {
            if matches!(work, Work::Idle)
                && !paused
                && let Some(event) = queue.pop_front()
            {
                work = self.begin(event).await?;
                continue;
            }
            tokio::select! {
                biased;
                event = events.next() => {
                    let Some(event) = event else { break };
                    let Some(event) = readable(event)? else { continue };
                    match self.halt(&event) {
                        Halt::No => {}
                        Halt::Pause => {
                            paused = true;
                            work = self.end_work(work).await?;
                        }
                        Halt::Stop => {
                            work = self.end_work(work).await?;
                            self.drop_queued(&mut queue).await?;
                        }
                    }
                    if resumes(&event) {
                        paused = false;
                    }
                    if let Work::Asked(action) = &work
                        && let Some(said) = answer(&event, action.id)
                    {
                        let action = action.clone();
                        work = self.resolve(action, said).await?;
                    }
                    if event.body.as_action().is_some_and(is_executed)
                        && !begin.answered.contains(&event.id)
                    {
                        queue.push_back(event);
                    }
                }
                observation = finished(&mut work) => {
                    if let Work::Running(id, approved, _) = std::mem::replace(&mut work, Work::Idle) {
                        self.stream.reply(id, observation).await?;
                        if approved == Approved::ByPerson {
                            self.shift(AgentTrigger::ActionResolved).await?;
                        }
                    }
                }
                status = std::future::poll_fn(|cx| statuses.as_mut().poll_next(cx)), if statuses_go_on => {
                    match status {
                        Some(status) => {
                            let change = StatusChange::new(status, "");
                            self.stream.append(Source::Environment, EventBody::Status(change)).await?;
                        }
                        None => statuses_go_on = false,
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks an action and starts it, asks about it, or answers it with a refusal.
    async fn begin(&self, event: Arc<Event>) -> Result<Work<'_>> {
        let Some(action) = event.body.as_action() else {
            return Ok(Work::Idle);
        };
        let checked = self
            .permissions
            .check(action)
            .and_then(|()| self.limits.apply(action.clone()));
        let action = match checked {
            Ok(action) => action,
            Err(error) => {
                self.stream
                    .reply(event.id, FailureObservation::from(&error))
                    .await?;
                return Ok(Work::Idle);
            }
        };
        let context = PolicyContext::new(self.runtime.descriptor(), event.source);
        let decision = match action.confirmation_state() {
            ConfirmationState::Rejected => return self.refuse(event.id).await,
            ConfirmationState::AwaitingConfirmation => Decision::Ask {
                question: format!("May this run? {}", summary(&action)),
            },
            _ => self.policy.decide(&action, &context).await,
        };
        match decision {
            Decision::Allow => Ok(self.start(event.id, action, Approved::ByPolicy)),
            Decision::Ask { question } => {
                self.ask(event.id, question).await?;
                Ok(Work::Asked(event))
            }
            Decision::Deny { reason } => {
                let error =
                    Error::new(ErrorKind::Denied, action.kind().to_owned()).with_detail(reason);
                self.stream
                    .reply(event.id, FailureObservation::from(&error))
                    .await?;
                Ok(Work::Idle)
            }
            _ => {
                let error = Error::new(ErrorKind::Denied, action.kind().to_owned())
                    .with_detail("the policy answered in a way that this version does not know");
                self.stream
                    .reply(event.id, FailureObservation::from(&error))
                    .await?;
                Ok(Work::Idle)
            }
        }
    }

    fn start(&self, id: EventId, action: Action, approved: Approved) -> Work<'_> {
        let mut tap = StreamTap::new(self.stream.clone(), id, self.dispatcher.options().capture);
        let future = Box::pin(async move {
            self.dispatcher
                .execute(&*self.runtime, &action, &mut tap)
                .await
        });
        Work::Running(id, approved, future)
    }

    async fn resolve(&self, event: Arc<Event>, said: Answer) -> Result<Work<'_>> {
        let Some(action) = event.body.as_action() else {
            return Ok(Work::Idle);
        };
        match said {
            Answer::Approved => {
                self.shift(AgentTrigger::Confirm).await?;
                match self.limits.apply(action.clone()) {
                    Ok(action) => Ok(self.start(event.id, action, Approved::ByPerson)),
                    Err(error) => {
                        self.stream
                            .reply(event.id, FailureObservation::from(&error))
                            .await?;
                        self.shift(AgentTrigger::ActionResolved).await?;
                        Ok(Work::Idle)
                    }
                }
            }
            Answer::Refused => {
                self.shift(AgentTrigger::RejectByUser).await?;
                let work = self.refuse(event.id).await?;
                self.shift(AgentTrigger::ActionResolved).await?;
                Ok(work)
            }
        }
    }

    async fn refuse(&self, action: EventId) -> Result<Work<'_>> {
        let text = "The user refused this action. Ask what to do instead.";
        self.stream
            .reply(action, UserRejectedObservation::new(text))
            .await?;
        Ok(Work::Idle)
    }

    /// Ends what runs or is asked about, and gives it its observation.
    async fn end_work(&self, work: Work<'_>) -> Result<Work<'static>> {
        match work {
            Work::Running(id, _, mut future) => {
                let observation = match self.dispatcher.in_flight() {
                    Some(process) => {
                        // The command ends, and the future brings its output so far.
                        let (ended, observation) = tokio::join!(process.cancel(), &mut future);
                        ended.map_or_else(
                            |error| FailureObservation::from(&error).into(),
                            |()| observation,
                        )
                    }
                    None => {
                        drop(future);
                        cancelled("this action was ended by a change of the agent's state")
                    }
                };
                self.stream.reply(id, observation).await?;
            }
            Work::Asked(event) => {
                let text =
                    "nobody answered whether this action may run before the agent was halted";
                self.stream.reply(event.id, cancelled(text)).await?;
            }
            Work::Idle => {}
        }
        if let Err(error) = self.dispatcher.cancel_pending(&*self.runtime).await {
            tracing::warn!(%error, "a command of an earlier action could not be ended");
        }
        Ok(Work::Idle)
    }

    async fn drop_queued(&self, queue: &mut VecDeque<Arc<Event>>) -> Result<()> {
        for event in queue.drain(..) {
            let text = "this action was not carried out: the agent was stopped before";
            self.stream.reply(event.id, cancelled(text)).await?;
        }
        Ok(())
    }

    /// Whether an event halts the agent: an observed change of state, or the wish for one.
    fn halt(&self, event: &Event) -> Halt {
        let state = match &event.body {
            EventBody::Observation(Observation::AgentStateChanged(change)) => &change.agent_state,
            EventBody::Action(Action::ChangeAgentState(change)) => &change.agent_state,
            _ => return Halt::No,
        };
        match state.parse() {
            Ok(AgentState::Stopped | AgentState::Error) => Halt::Stop,
            Ok(AgentState::Paused) => Halt::Pause,
            _ => Halt::No,
        }
    }
}

fn resumes(event: &Event) -> bool {
    matches!(&event.body, EventBody::Observation(Observation::AgentStateChanged(change))
        if change.agent_state == AgentState::Running.as_str())
}

fn cancelled(text: &str) -> Observation {
    FailureObservation::new(text, ErrorKind::Cancelled).into()
}

/// An action in one line, for a question.
fn summary(action: &Action) -> String {
    match action {
        Action::Run(run) => run.command.clone(),
        Action::RunPython(cell) => cell.code.clone(),
        other => other.kind().to_owned(),
    }
}

/// The observation of the running action; never, if none runs.
async fn finished(work: &mut Work<'_>) -> Observation {
    match work {
        Work::Running(_, _, future) => future.await,
        _ => std::future::pending().await,
    }
}

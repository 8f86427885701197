//! The loop: events in, observations out, one action at a time.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oh_core::action::{Action, ConfirmationState};
use oh_core::event::{Draft, Event, EventBody, StatusChange};
use oh_core::observation::{FailureObservation, Observation, UserRejectedObservation};
use oh_core::policy::{Decision, PolicyContext};
use oh_core::{AgentTrigger, Error, ErrorKind, EventId, Result, Runtime, Source};
use oh_events::{Answered, Approval, Cursor};

use super::builder::Executor;
use super::end::{STOPPED, cancelled};
use super::hold::{Halt, Hold, halt, held};
use super::masked;
use super::recover::readable;
use super::tap::StreamTap;

/// What the executor does at the moment.
pub(super) enum Work<'a> {
    Idle,
    /// The policy thinks about an action.
    Deciding(
        Arc<Event>,
        Box<Action>,
        Pin<Box<dyn Future<Output = Decision> + Send + 'a>>,
    ),
    /// An action waits for a person, who was asked by the event of this id.
    Asked(Arc<Event>, EventId),
    /// An action is carried out. The flag is set when it was approved by a person.
    Running(
        Arc<Event>,
        Approved,
        Pin<Box<dyn Future<Output = Observation> + Send + 'a>>,
    ),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Approved {
    ByPolicy,
    ByPerson,
}

/// What came to its end.
enum Done {
    Decided(Decision),
    Observed(Box<Observation>),
}

impl Executor {
    /// Executes actions until the stream is closed.
    ///
    /// First it closes what an earlier executor of this run left open; for earlier runs see
    /// [`Recovery`](oh_events::Recovery). Then it follows the stream: each action gets exactly one
    /// observation, unless someone else answers it or it was left to the host at opening. A change of the agent's state to stopped, paused or error ends the
    /// running action ([`Exit::Cancelled`](oh_core::Exit::Cancelled), with the output so far).
    /// While the agent is paused, actions wait; while it is in state stopped or error, those of
    /// the agent itself are answered as cancelled.
    ///
    /// # Errors
    /// What the stream reports: an executor that cannot log does not go on.
    ///
    /// # Cancel safety
    /// Dropping the future ends the running command. Its action stays open and is closed as
    /// "outcome unknown" by the next executor, or when the stream is opened again.
    pub async fn run(self) -> Result<()> {
        match self.follow().await {
            // The stream was closed while something was to be appended.
            Err(error) if error.kind() == ErrorKind::Gone => Ok(()),
            ended => ended,
        }
    }

    async fn follow(&self) -> Result<()> {
        let begin = self.recover().await?;
        let mut events = self.stream.subscribe(Cursor::From(begin.from));
        let mut statuses = self.runtime.status_changes();
        let mut statuses_go_on = true;
        let mut asked = begin.asked.into_iter();
        let first = asked.next();
        let mut work = first.map_or(Work::Idle, |(event, question)| Work::Asked(event, question));
        let mut queue: VecDeque<Arc<Event>> = asked.map(|(event, _)| event).collect();
        let mut early = HashMap::new();
        let mut hold = Hold::of(self.stream.state());
        loop {
            if matches!(work, Work::Idle)
                && hold != Hold::Paused
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
                    match halt(&event) {
                        Halt::No => {}
                        Halt::Pause => work = self.end_work(work).await?,
                        Halt::Stop => {
                            work = self.end_work(work).await?;
                            self.drop_queued(&mut queue).await?;
                            early.clear();
                        }
                    }
                    hold = held(&event, hold);
                    if let Work::Asked(action, question) = &work
                        && let Some(said) = Approval::find(&event, action.id, *question)
                    {
                        let action = action.clone();
                        self.claim.reach(event.id.next());
                        work = self.resolve(action, said).await?;
                    } else if let Some((action, said)) = Approval::named(&event)
                        && waits(&work, &queue, action)
                    {
                        early.insert(action, said);
                    }
                    if let Some(answered) = event.answers()
                        && stands_before(&work, answered)
                    {
                        // Someone else did it.
                        work = Work::Idle;
                    }
                    if event.body.as_action().is_some_and(Action::expects_observation) {
                        if hold == Hold::Stopped && event.source == Source::Agent {
                            self.answer(&event, cancelled(STOPPED)).await?;
                        } else {
                            queue.push_back(event);
                        }
                    }
                }
                done = finished(&mut work) => {
                    let ended = std::mem::replace(&mut work, Work::Idle);
                    work = match (ended, done) {
                        (Work::Deciding(event, action, _), Done::Decided(decision)) => {
                            let said = early.remove(&event.id);
                            self.decided(event, *action, decision, said).await?
                        }
                        (Work::Running(event, approved, _), Done::Observed(observation)) => {
                            self.answer(&event, *observation).await?;
                            if approved == Approved::ByPerson {
                                self.shift(AgentTrigger::ActionResolved).await?;
                            }
                            Work::Idle
                        }
                        (other, _) => other,
                    };
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

    /// Checks an action, and asks the policy about it or answers it with a refusal.
    async fn begin(&self, event: Arc<Event>) -> Result<Work<'_>> {
        let Some(action) = event.body.as_action() else {
            return Ok(Work::Idle);
        };
        self.claim.reach(event.id.next());
        if !self.stream.is_open(event.id) {
            return Ok(Work::Idle);
        }
        let action = match self.checked(action) {
            Ok(action) => action,
            Err(error) => return self.fail(&event, &error).await,
        };
        if action.confirmation_state() == ConfirmationState::Rejected {
            return self.refuse(&event).await;
        }
        let context = PolicyContext::new(self.runtime.descriptor(), event.source);
        let (policy, asked) = (&self.policy, action.clone());
        let deciding = Box::pin(async move {
            match asked.confirmation_state() {
                ConfirmationState::AwaitingConfirmation => Decision::Ask {
                    question: format!("May this run? {}", summary(&asked)),
                },
                _ => policy.decide(&asked, &context).await,
            }
        });
        Ok(Work::Deciding(event, Box::new(action), deciding))
    }

    /// Permissions, masks and limits.
    fn checked(&self, action: &Action) -> Result<Action> {
        self.permissions.check(action)?;
        masked::check(action)?;
        self.limits.apply(action.clone())
    }

    /// Starts an action, asks about it, or answers it with a refusal.
    async fn decided(
        &self,
        event: Arc<Event>,
        action: Action,
        decision: Decision,
        said: Option<Approval>,
    ) -> Result<Work<'_>> {
        let reason = match decision {
            Decision::Allow => return Ok(self.start(event, action, Approved::ByPolicy)),
            Decision::Ask { question } => {
                if let Some(said) = said {
                    return self.resolve(event, said).await;
                }
                let question = self.ask(event.id, question).await?;
                self.claim.reach(question.next());
                return Ok(Work::Asked(event, question));
            }
            Decision::Deny { reason } => reason,
            _ => "the policy answered in a way that this version does not know".to_owned(),
        };
        let error = Error::new(ErrorKind::Denied, action.kind().to_owned()).with_detail(reason);
        self.fail(&event, &error).await
    }

    async fn fail(&self, action: &Event, error: &Error) -> Result<Work<'_>> {
        self.answer(action, FailureObservation::from(error)).await?;
        Ok(Work::Idle)
    }

    fn start(&self, event: Arc<Event>, action: Action, approved: Approved) -> Work<'_> {
        let mut tap = StreamTap::new(
            self.stream.clone(),
            event.id,
            self.dispatcher.options().capture,
        );
        let future = Box::pin(async move {
            self.dispatcher
                .execute(&*self.runtime, &action, &mut tap)
                .await
        });
        Work::Running(event, approved, future)
    }

    async fn resolve(&self, event: Arc<Event>, said: Approval) -> Result<Work<'_>> {
        let Some(action) = event.body.as_action() else {
            return Ok(Work::Idle);
        };
        match said {
            Approval::Approved => {
                self.shift(AgentTrigger::Confirm).await?;
                match self.checked(action) {
                    Ok(action) => Ok(self.start(event, action, Approved::ByPerson)),
                    Err(error) => {
                        let work = self.fail(&event, &error).await?;
                        self.shift(AgentTrigger::ActionResolved).await?;
                        Ok(work)
                    }
                }
            }
            _ => {
                self.shift(AgentTrigger::RejectByUser).await?;
                let work = self.refuse(&event).await?;
                self.shift(AgentTrigger::ActionResolved).await?;
                Ok(work)
            }
        }
    }

    async fn refuse(&self, action: &Event) -> Result<Work<'_>> {
        let text = "The user refused this action. Ask what to do instead.";
        self.answer(action, UserRejectedObservation::new(text))
            .await?;
        Ok(Work::Idle)
    }

    /// Appends the observation of an action, unless someone else was first.
    pub(super) async fn answer(
        &self,
        action: &Event,
        observation: impl Into<Observation>,
    ) -> Result<()> {
        let reply = Draft::reply_to(action, observation);
        match self.stream.append_draft(reply).await {
            Err(error) if Answered::of(&error).is_none() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether an action is decided or asked about at the moment.
fn stands_before(work: &Work<'_>, action: EventId) -> bool {
    matches!(work, Work::Deciding(event, ..) | Work::Asked(event, _) if event.id == action)
}

/// Whether an action is still to be decided.
fn waits(work: &Work<'_>, queue: &VecDeque<Arc<Event>>, action: EventId) -> bool {
    matches!(work, Work::Deciding(event, ..) if event.id == action)
        || queue.iter().any(|event| event.id == action)
}

/// An action in one line, for a question.
fn summary(action: &Action) -> String {
    match action {
        Action::Run(run) => run.command.clone(),
        Action::RunPython(cell) => cell.code.clone(),
        other => other.kind().to_owned(),
    }
}

/// The end of what goes on; never, if nothing does.
async fn finished(work: &mut Work<'_>) -> Done {
    match work {
        Work::Deciding(_, _, future) => Done::Decided(future.await),
        Work::Running(_, _, future) => Done::Observed(Box::new(future.await)),
        _ => std::future::pending().await,
    }
}

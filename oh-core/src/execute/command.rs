//! Commands: started, waited for, answered, interrupted.

use bytes::Bytes;

use super::dispatcher::{Dispatcher, Pending};
use super::going_on::{command_of, control_byte, is_forgotten};
use super::report::{Prefixed, previous_output};
use super::tap::{OutputTap, TapOutput};
use crate::action::RunAction;
use crate::error::{Error, ErrorKind, Result};
use crate::id::SessionName;
use crate::observation::{FailureObservation, Observation, RunObservation};
use crate::runtime::{
    Capability, Command, Exit, ExitReport, Follow, Outcome, OutputMode, OutputStream, Pause,
    Position, Process, ProcessControl, ProcessEvent, Runtime, SandboxPath, Stdin,
};
use crate::secret::Edge;

/// What one look at a process brought.
pub(super) struct Look {
    pub(super) outcome: Outcome,
    pub(super) report: Option<ExitReport>,
    pub(super) output: TapOutput,
}

impl Dispatcher {
    /// Runs a command, or deals with the one that still runs in the same shell.
    pub(super) async fn run(
        &self,
        runtime: &dyn Runtime,
        action: &RunAction,
        tap: &mut dyn OutputTap,
    ) -> Result<Observation> {
        let session = self.session_of(runtime, action);
        let text = action.command.trim();
        let steers = text.is_empty() || action.is_input || control_byte(text).is_some();
        let pending = match self.pending(&session) {
            None if steers => self.adopt(runtime, &session).await,
            known => known,
        };
        match pending {
            Some(pending) if steers => self.go_on(runtime, action, &session, pending, tap).await,
            Some(pending) => self.run_after(runtime, action, session, pending, tap).await,
            None if text.is_empty() || action.is_input => {
                let detail = "no command runs in this shell that could be waited for or answered; \
                              send a command first";
                Err(Error::new(ErrorKind::NotFound, "run").with_detail(detail))
            }
            None => self.run_first(runtime, action, session, tap).await,
        }
    }

    /// Runs a command where an earlier one may still run; if it does, says so instead.
    async fn run_after(
        &self,
        runtime: &dyn Runtime,
        action: &RunAction,
        session: Option<SessionName>,
        pending: Pending,
        tap: &mut dyn OutputTap,
    ) -> Result<Observation> {
        let before = match self.look_again(runtime, &session, &pending, tap).await {
            Ok(rest) if rest.outcome.exit().is_none() => {
                return Ok(self.refused(action, &session, pending, rest, tap));
            }
            Ok(rest) => {
                let said = self.content(&rest.output, session.is_some(), tap);
                previous_output(&pending.command, &rest, &said)
            }
            Err(error) if is_forgotten(&error) => format!(
                "[The previous command can not be followed any more, and how it ended is unknown. \
                 It was: {}.]\n",
                pending.command
            ),
            Err(error) => return Err(error),
        };
        self.set_pending(&session, None);
        // What the previous command said is taken, so that it is told in any case.
        Ok(match self.start(runtime, action, session, tap).await {
            Ok(observation) => observation.prefixed(before).into(),
            Err(error) => {
                let mut failure = FailureObservation::from(&error);
                failure.content.insert_str(0, &before);
                failure.into()
            }
        })
    }

    /// Runs a command; if the shell is busy with one that this dispatcher does not know, says so
    /// and takes that one over, so that it can be waited for and interrupted.
    async fn run_first(
        &self,
        runtime: &dyn Runtime,
        action: &RunAction,
        session: Option<SessionName>,
        tap: &mut dyn OutputTap,
    ) -> Result<Observation> {
        let error = match self.start(runtime, action, session.clone(), tap).await {
            Ok(observation) => return Ok(observation.into()),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::Conflict || session.is_none() || action.options.key.is_some()
        {
            return Err(error);
        }
        let Some(running) = error.running() else {
            return Err(error);
        };
        let pending = Pending {
            process: running.clone(),
            command: command_of(runtime, running).await,
            position: Position::default(),
        };
        match self.look_again(runtime, &session, &pending, tap).await {
            Ok(rest) if rest.outcome.exit().is_none() => {
                Ok(self.refused(action, &session, pending, rest, tap))
            }
            _ => Err(error),
        }
    }

    fn session_of(&self, runtime: &dyn Runtime, action: &RunAction) -> Option<SessionName> {
        if action.is_static {
            return None;
        }
        let has_shells = runtime.descriptor().capabilities.has(Capability::Sessions);
        let default = self.options.session.clone().filter(|_| has_shells);
        action.options.session.clone().or(default)
    }

    async fn start(
        &self,
        runtime: &dyn Runtime,
        action: &RunAction,
        session: Option<SessionName>,
        tap: &mut dyn OutputTap,
    ) -> Result<RunObservation> {
        let mut command = Command::shell(action.command.clone());
        command.deadline = action.options.deadline;
        command.key = action.options.key.clone();
        command.env = action.options.env.clone();
        command.cwd = action.cwd.as_deref().map(SandboxPath::new).transpose()?;
        match &session {
            Some(name) => {
                command.session = Some(name.clone());
                command.stdin = Stdin::Piped;
                // V0 clients may fill in `cwd`; there it counts for static commands alone.
                command.cwd = None;
            }
            None => command.output = OutputMode::Merged,
        }
        if let Some(input) = &action.options.stdin {
            command.stdin = Stdin::Bytes(Bytes::copy_from_slice(input.as_bytes()));
        }
        let outlives_caller = command.key.is_some();
        let process = runtime.spawn(command, self.follow(action)).await?;
        self.set_pending(&session, None);
        let guard = EndOnDrop::new(&process, outlives_caller);
        let _in_flight = InFlight::new(self, process.control());
        let look = self.look(process, tap, &session, &action.command).await?;
        guard.disarm();
        Ok(self.observation(action, &session, look, tap))
    }

    pub(super) fn follow(&self, action: &RunAction) -> Follow {
        let mut follow = Follow::default().until(action.timeout.unwrap_or(self.options.wait));
        if !action.blocking {
            follow = follow.quiet(self.options.quiet);
        } else if action.timeout.is_none() {
            follow.until = None;
        }
        follow
    }

    /// Follows a process to its end or to the end of waiting, and remembers one that goes on.
    pub(super) async fn look(
        &self,
        mut process: Process,
        tap: &mut dyn OutputTap,
        session: &Option<SessionName>,
        command: &str,
    ) -> Result<Look> {
        let (outcome, report) = loop {
            let Some(event) = process.next().await else {
                self.set_pending(session, None);
                return Err(Error::new(ErrorKind::Gone, "run").with_object(process.id().as_str()));
            };
            match event? {
                ProcessEvent::Stdout { data, .. } => tap.push(OutputStream::Stdout, data).await,
                ProcessEvent::Stderr { data, .. } => tap.push(OutputStream::Stderr, data).await,
                ProcessEvent::Gap(gap) => tap.gap(gap).await,
                ProcessEvent::Quiet { input } => {
                    break (
                        Outcome::Running {
                            why: Pause::Quiet,
                            input,
                        },
                        None,
                    );
                }
                ProcessEvent::Elapsed { input } => {
                    break (
                        Outcome::Running {
                            why: Pause::Elapsed,
                            input,
                        },
                        None,
                    );
                }
                ProcessEvent::Exited(report) => {
                    break (Outcome::Exited(report.exit.clone()), Some(report));
                }
                ProcessEvent::Started { .. } | ProcessEvent::Closed => {}
            }
        };
        let end = match &outcome {
            Outcome::Exited(Exit::Code(_) | Exit::Signal(_)) => Edge::Whole,
            _ => Edge::Cut,
        };
        let output = tap.finish(end).await;
        let goes_on = report.is_none().then(|| Pending {
            process: process.id().clone(),
            command: command.to_owned(),
            position: process.position(),
        });
        self.set_pending(session, goes_on);
        Ok(Look {
            outcome,
            report,
            output,
        })
    }
}

/// Names the process that is followed, as long as it is.
pub(super) struct InFlight<'a>(&'a Dispatcher);

impl<'a> InFlight<'a> {
    pub(super) fn new(dispatcher: &'a Dispatcher, process: ProcessControl) -> Self {
        dispatcher.set_in_flight(Some(process));
        Self(dispatcher)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.set_in_flight(None);
    }
}

/// Ends the process when the future that started it is dropped.
struct EndOnDrop(Option<ProcessControl>);

impl EndOnDrop {
    fn new(process: &Process, outlives_caller: bool) -> Self {
        Self((!outlives_caller).then(|| process.control()))
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if let Some(control) = self.0.take() {
            control.abandon();
        }
    }
}

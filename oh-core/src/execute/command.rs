//! Commands: started, waited for, answered, interrupted.

use std::time::Duration;

use bytes::Bytes;

use super::dispatcher::{Dispatcher, Pending};
use super::tap::{OutputTap, TapOutput};
use crate::action::RunAction;
use crate::error::{Error, ErrorKind, Result};
use crate::event::BlobRef;
use crate::id::SessionName;
use crate::observation::{Observation, RunObservation};
use crate::runtime::{
    Capability, Captured, Command, Exit, ExitReport, Follow, Outcome, OutputMode, OutputStream,
    Pause, Process, ProcessControl, ProcessEvent, Runtime, SandboxPath, Stdin, WaitsForInput,
};
use crate::secret::Edge;
use crate::terminal::TerminalText;

/// What one look at a process brought.
struct Look {
    outcome: Outcome,
    report: Option<ExitReport>,
    output: TapOutput,
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
        let pending = self.pending(&session);
        let text = action.command.trim();
        let key = control_byte(text);
        match pending {
            Some(pending) if text.is_empty() || action.is_input || key.is_some() => {
                self.go_on(runtime, action, &session, pending, tap).await
            }
            Some(pending) => {
                let rest = self.look_again(runtime, &session, &pending, tap).await?;
                if rest.outcome.exit().is_none() {
                    return Ok(self.refused(action, &session, pending, rest));
                }
                self.set_pending(&session, None);
                let said = self.content(&rest.output, session.is_some());
                let observation = self.start(runtime, action, session, tap).await?;
                Ok(observation
                    .prefixed(previous_output(&pending.command, &rest, &said))
                    .into())
            }
            None if text.is_empty() || action.is_input => {
                let detail = "no command runs in this shell that could be waited for or answered; \
                              send a command first";
                Err(Error::new(ErrorKind::NotFound, "run").with_detail(detail))
            }
            None => self
                .start(runtime, action, session, tap)
                .await
                .map(Observation::from),
        }
    }

    /// Ends every command that an observation reported as still running.
    ///
    /// # Errors
    /// The first thing that could not be ended; the others are ended all the same.
    ///
    /// # Cancel safety
    /// Call it again when the future was dropped.
    pub async fn cancel_pending(&self, runtime: &dyn Runtime) -> Result<()> {
        let mut result = Ok(());
        for (session, pending) in self.all_pending() {
            let ended = match runtime.attach(&pending.process, Follow::default()).await {
                Ok(process) => process.cancel().await,
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => self.set_pending(&session, None),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
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
        let look = self.look(process, tap, &session, &action.command).await?;
        guard.disarm();
        Ok(self.observation(action, &session, look))
    }

    /// Waits for, answers or interrupts the command that still runs.
    async fn go_on(
        &self,
        runtime: &dyn Runtime,
        action: &RunAction,
        session: &Option<SessionName>,
        pending: Pending,
        tap: &mut dyn OutputTap,
    ) -> Result<Observation> {
        let follow = self.follow(action).from(pending.position);
        let process = runtime.attach(&pending.process, follow).await?;
        let text = action.command.trim();
        if let Some(byte) = control_byte(text) {
            process.write_stdin(vec![byte]).await?;
        } else if !text.is_empty() {
            process.write_stdin(format!("{}\n", action.command)).await?;
        }
        let look = self.look(process, tap, session, &pending.command).await?;
        Ok(self.observation(action, session, look).into())
    }

    /// Takes what a command printed since the last look.
    async fn look_again(
        &self,
        runtime: &dyn Runtime,
        session: &Option<SessionName>,
        pending: &Pending,
        tap: &mut dyn OutputTap,
    ) -> Result<Look> {
        let follow = Follow::default()
            .from(pending.position)
            .until(Duration::ZERO);
        let process = runtime.attach(&pending.process, follow).await?;
        self.look(process, tap, session, &pending.command).await
    }

    fn follow(&self, action: &RunAction) -> Follow {
        let mut follow = Follow::default().until(action.timeout.unwrap_or(self.options.wait));
        if !action.blocking {
            follow = follow.quiet(self.options.quiet);
        } else if action.timeout.is_none() {
            follow.until = None;
        }
        follow
    }

    /// Follows a process to its end or to the end of waiting, and remembers one that goes on.
    async fn look(
        &self,
        mut process: Process,
        tap: &mut dyn OutputTap,
        session: &Option<SessionName>,
        command: &str,
    ) -> Result<Look> {
        let _in_flight = InFlight::new(self, process.control());
        let (outcome, report) = loop {
            let Some(event) = process.next().await else {
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

    fn observation(
        &self,
        action: &RunAction,
        session: &Option<SessionName>,
        look: Look,
    ) -> RunObservation {
        let content = self.content(&look.output, session.is_some());
        let command = action.command.trim();
        let mut observation = match &look.outcome {
            Outcome::Exited(exit) => {
                let mut observation = RunObservation::ended(content, command, exit.clone());
                observation.metadata.suffix = ended_suffix(exit, command);
                observation
            }
            Outcome::Running { why, input } => {
                let process = self.pending(session).map(|pending| pending.process);
                let mut observation = RunObservation::new(content, command);
                observation.details.pause = Some(*why);
                observation.details.process = process;
                observation.metadata.suffix = self.paused_suffix(action, *why, *input);
                observation
            }
        };
        observation.hidden = action.hidden;
        let report = look.report.unwrap_or_else(|| ExitReport::new(Exit::Lost));
        if let Some(shell) = report.session {
            observation.metadata.working_dir = shell.cwd.map(String::from);
            observation.metadata.pid = shell.background.map_or(-1, i64::from);
            if shell.restarted {
                observation.metadata.suffix.push_str(RESTARTED);
            }
            if !shell.stray.is_empty() {
                let stray = flatten(&shell.stray);
                observation.metadata.prefix =
                    format!("[Background jobs printed before this command:]\n{stray}\n");
            }
        }
        observation.details.usage = report.usage;
        observation.details.stdout_bytes = Some(look.output.stdout.total_bytes);
        observation.details.stderr_bytes = Some(look.output.stderr.total_bytes);
        observation.details.stdout_blob = look.output.stdout_blob;
        observation.details.stderr_blob = look.output.stderr_blob;
        observation
    }

    fn refused(
        &self,
        action: &RunAction,
        session: &Option<SessionName>,
        pending: Pending,
        look: Look,
    ) -> Observation {
        let content = self.content(&look.output, session.is_some());
        let command = action.command.trim();
        let mut observation = RunObservation::new(content, command);
        observation.metadata.prefix = PREVIOUS.to_owned();
        observation.metadata.suffix = format!(
            "\n[Your command \"{command}\" is NOT executed. The previous command is still running: \
             {}. {ADVICE}]",
            pending.command
        );
        observation.hidden = action.hidden;
        observation.details.pause = Some(Pause::Elapsed);
        observation.details.process = Some(pending.process);
        observation.details.stdout_blob = look.output.stdout_blob;
        observation.into()
    }

    /// The output as text: what a terminal would show, or the bytes as they are; cut in the middle.
    fn content(&self, output: &TapOutput, is_terminal: bool) -> String {
        let text = |captured: &Captured, blob: &Option<BlobRef>| -> String {
            let show = |bytes: &[u8]| {
                if is_terminal {
                    flatten(bytes)
                } else {
                    String::from_utf8_lossy(bytes).into_owned()
                }
            };
            match captured.to_bytes() {
                Some(whole) => show(&whole),
                None => {
                    let place = blob.as_ref().map_or_else(String::new, |blob| {
                        format!("; all of it is in blob {}", blob.id)
                    });
                    format!(
                        "{}\n[... {} bytes left out{place} ...]\n{}",
                        show(&captured.head),
                        captured.omitted_bytes(),
                        show(&captured.tail)
                    )
                }
            }
        };
        let mut all = text(&output.stdout, &output.stdout_blob);
        if output.stderr.total_bytes > 0 {
            all.push_str(&text(&output.stderr, &output.stderr_blob));
        }
        crate::event::truncate_middle(all.trim_end(), self.options.content_chars).into_owned()
    }

    fn paused_suffix(&self, action: &RunAction, why: Pause, input: WaitsForInput) -> String {
        let waits = match input {
            WaitsForInput::Yes(_) => " It waits for input.",
            _ => "",
        };
        match why {
            Pause::Quiet => format!(
                "\n[The command has no new output after {} seconds.{waits} {ADVICE}]",
                self.options.quiet.as_secs()
            ),
            Pause::Elapsed => {
                let seconds = action.timeout.unwrap_or(self.options.wait).as_secs_f64();
                format!("\n[The command timed out after {seconds:?} seconds.{waits} {ADVICE}]")
            }
        }
    }
}

const ADVICE: &str = "It goes on running. Send an empty command to wait for more output, send text \
                      with is_input to answer it, or send C-c with is_input to interrupt it.";
const PREVIOUS: &str = "[Below is the output of the previous command.]\n";
const RESTARTED: &str = "\n[The shell ended with this command and was started again: directory and \
                         exported settings are restored, functions and shell variables are lost.]";

fn previous_output(command: &str, look: &Look, said: &str) -> String {
    let end = look
        .outcome
        .exit()
        .map_or_else(String::new, ToString::to_string);
    format!("{PREVIOUS}{said}\n[It was: {command}. It ended meanwhile: {end}.]\n")
}

fn ended_suffix(exit: &Exit, command: &str) -> String {
    let key = match command.strip_prefix("C-") {
        Some(key) if control_byte(command).is_some() => {
            format!(" CTRL+{} was sent.", key.to_uppercase())
        }
        _ => String::new(),
    };
    match exit {
        Exit::Code(code) => format!("\n[The command completed with exit code {code}.{key}]"),
        Exit::TimedOut => "\n[The command reached its deadline and was ended.]".to_owned(),
        other => format!("\n[The command did not complete: {other}.{key}]"),
    }
}

/// `C-c` and its like, as the byte that a terminal would send.
fn control_byte(text: &str) -> Option<u8> {
    let mut key = text.strip_prefix("C-")?.chars();
    let letter = key.next()?.to_ascii_uppercase();
    let is_key = key.next().is_none() && ('@'..='_').contains(&letter);
    is_key.then_some(letter as u8 & 0x1f)
}

trait Prefixed {
    fn prefixed(self, text: String) -> Self;
}

impl Prefixed for RunObservation {
    fn prefixed(mut self, text: String) -> Self {
        self.metadata.prefix.insert_str(0, &text);
        self
    }
}

/// Names the process that is followed, as long as it is.
struct InFlight<'a>(&'a Dispatcher);

impl<'a> InFlight<'a> {
    fn new(dispatcher: &'a Dispatcher, process: ProcessControl) -> Self {
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

fn flatten(bytes: &[u8]) -> String {
    let mut text = TerminalText::new();
    text.push(bytes);
    text.finish()
}

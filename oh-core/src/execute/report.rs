//! What is said about a command: its output as text, how it stands, what can be done.

use super::command::Look;
use super::dispatcher::{Dispatcher, Pending};
use super::going_on::control_byte;
use super::tap::{OutputTap, TapOutput};
use crate::action::RunAction;
use crate::event::BlobRef;
use crate::id::SessionName;
use crate::observation::{Observation, RunObservation};
use crate::runtime::{Captured, Exit, ExitReport, Outcome, Pause, WaitsForInput};
use crate::secret::Edge;
use crate::terminal::TerminalText;

impl Dispatcher {
    pub(super) fn observation(
        &self,
        action: &RunAction,
        session: &Option<SessionName>,
        look: Look,
        tap: &dyn OutputTap,
    ) -> RunObservation {
        let content = self.content(&look.output, session.is_some(), tap);
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

    pub(super) fn refused(
        &self,
        action: &RunAction,
        session: &Option<SessionName>,
        pending: Pending,
        look: Look,
        tap: &dyn OutputTap,
    ) -> Observation {
        let content = self.content(&look.output, session.is_some(), tap);
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
    pub(super) fn content(
        &self,
        output: &TapOutput,
        is_terminal: bool,
        tap: &dyn OutputTap,
    ) -> String {
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
        // Escape sequences are gone now, which can have stood within a secret.
        let all = tap.mask(all.trim_end(), Edge::Whole);
        crate::event::truncate_middle(&all, self.options.content_chars).into_owned()
    }

    fn paused_suffix(&self, action: &RunAction, why: Pause, input: WaitsForInput) -> String {
        let waits = match input {
            WaitsForInput::Yes(_) => " It waits for input.",
            _ => "",
        };
        match why {
            Pause::Quiet => format!(
                "\n[The command has no new output after {} seconds.{waits} {ADVICE}]",
                whole_or_decimal(self.options.quiet)
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
const RESTARTED: &str = "\n[The shell ended with this command. A next command gets a new shell: \
                         directory and exported settings are kept, functions and shell variables \
                         are lost.]";

pub(super) fn previous_output(command: &str, look: &Look, said: &str) -> String {
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

pub(super) trait Prefixed {
    fn prefixed(self, text: String) -> Self;
}

impl Prefixed for RunObservation {
    fn prefixed(mut self, text: String) -> Self {
        self.metadata.prefix.insert_str(0, &text);
        self
    }
}

fn flatten(bytes: &[u8]) -> String {
    let mut text = TerminalText::new();
    text.push(bytes);
    text.finish()
}

/// Seconds, as OpenHands writes its setting where it is a whole number.
fn whole_or_decimal(time: std::time::Duration) -> String {
    if time.subsec_nanos() == 0 {
        time.as_secs().to_string()
    } else {
        time.as_secs_f64().to_string()
    }
}

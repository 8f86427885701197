//! Commands that still run: waited for, answered, interrupted, ended.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::command::{InFlight, Look};
use super::dispatcher::{Dispatcher, Pending};
use super::tap::OutputTap;
use crate::action::RunAction;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProcessId, SessionName};
use crate::observation::Observation;
use crate::runtime::{Follow, Position, Process, ProcessControl, Runtime, Signal};

impl Dispatcher {
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
                Err(error) if is_forgotten(&error) => Ok(()),
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => self.set_pending(&session, None),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// The command that runs in a shell, where another dispatcher started it.
    pub(super) async fn adopt(
        &self,
        runtime: &dyn Runtime,
        session: &Option<SessionName>,
    ) -> Option<Pending> {
        session.as_ref()?;
        let known = runtime.processes().await.ok()?;
        let running = known
            .into_iter()
            .rfind(|process| process.session == *session && process.exit.is_none())?;
        Some(Pending {
            process: running.id,
            command: running.command,
            position: Position::default(),
        })
    }

    /// Waits for, answers or interrupts the command that still runs.
    pub(super) async fn go_on(
        &self,
        runtime: &dyn Runtime,
        action: &RunAction,
        session: &Option<SessionName>,
        pending: Pending,
        tap: &mut dyn OutputTap,
    ) -> Result<Observation> {
        let follow = self.follow(action).from(pending.position);
        let process = self.again(runtime, session, &pending, follow).await?;
        let control = process.control();
        let _in_flight = InFlight::new(self, control.clone());
        tap.resume();
        let look = self.look(process, tap, session, &pending.command);
        // Beside the look: a command that does not read would hold up the input, and the timers of
        // the look have to run all the same.
        let input = send(control, action, session.is_some());
        let look = beside(input, look).await?;
        Ok(self.observation(action, session, look, tap).into())
    }

    /// Attaches to a command that still runs; one that the runtime does not know any more does not
    /// count as running.
    async fn again(
        &self,
        runtime: &dyn Runtime,
        session: &Option<SessionName>,
        pending: &Pending,
        follow: Follow,
    ) -> Result<Process> {
        let attached = runtime.attach(&pending.process, follow).await;
        if attached.as_ref().is_err_and(is_forgotten) {
            self.set_pending(session, None);
        }
        attached
    }

    /// Takes what a command printed since the last look.
    pub(super) async fn look_again(
        &self,
        runtime: &dyn Runtime,
        session: &Option<SessionName>,
        pending: &Pending,
        tap: &mut dyn OutputTap,
    ) -> Result<Look> {
        let follow = Follow::default()
            .from(pending.position)
            .until(Duration::ZERO);
        let process = self.again(runtime, session, pending, follow).await?;
        tap.resume();
        self.look(process, tap, session, &pending.command).await
    }
}

/// Whether a command cannot be followed any more: nothing would ever tell that it ended.
pub(super) fn is_forgotten(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::Gone | ErrorKind::Unsupported
    )
}

/// The text of a command that someone else started.
pub(super) async fn command_of(runtime: &dyn Runtime, process: &ProcessId) -> String {
    let known = runtime.processes().await.unwrap_or_default();
    let found = known.into_iter().find(|info| info.id == *process);
    found.map_or_else(|| process.to_string(), |info| info.command)
}

/// Sends the input of an action; empty text asks for output alone.
async fn send(control: ProcessControl, action: &RunAction, is_terminal: bool) -> Result<()> {
    let text = action.command.trim();
    let sent = match control_byte(text) {
        // Without a terminal no byte becomes a signal.
        Some(INTERRUPT) if !is_terminal => control.signal(Signal::Interrupt).await,
        Some(END_OF_FILE) if !is_terminal => control.close_stdin().await,
        Some(QUIT) if !is_terminal => control.signal(Signal::Quit).await,
        Some(byte) => control.write_stdin(vec![byte]).await,
        None if text.is_empty() => Ok(()),
        None => control.write_stdin(format!("{}\n", action.command)).await,
    };
    match sent {
        // It ended meanwhile; the look at it says how.
        Err(error) if error.kind() == ErrorKind::Gone => Ok(()),
        sent => sent,
    }
}

/// Runs both at once: the result is that of `look`, unless `input` fails before.
async fn beside<T>(
    input: impl Future<Output = Result<()>>,
    look: impl Future<Output = Result<T>>,
) -> Result<T> {
    let (mut input, mut look) = (pin!(input), pin!(look));
    let mut is_sent = false;
    poll_fn(|context| {
        if !is_sent && let Poll::Ready(sent) = input.as_mut().poll(context) {
            sent?;
            is_sent = true;
        }
        look.as_mut().poll(context)
    })
    .await
}

const INTERRUPT: u8 = 0x03;
const END_OF_FILE: u8 = 0x04;
const QUIT: u8 = 0x1c;

/// `C-c` and its like, as the byte that a terminal would send.
pub(super) fn control_byte(text: &str) -> Option<u8> {
    let mut key = text.strip_prefix("C-")?.chars();
    let letter = key.next()?.to_ascii_uppercase();
    let is_key = key.next().is_none() && ('@'..='_').contains(&letter);
    is_key.then_some(letter as u8 & 0x1f)
}

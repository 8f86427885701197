//! The control of one command in a shell.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::runtime::ProcessDriver;
use oh_core::{
    Command, Error, ErrorKind, ProcessId, ProcessInfo, PtySize, Result, SessionName, Signal, Stdin,
    WaitsForInput,
};
use rustix::io::Errno;

use super::running::Patience;
use super::session::Session;
use super::terminal::Shell;
use crate::local::process::{InputProbe, Leader, Recording, Tracked};

/// How long a shell takes to start a program.
const PROGRAM_START: Duration = Duration::from_millis(30);

/// Input, signals and the end of a command in a shell. It does not keep the shell alive.
#[derive(Debug)]
pub(crate) struct ShellCommand {
    session: Weak<Session>,
    id: ProcessId,
    recording: Arc<Recording>,
    piped: bool,
    /// How it is listed.
    text: String,
    name: SessionName,
    started: Instant,
}

impl ShellCommand {
    pub(super) fn new(
        session: &Arc<Session>,
        id: ProcessId,
        recording: Arc<Recording>,
        command: &Command,
    ) -> Self {
        Self {
            session: Arc::downgrade(session),
            id,
            recording,
            piped: command.stdin == Stdin::Piped,
            text: command.target.to_string(),
            name: session.name.clone(),
            started: Instant::now(),
        }
    }

    /// The shell, while this command runs in it.
    fn shell(&self, operation: &'static str) -> Result<Arc<Shell>> {
        let session = self.session.upgrade();
        session
            .and_then(|session| {
                let state = session.state();
                state.runs(&self.id)?;
                state.shell.clone()
            })
            .ok_or_else(|| self.gone(operation))
    }

    fn gone(&self, operation: &'static str) -> Error {
        Error::new(ErrorKind::Gone, operation)
            .with_object(self.id.as_str())
            .with_detail("the command has ended")
    }

    /// Writes what the terminal takes now. Refuses when the command is over, as far as can be
    /// known: what a shell reads between commands it runs.
    fn write_some(&self, data: &[u8]) -> Result<usize> {
        const OPERATION: &str = "write_stdin";
        let session = self.session.upgrade().ok_or_else(|| self.gone(OPERATION))?;
        let mut state = session.state();
        let shell = state.shell.clone().ok_or_else(|| self.gone(OPERATION))?;
        let running = state
            .running
            .as_mut()
            .filter(|running| running.id == self.id);
        let running = running.ok_or_else(|| self.gone(OPERATION))?;
        if let Some(bytes) = shell.read_reports() {
            running.take_reports(&bytes, Instant::now());
            session.wake.notify_one();
        }
        if running.is_reported() {
            return Err(self.gone(OPERATION));
        }
        match shell.write(data) {
            Ok(count) => Ok(count),
            Err(error) if error.raw_os_error() == Some(Errno::AGAIN.raw_os_error()) => Ok(0),
            Err(error) => Err(Error::io(OPERATION, error).with_object(self.id.as_str())),
        }
    }

    async fn write_all(&self, mut data: Bytes) -> Result<()> {
        loop {
            let written = self.write_some(&data)?;
            data = data.slice(written..);
            if data.is_empty() {
                return Ok(());
            }
            let shell = self.shell("write_stdin")?;
            if written == 0 {
                // The terminal stays open as long as the shell is held here, so its end does not
                // show in it.
                tokio::select! {
                    writable = shell.terminal.channel().writable() => {
                        writable.map_err(|error| Error::io("write_stdin", error))?;
                    }
                    _ = self.recording.wait_exit() => return Err(self.gone("write_stdin")),
                }
            }
        }
    }

    fn check_piped(&self, operation: &'static str) -> Result<()> {
        if self.piped {
            return Ok(());
        }
        Err(Error::invalid(
            operation,
            "stdin is null: start the command with Stdin::Piped",
        )
        .with_object(self.id.as_str()))
    }

    fn send(&self, shell: &Shell, signal: Signal) -> Result<()> {
        match shell.terminal.signal_foreground(number(signal)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.gone("signal")),
            Err(error) => Err(Error::io("signal", error).with_object(self.id.as_str())),
        }
    }

    fn end(&self, patience: Patience) {
        if let Some(session) = self.session.upgrade() {
            session.end(Some(&self.id), patience);
        }
    }
}

#[async_trait]
impl ProcessDriver for ShellCommand {
    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        self.check_piped("write_stdin")?;
        if data.is_empty() {
            return Ok(());
        }
        self.write_all(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        const OPERATION: &str = "close_stdin";
        self.check_piped(OPERATION)?;
        let Ok(shell) = self.shell(OPERATION) else {
            return Ok(());
        };
        let end = shell.terminal.end_of_input();
        let end = end.map_err(|error| Error::io(OPERATION, error))?;
        match end {
            Some(end) => self.write_all(Bytes::copy_from_slice(&[end])).await,
            None => Err(Error::invalid(
                OPERATION,
                "the program has switched the terminal to raw input, which has no end: write what \
                 the program takes for an end",
            )
            .with_object(self.id.as_str())),
        }
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        let shell = self.shell("signal")?;
        let is_starting = signal == Signal::Interrupt && shell.is_starting_a_program();
        self.send(&shell, signal)?;
        // A shell that is just starting a program does nothing with an interrupt, and neither does
        // its copy that has not become the program yet.
        if is_starting {
            tokio::time::sleep(PROGRAM_START).await;
            if self.shell("signal").is_ok() && !shell.is_in_foreground() {
                let _ = self.send(&shell, signal);
            }
        }
        Ok(())
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        let shell = self.shell("resize")?;
        let resized = shell.terminal.resize(size);
        resized.map_err(|error| Error::io("resize", error).with_object(self.id.as_str()))
    }

    async fn cancel(&self) -> Result<()> {
        self.end(Patience::Grace);
        self.recording.wait_exit().await;
        Ok(())
    }

    fn abandon(&self) {
        self.end(Patience::None);
    }
}

impl InputProbe for ShellCommand {
    fn waits_for_input(&self) -> WaitsForInput {
        match self.shell("follow") {
            Ok(shell) => shell.waits_for_input(),
            Err(_) => WaitsForInput::No,
        }
    }
}

impl Tracked for ShellCommand {
    fn id(&self) -> &ProcessId {
        &self.id
    }

    fn recording(&self) -> &Arc<Recording> {
        &self.recording
    }

    fn leader(&self) -> Option<&Arc<Leader>> {
        // The shell is not of this command alone.
        None
    }

    fn info(&self) -> ProcessInfo {
        let mut info = ProcessInfo::new(self.id.clone(), self.text.clone());
        info.session = Some(self.name.clone());
        info.pid = self.recording.pid();
        info.age = self.started.elapsed();
        info.exit = self.recording.exit().map(|report| report.exit);
        info.stdout_bytes = self.recording.totals().stdout;
        info
    }
}

fn number(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Number;
    match signal {
        Signal::Hangup => Number::HUP,
        Signal::Interrupt => Number::INT,
        Signal::Quit => Number::QUIT,
        Signal::Terminate => Number::TERM,
        Signal::Kill => Number::KILL,
        Signal::Stop => Number::STOP,
        Signal::Continue => Number::CONT,
        Signal::User1 => Number::USR1,
        // The list of signals may grow; a runtime that does not know one asks politely.
        Signal::User2 => Number::USR2,
        _ => Number::TERM,
    }
}

//! A running process: its events, its input, its end.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use super::command::{Position, PtySize};
use super::exit::{Exit, Usage};
use super::output::{
    Capture, CaptureLimit, CommandOutput, Gap, Outcome, OutputStream, Pause, SessionReport,
    WaitsForInput,
};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ProcessId;

/// Something that happened to a process, in the order in which the runtime saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessEvent {
    /// It runs. The first event, also when attaching.
    Started {
        /// Its id as the sandbox sees it, where there is one.
        pid: Option<u32>,
    },
    /// Bytes of standard output.
    Stdout {
        /// Position of the first of them.
        at: u64,
        /// The bytes, never empty.
        data: Bytes,
    },
    /// Bytes of standard error.
    Stderr {
        /// Position of the first of them.
        at: u64,
        /// The bytes, never empty.
        data: Bytes,
    },
    /// Bytes that were produced and can no longer be had.
    Gap(Gap),
    /// [`Follow::quiet`](super::Follow::quiet) passed without output. Reported once for each
    /// silence: the next output arms the timer again. The stream goes on.
    Quiet {
        /// Whether it waits for input.
        input: WaitsForInput,
    },
    /// [`Follow::until`](super::Follow::until) passed. Reported once. The stream goes on.
    Elapsed {
        /// Whether it waits for input.
        input: WaitsForInput,
    },
    /// It ended. What was readable at that moment has been reported; background children may go
    /// on writing until [`Closed`](Self::Closed).
    Exited(ExitReport),
    /// Nobody holds its output any more. The last event.
    Closed,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExitReport {
    /// How it ended.
    pub exit: Exit,
    /// What it cost.
    pub usage: Option<Usage>,
    /// State of the shell, for a command in a session.
    pub session: Option<SessionReport>,
}

impl ExitReport {
    /// A report without figures.
    pub fn new(exit: Exit) -> Self {
        Self {
            exit,
            usage: None,
            session: None,
        }
    }

    /// Adds what it cost.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Adds the state of the shell.
    #[must_use]
    pub fn session(mut self, session: SessionReport) -> Self {
        self.session = Some(session);
        self
    }
}

/// A signal to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// `SIGHUP`.
    Hangup,
    /// `SIGINT`, what Ctrl-C sends.
    Interrupt,
    /// `SIGQUIT`.
    Quit,
    /// `SIGTERM`.
    Terminate,
    /// `SIGKILL`.
    Kill,
    /// `SIGSTOP`.
    Stop,
    /// `SIGCONT`.
    Continue,
    /// `SIGUSR1`.
    User1,
    /// `SIGUSR2`.
    User2,
}

/// What a runtime does for a [`Process`]. Implemented by runtimes, called through [`Process`] and
/// [`ProcessControl`].
#[async_trait]
pub trait ProcessDriver: fmt::Debug + Send + Sync {
    /// Writes all bytes to standard input; waits while the process does not read.
    async fn write_stdin(&self, data: Bytes) -> Result<()>;
    /// Ends standard input.
    async fn close_stdin(&self) -> Result<()>;
    /// Sends a signal to the process and its group (in a terminal: to the foreground group).
    async fn signal(&self, signal: Signal) -> Result<()>;
    /// Changes the size of the terminal.
    async fn resize(&self, size: PtySize) -> Result<()>;
    /// Ends the process and its whole tree: polite signal, grace, kill. Returns when all are gone.
    async fn cancel(&self) -> Result<()>;
    /// Starts the kill of the whole tree without waiting and without blocking. Called when the
    /// future of [`Runtime::run`](super::Runtime::run) is dropped.
    fn abandon(&self);
}

/// A stream of process events, as runtimes hand it to [`Process::new`].
pub type ProcessEvents = Pin<Box<dyn Stream<Item = Result<ProcessEvent>> + Send>>;

/// A process as one follower sees it: a stream of [`ProcessEvent`]s and a control.
///
/// Dropping it detaches: the process goes on and can be attached to again by its id.
pub struct Process {
    id: ProcessId,
    // Only reached through `&mut`; the lock makes `&Process` usable across threads, so that its
    // async methods can be awaited in spawned tasks.
    events: Mutex<ProcessEvents>,
    control: ProcessControl,
    position: Position,
    exit: Option<ExitReport>,
}

impl Process {
    /// Joins an event stream and a driver. For those who write runtimes. `from` is where the
    /// stream begins: [`Follow::from`](super::Follow::from) of the call.
    pub fn new(
        id: ProcessId,
        from: Position,
        events: impl Stream<Item = Result<ProcessEvent>> + Send + 'static,
        driver: Arc<dyn ProcessDriver>,
    ) -> Self {
        Self {
            id,
            events: Mutex::new(Box::pin(events)),
            control: ProcessControl { driver },
            position: from,
            exit: None,
        }
    }

    /// The id to attach by.
    pub fn id(&self) -> &ProcessId {
        &self.id
    }

    /// A handle for input and signals that can be used beside the event stream.
    pub fn control(&self) -> ProcessControl {
        self.control.clone()
    }

    /// Where this follower stands: pass it to [`Follow::from`](super::Follow::from) to go on.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How the process ended, once [`ProcessEvent::Exited`] was seen.
    pub fn exit(&self) -> Option<&ExitReport> {
        self.exit.as_ref()
    }

    /// Waits for the next event; `None` after [`ProcessEvent::Closed`].
    ///
    /// # Errors
    /// What the runtime reports; the stream may go on after it.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<ProcessEvent>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Follows until the process ended or a timer of [`Follow`](super::Follow) ran out, and
    /// gathers what came. Call it again to go on after a pause.
    ///
    /// # Errors
    /// What the runtime reports; [`Gone`](ErrorKind::Gone) if the stream ends without an exit.
    ///
    /// # Cancel safety
    /// Output gathered so far is lost to this follower when the future is dropped; the process
    /// goes on, and its output can be had again by attaching.
    pub async fn output(&mut self, capture: CaptureLimit) -> Result<CommandOutput> {
        let mut stdout = Capture::new(capture);
        let mut stderr = Capture::new(capture);
        let (outcome, report) = loop {
            let event = match self.next().await {
                Some(event) => event?,
                None => match self.exit.clone() {
                    Some(report) => break (Outcome::Exited(report.exit.clone()), Some(report)),
                    None => {
                        return Err(Error::new(ErrorKind::Gone, "follow")
                            .with_object(self.id.as_str())
                            .with_detail("the runtime ended the stream before the process ended"));
                    }
                },
            };
            match event {
                ProcessEvent::Stdout { data, .. } => stdout.push(&data),
                ProcessEvent::Stderr { data, .. } => stderr.push(&data),
                ProcessEvent::Gap(gap) => match gap.stream {
                    OutputStream::Stdout => stdout.gap(gap),
                    OutputStream::Stderr => stderr.gap(gap),
                },
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
        Ok(CommandOutput::new(
            self.id.clone(),
            outcome,
            stdout.finish(),
            stderr.finish(),
            self.position,
            report,
        ))
    }

    /// As [`output`](Self::output), but ends the whole tree when the future is dropped before it
    /// is ready. This is what [`Runtime::run`](super::Runtime::run) does.
    ///
    /// # Errors
    /// As [`output`](Self::output).
    ///
    /// # Cancel safety
    /// Dropping the future kills the process.
    pub async fn output_or_abandon(mut self, capture: CaptureLimit) -> Result<CommandOutput> {
        let mut guard = AbandonGuard {
            driver: Some(self.control.driver.clone()),
        };
        let output = self.output(capture).await;
        guard.driver = None;
        output
    }

    /// See [`ProcessControl::write_stdin`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_stdin(&self, data: impl Into<Bytes>) -> Result<()> {
        self.control.write_stdin(data).await
    }

    /// See [`ProcessControl::close_stdin`].
    ///
    /// # Errors
    /// As there.
    pub async fn close_stdin(&self) -> Result<()> {
        self.control.close_stdin().await
    }

    /// See [`ProcessControl::signal`].
    ///
    /// # Errors
    /// As there.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        self.control.signal(signal).await
    }

    /// See [`ProcessControl::resize`].
    ///
    /// # Errors
    /// As there.
    pub async fn resize(&self, size: PtySize) -> Result<()> {
        self.control.resize(size).await
    }

    /// See [`ProcessControl::cancel`].
    ///
    /// # Errors
    /// As there.
    pub async fn cancel(&self) -> Result<()> {
        self.control.cancel().await
    }
}

impl Stream for Process {
    type Item = Result<ProcessEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let events = self
            .events
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let polled = events.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(event))) = &polled {
            match event {
                ProcessEvent::Stdout { at, data } => {
                    self.position.stdout = at.saturating_add(data.len() as u64);
                }
                ProcessEvent::Stderr { at, data } => {
                    self.position.stderr = at.saturating_add(data.len() as u64);
                }
                ProcessEvent::Gap(gap) => match gap.stream {
                    OutputStream::Stdout => self.position.stdout = gap.to,
                    OutputStream::Stderr => self.position.stderr = gap.to,
                },
                ProcessEvent::Exited(report) => self.exit = Some(report.clone()),
                _ => {}
            }
        }
        polled
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("id", &self.id)
            .field("position", &self.position)
            .field("exit", &self.exit)
            .finish_non_exhaustive()
    }
}

/// Input and signals of a process. Cheap to clone; outlives the [`Process`] it came from.
#[derive(Clone, Debug)]
pub struct ProcessControl {
    driver: Arc<dyn ProcessDriver>,
}

impl ProcessControl {
    /// Writes all bytes to standard input; waits while the process does not read.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if stdin is not
    /// [`Piped`](super::Stdin::Piped), [`Gone`](ErrorKind::Gone) if the process ended or closed it.
    ///
    /// # Cancel safety
    /// Part of the bytes may have been written when the future is dropped.
    pub async fn write_stdin(&self, data: impl Into<Bytes>) -> Result<()> {
        self.driver.write_stdin(data.into()).await
    }

    /// Ends standard input (in a terminal: sends the end-of-file character). Twice is fine.
    ///
    /// # Errors
    /// What the runtime reports.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn close_stdin(&self) -> Result<()> {
        self.driver.close_stdin().await
    }

    /// Sends a signal to the process and its group (in a terminal: to the foreground group).
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if it ended.
    ///
    /// # Cancel safety
    /// Safe: it is sent or not.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        self.driver.signal(signal).await
    }

    /// Changes the size of the terminal.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if there is none.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn resize(&self, size: PtySize) -> Result<()> {
        self.driver.resize(size).await
    }

    /// Ends the process and its whole tree: polite signal, grace, kill. Returns when all are gone.
    /// Its exit is then [`Exit::Cancelled`], unless it had ended before.
    ///
    /// # Errors
    /// What the runtime reports.
    ///
    /// # Cancel safety
    /// The ending goes on when the future is dropped.
    pub async fn cancel(&self) -> Result<()> {
        self.driver.cancel().await
    }

    /// Starts the kill of the whole tree without waiting for it.
    pub fn abandon(&self) {
        self.driver.abandon();
    }
}

struct AbandonGuard {
    driver: Option<Arc<dyn ProcessDriver>>,
}

impl Drop for AbandonGuard {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.abandon();
        }
    }
}

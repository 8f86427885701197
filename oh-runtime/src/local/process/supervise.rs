//! Carrying what a process prints into its record until nobody holds its output any more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use oh_core::{Exit, OutputStream};
use tokio::time::Instant;

use super::channel::Channel;
use super::local_process::LocalProcess;
use super::pty::Pty;
use super::recording::Recording;
use super::table::Tracked;
use super::tree::Ladder;

/// What to do beside recording.
#[derive(Debug)]
pub(super) struct Duties {
    /// Where output comes from.
    pub(super) stdout: Option<Source>,
    pub(super) stderr: Option<Source>,
    /// Bytes for standard input, which ends after them.
    pub(super) feed: Option<(Channel, Bytes)>,
    /// When to end the process, and the time between asking and killing.
    pub(super) deadline: Option<Duration>,
    pub(super) grace: Duration,
}

/// Our end of an output.
#[derive(Debug)]
pub(super) enum Source {
    Pipe(Channel),
    Terminal(Arc<Pty>),
}

impl Source {
    fn channel(&self) -> &Channel {
        match self {
            Self::Pipe(channel) => channel,
            Self::Terminal(pty) => pty.channel(),
        }
    }

    /// Makes room for a program that writes more than its reader takes at once. Only for those:
    /// the kernel bounds the pipes of all programs of a user together.
    fn enlarge(&self) {
        const ROOM: usize = 1024 * 1024;
        if let Self::Pipe(channel) = self {
            // Without the room it is as good, only slower.
            let _ = rustix::pipe::fcntl_setpipe_size(channel, ROOM);
        }
    }

    /// At least what one process alone can have left in the kernel's buffer.
    fn capacity(&self) -> usize {
        const TERMINAL: usize = 128 * 1024;
        match self {
            Self::Pipe(channel) => rustix::pipe::fcntl_getpipe_size(channel).unwrap_or(TERMINAL),
            Self::Terminal(_) => TERMINAL,
        }
    }
}

/// Runs until the process has ended and its outputs are closed.
///
/// The exit is reported after what was readable at that moment. If the runtime itself ends the
/// process, it is reported when the whole tree is gone.
pub(super) async fn supervise(process: Arc<LocalProcess>, duties: Duties) {
    let Some(body) = process.body() else {
        return;
    };
    let recording = process.recording();
    let mut stdout = Pump::new(duties.stdout, OutputStream::Stdout);
    let mut stderr = Pump::new(duties.stderr, OutputStream::Stderr);
    let mut feeding = duties.feed.is_some();
    let feed = async {
        if let Some((channel, bytes)) = duties.feed
            && let Err(error) = channel.write_all(&bytes).await
        {
            // A program need not read all of its input.
            tracing::debug!(%error, process = %process.id(), "standard input was not read to its end");
        }
    };
    tokio::pin!(feed);
    // A deadline too far away for the clock never comes.
    let deadline = duties
        .deadline
        .and_then(|time| Instant::now().checked_add(time));
    let mut waiting_for_deadline = deadline.is_some();
    let timer = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(timer);
    let exit = async {
        let fate = body.leader.wait().await;
        body.settled().await;
        fate
    };
    tokio::pin!(exit);
    let mut exited = false;
    while !(exited && stdout.is_done() && stderr.is_done()) {
        tokio::select! {
            () = stdout.step(recording), if !stdout.is_done() => {}
            () = stderr.step(recording), if !stderr.is_done() => {}
            () = &mut feed, if feeding => feeding = false,
            fate = &mut exit, if !exited => {
                stdout.drain(recording);
                stderr.drain(recording);
                recording.exited(body.report(&fate));
                exited = true;
            }
            () = &mut timer, if waiting_for_deadline && !exited => {
                waiting_for_deadline = false;
                process.begin_end(&Exit::TimedOut, Ladder::Polite(duties.grace));
            }
        }
    }
    recording.closed();
}

/// One output on its way into the record.
#[derive(Debug)]
struct Pump {
    source: Option<Source>,
    stream: OutputStream,
    buffer: Vec<u8>,
    /// A source that filled a whole buffer gets larger ones.
    size: usize,
}

impl Pump {
    const FIRST_BYTES: usize = 64 * 1024;
    const LARGE_BYTES: usize = 256 * 1024;

    fn new(source: Option<Source>, stream: OutputStream) -> Self {
        Self {
            source,
            stream,
            buffer: Vec::new(),
            size: Self::FIRST_BYTES,
        }
    }

    fn is_done(&self) -> bool {
        self.source.is_none()
    }

    /// Waits for output and records it. Nothing is lost when the future is dropped: it waits only
    /// before it has read anything.
    async fn step(&mut self, recording: &Recording) {
        let Some(source) = &self.source else {
            return;
        };
        self.buffer.reserve(self.size);
        match source.channel().read(&mut self.buffer).await {
            Ok(count) if count > 0 => self.record(recording),
            Ok(_) => self.source = None,
            Err(error) => self.fail(&error),
        }
    }

    /// Records what is there now.
    fn drain(&mut self, recording: &Recording) {
        let mut left = self.source.as_ref().map_or(0, Source::capacity);
        while left > 0 {
            let Some(source) = &self.source else {
                return;
            };
            self.buffer.reserve(self.size);
            match source.channel().read_now(&mut self.buffer) {
                Ok(Some(count)) if count > 0 => {
                    left = left.saturating_sub(count);
                    self.record(recording);
                }
                Ok(Some(_)) => self.source = None,
                Ok(None) => return,
                Err(error) => return self.fail(&error),
            }
        }
    }

    fn record(&mut self, recording: &Recording) {
        let full = self.buffer.len() >= self.size;
        // A buffer that is nearly full is handed on as it is; from others a copy of the right size
        // is taken, or a line would hold the memory of thousands.
        let bytes = if self.buffer.len() >= self.size / 4 * 3 {
            Bytes::from(std::mem::take(&mut self.buffer))
        } else {
            let copy = Bytes::copy_from_slice(&self.buffer);
            self.buffer.clear();
            copy
        };
        recording.append(self.stream, bytes);
        if full && self.size < Self::LARGE_BYTES {
            self.size = Self::LARGE_BYTES;
            if let Some(source) = &self.source {
                source.enlarge();
            }
        }
    }

    fn fail(&mut self, error: &std::io::Error) {
        tracing::warn!(%error, stream = ?self.stream, "an output cannot be read any more");
        self.source = None;
    }
}

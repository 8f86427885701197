//! A process that this runtime started.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::{
    Error, ErrorKind, Exit, ExitReport, ProcessDriver, ProcessId, ProcessInfo, PtySize, Result,
    SpawnError, WaitsForInput,
};
use rustix::process::Signal;
use tokio::sync::watch;

use super::input::{Input, gone};
use super::leader::{Fate, Leader};
use super::probe::InputProbe;
use super::pty::Pty;
use super::recording::Recording;
use super::table::Tracked;
use super::tasks::Tasks;
use super::tree::{Ladder, Tree};

/// A process of the local runtime, from its start until it is forgotten.
#[derive(Debug)]
pub(crate) struct LocalProcess {
    id: ProcessId,
    command: String,
    started: Instant,
    grace: Duration,
    recording: Arc<Recording>,
    tasks: Tasks,
    /// `None` for a program that did not start.
    body: Option<Body>,
    me: Weak<Self>,
}

#[derive(Debug)]
pub(super) struct Body {
    pub(super) leader: Arc<Leader>,
    pub(super) tree: Arc<Tree>,
    pub(super) input: Input,
    terminal: Option<Arc<Pty>>,
    ending: watch::Sender<Ending>,
    /// Why the runtime ended the leader. Set before the first signal is sent.
    reason: Mutex<Option<Exit>>,
}

/// How far the runtime is with the end of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    NotAsked,
    UnderWay,
    Done,
    Failed(String),
}

impl Body {
    pub(super) fn new(
        leader: Arc<Leader>,
        tree: Arc<Tree>,
        input: Input,
        terminal: Option<Arc<Pty>>,
    ) -> Self {
        Self {
            leader,
            tree,
            input,
            terminal,
            ending: watch::Sender::new(Ending::NotAsked),
            reason: Mutex::new(None),
        }
    }

    fn reason(&self) -> MutexGuard<'_, Option<Exit>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no end is under way.
    pub(super) async fn settled(&self) {
        let mut ending = self.ending.subscribe();
        // The sender is part of `self`.
        let _ = ending.wait_for(|now| *now != Ending::UnderWay).await;
    }

    /// The report of a leader that ended so.
    pub(super) fn report(&self, fate: &Fate) -> ExitReport {
        let mut exit = self.reason().clone().unwrap_or_else(|| fate.exit.clone());
        let mut usage = fate.usage;
        if let Some(cgroup) = self.tree.cgroup() {
            cgroup.measure(&mut usage);
            // A shell whose only child was killed reports that as 137.
            if matches!(exit, Exit::Signal(9) | Exit::Code(137)) && cgroup.ran_out_of_memory() {
                exit = Exit::OutOfMemory;
            }
        }
        ExitReport::new(exit).usage(usage)
    }
}

impl LocalProcess {
    pub(super) fn new(
        id: ProcessId,
        command: String,
        grace: Duration,
        recording: Arc<Recording>,
        tasks: Tasks,
        body: Option<Body>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            id,
            command,
            started: Instant::now(),
            grace,
            recording,
            tasks,
            body,
            me: Weak::clone(me),
        })
    }

    /// A program that could not be started: it has a record like any other.
    pub(super) fn not_started(
        id: ProcessId,
        command: String,
        recording: Arc<Recording>,
        tasks: Tasks,
        error: SpawnError,
    ) -> Arc<Self> {
        recording.exited(ExitReport::new(Exit::SpawnFailed(error)));
        recording.closed();
        Self::new(id, command, Duration::ZERO, recording, tasks, None)
    }

    pub(super) fn body(&self) -> Option<&Body> {
        self.body.as_ref()
    }

    /// Ends the whole tree on a task of the runtime. A leader that still runs gets `reason` as its
    /// exit. A later call makes a polite end that is under way impatient.
    pub(crate) fn begin_end(self: &Arc<Self>, reason: &Exit, ladder: Ladder) {
        let Some(body) = &self.body else {
            return;
        };
        {
            let mut known = body.reason();
            // Asked while the reason is locked: an exit that is true by now stays true.
            if known.is_none() && body.leader.fate().is_none() {
                *known = Some(reason.clone());
            }
        }
        if ladder == Ladder::Kill {
            body.tree.strike();
        }
        let begins = body.ending.send_if_modified(|ending| {
            let begins = matches!(ending, Ending::NotAsked | Ending::Failed(_));
            if begins {
                *ending = Ending::UnderWay;
            }
            begins
        });
        if !begins {
            return;
        }
        let process = Arc::clone(self);
        let guard = EndingGuard(Arc::clone(self));
        self.tasks.spawn(async move {
            if let Some(body) = &process.body {
                let outcome = body.tree.end(ladder).await;
                guard.settle(outcome);
            }
        });
    }

    /// Waits for the end that was begun.
    pub(crate) async fn ended(&self) -> Result<()> {
        let Some(body) = &self.body else {
            return Ok(());
        };
        body.settled().await;
        let ending = body.ending.borrow().clone();
        match ending {
            Ending::Failed(detail) => Err(Error::new(ErrorKind::Internal, "cancel")
                .with_object(self.id.as_str())
                .with_detail(detail)),
            _ => Ok(()),
        }
    }
}

/// Says how the end went, also when the task that cared for it is dropped.
#[derive(Debug)]
struct EndingGuard(Arc<LocalProcess>);

impl EndingGuard {
    fn settle(&self, outcome: Result<()>) {
        if let Some(body) = &self.0.body {
            body.ending.send_replace(match outcome {
                Ok(()) => Ending::Done,
                Err(error) => Ending::Failed(error.to_string()),
            });
        }
    }
}

impl Drop for EndingGuard {
    fn drop(&mut self) {
        if let Some(body) = &self.0.body {
            body.ending.send_if_modified(|ending| {
                let open = *ending == Ending::UnderWay;
                if open {
                    *ending = Ending::Failed("the task that ended the tree was dropped".to_owned());
                }
                open
            });
        }
    }
}

impl Tracked for LocalProcess {
    fn id(&self) -> &ProcessId {
        &self.id
    }

    fn recording(&self) -> &Arc<Recording> {
        &self.recording
    }

    fn leader(&self) -> Option<&Arc<Leader>> {
        self.body.as_ref().map(|body| &body.leader)
    }

    fn info(&self) -> ProcessInfo {
        let mut info = ProcessInfo::new(self.id.clone(), self.command.clone());
        let totals = self.recording.totals();
        info.pid = self.recording.pid();
        info.age = self.started.elapsed();
        info.exit = self.recording.exit().map(|report| report.exit);
        info.stdout_bytes = totals.stdout;
        info.stderr_bytes = totals.stderr;
        info
    }
}

impl InputProbe for LocalProcess {
    fn waits_for_input(&self) -> WaitsForInput {
        let Some(body) = &self.body else {
            return WaitsForInput::No;
        };
        let Some(source) = body.input.source() else {
            return WaitsForInput::No;
        };
        match body.tree.members() {
            Ok(members) => source.is_awaited_by(&members),
            Err(_) => WaitsForInput::Unknown,
        }
    }
}

#[async_trait]
impl ProcessDriver for LocalProcess {
    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        let Some(body) = &self.body else {
            return Err(gone("the program did not start").with_object(self.id.as_str()));
        };
        let ended = async {
            body.leader.wait().await;
            Err(gone("the process has ended"))
        };
        // An input that was never there is the better answer, so it is asked first.
        let outcome = tokio::select! {
            biased;
            outcome = body.input.write(&data) => outcome,
            outcome = ended => outcome,
        };
        outcome.map_err(|error| error.with_object(self.id.as_str()))
    }

    async fn close_stdin(&self) -> Result<()> {
        let Some(body) = &self.body else {
            return Ok(());
        };
        tokio::select! {
            biased;
            _ = body.leader.wait() => Ok(()),
            outcome = body.input.close() => {
                outcome.map_err(|error| error.with_object(self.id.as_str()))
            }
        }
    }

    async fn signal(&self, signal: oh_core::Signal) -> Result<()> {
        let ended = || {
            Error::new(ErrorKind::Gone, "signal")
                .with_object(self.id.as_str())
                .with_detail("the process has ended")
        };
        let body = self.body.as_ref().ok_or_else(ended)?;
        let signal = number(signal)
            .ok_or_else(|| Error::unsupported("signal").with_object(self.id.as_str()))?;
        if body.leader.fate().is_some() {
            return Err(ended());
        }
        let io = |error| Error::io("signal", error).with_object(self.id.as_str());
        if let Some(pty) = &body.terminal
            && pty.signal_foreground(signal).map_err(io)?
        {
            return Ok(());
        }
        if body.leader.signal_group(signal).map_err(io)? {
            Ok(())
        } else {
            Err(ended())
        }
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        let pty = self.body.as_ref().and_then(|body| body.terminal.as_ref());
        let Some(pty) = pty else {
            return Err(Error::invalid("resize", "the process has no terminal")
                .with_object(self.id.as_str()));
        };
        pty.resize(size)
            .map_err(|error| Error::io("resize", error).with_object(self.id.as_str()))
    }

    async fn cancel(&self) -> Result<()> {
        let Some(this) = self.me.upgrade() else {
            return Ok(());
        };
        this.begin_end(&Exit::Cancelled, Ladder::Polite(self.grace));
        this.ended().await
    }

    fn abandon(&self) {
        if let Some(this) = self.me.upgrade() {
            this.begin_end(&Exit::Cancelled, Ladder::Kill);
        }
    }
}

fn number(signal: oh_core::Signal) -> Option<Signal> {
    Some(match signal {
        oh_core::Signal::Hangup => Signal::HUP,
        oh_core::Signal::Interrupt => Signal::INT,
        oh_core::Signal::Quit => Signal::QUIT,
        oh_core::Signal::Terminate => Signal::TERM,
        oh_core::Signal::Kill => Signal::KILL,
        oh_core::Signal::Stop => Signal::STOP,
        oh_core::Signal::Continue => Signal::CONT,
        oh_core::Signal::User1 => Signal::USR1,
        oh_core::Signal::User2 => Signal::USR2,
        _ => return None,
    })
}

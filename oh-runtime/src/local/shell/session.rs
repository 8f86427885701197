//! One named shell: the command that runs in it, and how it comes to an end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oh_core::{
    Command, Error, ErrorKind, Exit, ExitReport, ProcessId, Result, SessionName, SpawnError,
    SpawnErrorKind, Stdin,
};
use rustix::process::Signal;
use tokio::sync::{Notify, watch};

use super::drive::drive;
use super::line::{Input, Line};
use super::mark::MarkScanner;
use super::memory::Memory;
use super::pool::{Shared, secret};
use super::report::ReportBuffer;
use super::running::{
    Patience, PromptWatch, Restarted, Running, Stage, conclude, finish, lose, output,
};
use super::sweep::{Scope, children, sweep};
use super::terminal::{Shell, ShellStart};
use crate::local::process::{MARK_VARIABLE, Mark, Recording, ticks_now};

/// A named shell. It has a running shell process from the first command on.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) name: SessionName,
    pub(super) shared: Arc<Shared>,
    /// In the environment of all that its shells start.
    mark: Mark,
    state: Mutex<State>,
    /// Tells the task of the shell that there is something new to be looked at.
    pub(super) wake: Notify,
    /// Shell processes that are being driven: one, and for a moment those that were given up.
    drives: watch::Sender<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) shell: Option<Arc<Shell>>,
    pub(super) running: Option<Running>,
    pub(super) memory: Memory,
    pub(super) closed: bool,
}

/// Why a command could not be handed over to a shell.
#[derive(Debug)]
struct NotHandedOver {
    stage: Handover,
    error: std::io::Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handover {
    /// Nothing was typed yet.
    Files,
    Line,
}

/// How much of the output there was has been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collected {
    /// All.
    All,
    /// There may be more.
    Some,
    /// All, and there will be no more.
    End,
}

/// What the task of a shell does next.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// Wait for the shell, until then at most.
    Wait(Option<Instant>),
    /// Kill what the running command started, then look again.
    Sweep(Scope),
    /// The session is closed, or has another shell.
    Leave,
}

impl State {
    pub(super) fn is_of(&self, shell: &Arc<Shell>) -> bool {
        self.shell
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, shell))
    }

    pub(super) fn runs(&self, id: &ProcessId) -> Option<&Running> {
        self.running.as_ref().filter(|running| running.id == *id)
    }
}

impl Session {
    /// How long the mark may take to arrive after the report. It is written before it.
    const MARK_WAIT: Duration = Duration::from_millis(50);
    /// Between the rounds of killing.
    pub(super) const ROUND: Duration = Duration::from_millis(50);
    /// The longest wait for the end of a shell that was killed, before another look.
    pub(super) const LAST: Duration = Duration::from_secs(1);
    pub(super) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    /// After so many rounds the shell itself is killed.
    pub(super) const ROUNDS: u8 = 10;

    pub(super) fn new(name: SessionName, shared: Arc<Shared>, number: u64) -> Arc<Self> {
        let memory = Memory::new(shared.settings.workspace.clone());
        let mark = shared.settings.owner.mark(&format!("sh{number}"));
        Arc::new(Self {
            name,
            mark,
            shared,
            state: Mutex::new(State {
                shell: None,
                running: None,
                memory,
                closed: false,
            }),
            wake: Notify::new(),
            drives: watch::Sender::new(0),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the shell with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Output of the running command, if it is being ended.
    pub(super) fn ending(&self) -> Option<Arc<Recording>> {
        let state = self.state();
        let running = state.running.as_ref()?;
        running.ending.as_ref()?;
        Some(Arc::clone(&running.recording))
    }

    /// Starts a command; `None` if the session was closed meanwhile. Starts the shell if there is
    /// none, and the task that drives it.
    pub(super) fn begin(
        self: &Arc<Self>,
        id: &ProcessId,
        command: &Command,
        script: &str,
    ) -> Result<Option<Arc<Recording>>> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.closed {
            return Ok(None);
        }
        if let Some(running) = &state.running {
            return Err(Error::new(ErrorKind::Conflict, "spawn")
                .with_object(self.name.as_str())
                .with_detail(
                    "a command runs in this session: wait for it, cancel it, or take another \
                     session",
                )
                .with_running(running.id.clone()));
        }
        self.discard_dead(state);
        let (shell, is_new) = match &state.shell {
            Some(shell) => (Arc::clone(shell), false),
            None => match self.start_shell(state) {
                Ok(shell) => (shell, true),
                Err(error) => return Ok(Some(self.not_started(error))),
            },
        };
        let failed = match self.hand_over(state, &shell, id, command, script) {
            Ok(recording) => {
                drop(guard);
                self.wake.notify_one();
                return Ok(Some(recording));
            }
            Err(failed) => failed,
        };
        if failed.stage == Handover::Files && !is_new {
            // The shell knows nothing of it.
            return Err(Error::io("spawn", failed.error).with_object(self.name.as_str()));
        }
        // Nobody can say what state it is in.
        let _ = shell.leader.signal_group(Signal::KILL);
        state.shell = None;
        state.memory.replaced |= !is_new;
        state.memory.forget_shell();
        if is_new {
            let program = &self.shared.settings.shell;
            let detail = format!("the shell does not take a command: {}", failed.error);
            let error = SpawnError::new(SpawnErrorKind::Other, program, detail);
            return Ok(Some(self.not_started(error)));
        }
        Err(Error::io("spawn", failed.error).with_object(self.name.as_str()))
    }

    /// The record of a command whose shell did not start.
    fn not_started(&self, error: SpawnError) -> Arc<Recording> {
        let recording = Recording::new(self.shared.settings.spool.clone(), None);
        recording.exited(ExitReport::new(Exit::SpawnFailed(error)));
        recording.closed();
        recording
    }

    /// Forgets a shell that ended between two commands, or whose files someone removed.
    fn discard_dead(&self, state: &mut State) {
        let Some(shell) = &state.shell else {
            return;
        };
        if shell.leader.fate().is_none() && shell.is_intact() {
            return;
        }
        let _ = shell.leader.signal_group(Signal::KILL);
        state.shell = None;
        state.memory.replaced = true;
        state.memory.forget_shell();
    }

    fn start_shell(self: &Arc<Self>, state: &mut State) -> Result<Arc<Shell>, SpawnError> {
        let mut env = self.shared.env();
        let value = self.shared.settings.owner.value(&self.mark);
        env.insert(MARK_VARIABLE.to_owned(), value);
        let cwd: &Path = if state.memory.cwd.is_dir() {
            &state.memory.cwd
        } else {
            &self.shared.settings.workspace
        };
        let program = &self.shared.settings.shell;
        let failed = |error: std::io::Error| {
            SpawnError::new(SpawnErrorKind::Other, program, error.to_string())
        };
        let shell = Shell::start(&ShellStart {
            program,
            directory: &self.shared.next_directory().map_err(failed)?,
            cgroup: self.shared.next_cgroup().map_err(failed)?.map(Arc::new),
            env: &env,
            cwd,
        })?;
        state.memory.cwd = cwd.to_owned();
        state.memory.changes.clear();
        state.memory.forget_shell();
        self.drives.send_modify(|count| *count += 1);
        let shell = Arc::new(shell);
        state.shell = Some(Arc::clone(&shell));
        // Whatever becomes of the command: its status has to be taken.
        let drive = drive(Arc::clone(self), Arc::clone(&shell));
        self.shared.settings.tasks.spawn(drive);
        Ok(shell)
    }

    fn hand_over(
        &self,
        state: &mut State,
        shell: &Arc<Shell>,
        id: &ProcessId,
        command: &Command,
        script: &str,
    ) -> Result<Arc<Recording>, NotHandedOver> {
        let at = |stage| move |error| NotHandedOver { stage, error };
        let memory = &mut state.memory;
        let mut buffer = Vec::new();
        while let Some(bytes) = shell
            .read_output(&mut buffer)
            .filter(|read| !read.is_empty())
        {
            memory.add_stray(&bytes);
        }
        let secret = secret().map_err(at(Handover::Files))?;
        let changes = !memory.changes.is_empty();
        if changes {
            let written = shell.change(&memory.changes);
            written.map_err(at(Handover::Files))?;
        }
        let piped = command.stdin == Stdin::Piped;
        let line = Line {
            id: &secret,
            input: if piped { Input::Terminal } else { Input::Null },
            define: !memory.shell.has_reported,
            changes,
            status: memory.shell.status,
        };
        let traces = memory.shell.traces_on();
        let recording = Recording::new(
            self.shared.settings.spool.clone(),
            Some(shell.leader.number()),
        );
        // Nothing to look for while the shell has never had a job.
        let earlier = match memory.shell.background {
            Some(_) => children(shell.leader.number()),
            None => BTreeSet::new(),
        };
        let text = shell.prepare(&[traces.as_bytes(), script.as_bytes()]);
        text.map_err(at(Handover::Files))?;
        let (now, start_ticks) = (Instant::now(), ticks_now());
        shell.run(line).map_err(at(Handover::Line))?;
        memory.changes.clear();
        state.running = Some(Running {
            id: id.clone(),
            recording: Arc::clone(&recording),
            scanner: MarkScanner::new(&secret),
            secret,
            mark_seen: false,
            held_line_end: false,
            reports: ReportBuffer::default(),
            report: None,
            stray: std::mem::take(&mut memory.stray),
            started: now,
            start_ticks,
            deadline: command.deadline.and_then(|after| now.checked_add(after)),
            grace: command.grace,
            ending: None,
            prompt: PromptWatch::new(now),
            earlier,
        });
        Ok(recording)
    }

    /// Takes what the shell wrote since the last look.
    pub(super) fn collect(&self, shell: &Arc<Shell>, buffer: &mut Vec<u8>) -> Collected {
        let mut guard = self.state();
        let state = &mut *guard;
        if !state.is_of(shell) {
            return Collected::All;
        }
        let now = Instant::now();
        // The pipe first: what was written to the terminal before a report is then readable.
        if let Some(bytes) = shell.read_reports()
            && let Some(running) = &mut state.running
        {
            running.take_reports(&bytes, now);
        }
        let collected = match shell.read_output(buffer) {
            None => Collected::All,
            Some(bytes) if bytes.is_empty() => Collected::End,
            Some(bytes) => {
                output(state, bytes, now);
                Collected::Some
            }
        };
        let is_over = state.running.as_ref().is_some_and(|running| {
            running.mark_seen && running.is_reported() && running.ending.is_none()
        });
        if is_over {
            finish(state, shell);
        }
        collected
    }

    /// Does what is due, and says what comes next.
    pub(super) fn step(&self, shell: &Arc<Shell>) -> Next {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.closed || !state.is_of(shell) {
            return Next::Leave;
        }
        let now = Instant::now();
        let Some(running) = &mut state.running else {
            return Next::Wait(None);
        };
        if running.ending.is_none() && running.deadline.is_some_and(|deadline| now >= deadline) {
            running.ask_to_end(shell, Exit::TimedOut, now);
        }
        let deadline = running.deadline.filter(|_| running.ending.is_none());
        if let Some((_, at)) = &running.report {
            let wait_for_mark = *at + Self::MARK_WAIT;
            if !running.mark_seen && now < wait_for_mark {
                return Next::Wait(Some(wait_for_mark));
            }
            let scope = self.scope_of(shell, running);
            return match &mut running.ending {
                Some(ending) if ending.stage != Stage::Sweeping => {
                    ending.stage = Stage::Sweeping;
                    Next::Sweep(scope)
                }
                _ => {
                    finish(state, shell);
                    Next::Wait(None)
                }
            };
        }
        if running.go_on_ending(shell, now) {
            return Next::Sweep(self.scope_of(shell, running));
        }
        if now >= running.prompt.next {
            let lost = running.look_for_prompt(shell, now);
            if let Some(cwd) = shell.cwd(b"") {
                state.memory.cwd = cwd;
            }
            if lost {
                lose(state, shell);
                return Next::Leave;
            }
        }
        let Some(running) = &state.running else {
            return Next::Wait(None);
        };
        let ending = running.ending.as_ref().map(|ending| ending.at);
        Next::Wait(
            [deadline, Some(running.prompt.next), ending]
                .into_iter()
                .flatten()
                .min(),
        )
    }

    /// Notes that a shell is no longer driven.
    pub(super) fn left(&self) {
        self.drives
            .send_modify(|count| *count = count.saturating_sub(1));
    }

    fn scope_of(&self, shell: &Shell, running: &Running) -> Scope {
        Scope {
            shell: Some(shell.leader.number()),
            since: Some(running.start_ticks),
            cgroup: shell.cgroup.clone(),
            earlier: running.earlier.clone(),
            ..self.scope()
        }
    }

    /// All that the shells of this session have started.
    fn scope(&self) -> Scope {
        Scope {
            shell: None,
            mark: self.mark.clone(),
            cgroup: None,
            since: None,
            earlier: BTreeSet::new(),
        }
    }

    /// What has to go before the end of the shell is told: what the command started if it is being
    /// ended, everything if the session is closed.
    pub(super) fn left_behind(&self, shell: &Arc<Shell>) -> Option<Scope> {
        let state = self.state();
        if state.closed {
            return Some(Scope {
                cgroup: shell.cgroup.clone(),
                ..self.scope()
            });
        }
        let running = state.running.as_ref().filter(|_| state.is_of(shell))?;
        running.ending.as_ref()?;
        Some(self.scope_of(shell, running))
    }

    /// Has the next command see these changes. A shell that is started later sees them anyway.
    pub(super) fn set_env(&self, variables: &BTreeMap<String, Option<String>>) {
        let changes = variables.clone();
        self.state().memory.changes.extend(changes);
    }

    /// Begins to end the session; a command that runs is cancelled.
    pub(super) fn start_close(&self) {
        self.end(None, Patience::None);
        let mut state = self.state();
        state.closed = true;
        drop(state);
        self.wake.notify_one();
    }

    /// Ends the session with all that its shells have started.
    pub(super) async fn close(&self) {
        self.start_close();
        let mut drives = self.drives.subscribe();
        // The sender is part of `self`.
        let _ = drives.wait_for(|count| *count == 0).await;
        // A shell that ended earlier may have left something behind.
        let scope = self.scope();
        let _ = tokio::task::spawn_blocking(move || sweep(&scope)).await;
    }

    /// Notes that the shell has ended with this exit, after its last output was collected.
    pub(super) fn ended(&self, shell: &Arc<Shell>, exit: Exit) {
        let mut guard = self.state();
        let state = &mut *guard;
        if !state.is_of(shell) {
            return;
        }
        state.shell = None;
        let Some(running) = state.running.take() else {
            state.memory.replaced = true;
            state.memory.forget_shell();
            return;
        };
        let exit = match (&running.ending, &running.report) {
            (Some(ending), _) => ending.exit.clone(),
            (None, Some((report, _))) => Exit::Code(report.status),
            (None, None) => exit,
        };
        conclude(running, &mut state.memory, exit, None, Restarted::Yes);
        state.memory.forget_shell();
    }

    /// Begins to end the running command, if it is this one (or any, for `None`).
    pub(super) fn end(&self, id: Option<&ProcessId>, patience: Patience) {
        let mut state = self.state();
        let State { shell, running, .. } = &mut *state;
        if let (Some(shell), Some(running)) = (shell, running)
            && id.is_none_or(|id| running.id == *id)
            && running.ending.is_none()
        {
            if patience == Patience::None {
                running.grace = Self::ROUND;
            }
            running.ask_to_end(shell, Exit::Cancelled, Instant::now());
            drop(state);
            self.wake.notify_one();
        }
    }
}

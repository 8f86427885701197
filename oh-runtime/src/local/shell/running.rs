//! The command that runs in a shell: how it is watched, ended and concluded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use oh_core::{
    Exit, ExitReport, Measured, OutputStream, ProcessId, SessionReport, Usage, UsageSource,
};
use rustix::process::Signal;

use super::mark::{MarkScanner, Scanned};
use super::memory::Memory;
use super::report::{Report, ReportBuffer};
use super::session::{Session, State};
use super::terminal::Shell;
use crate::local::process::Recording;

/// The command that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: ProcessId,
    pub(super) recording: Arc<Recording>,
    pub(super) secret: String,
    pub(super) scanner: MarkScanner,
    pub(super) mark_seen: bool,
    /// A line end at the end of the output, once we have interrupted the command: a shell prints
    /// one of its own then.
    pub(super) held_line_end: bool,
    pub(super) reports: ReportBuffer,
    pub(super) report: Option<(Report, Instant)>,
    pub(super) stray: Vec<u8>,
    pub(super) started: Instant,
    pub(super) start_ticks: u64,
    pub(super) deadline: Option<Instant>,
    pub(super) grace: Duration,
    pub(super) ending: Option<Ending>,
    pub(super) prompt: PromptWatch,
    /// Jobs of earlier commands, which are no part of this one.
    pub(super) earlier: BTreeSet<u32>,
}

/// A command that is being ended by us.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) exit: Exit,
    pub(super) stage: Stage,
    /// When the next step is due.
    pub(super) at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was asked to end; now its processes are asked once more and killed, in rounds, because
    /// the shell goes on with the rest of its text.
    Killing { round: u8 },
    /// The shell is back; what the command left behind is killed.
    Sweeping,
    /// The shell itself was killed.
    Shell,
}

/// Looks for a shell that waits for its next line though it has not reported.
#[derive(Debug)]
pub(super) struct PromptWatch {
    pub(super) next: Instant,
    pub(super) pause: Duration,
    /// How many times in a row it was seen waiting.
    pub(super) seen: u8,
    pub(super) repaired: bool,
}

impl PromptWatch {
    /// Silence before the first look.
    const SILENCE: Duration = Duration::from_millis(50);
    /// Between looks that saw a waiting shell.
    const AGAIN: Duration = Duration::from_millis(25);
    /// Longest time between looks.
    const LONGEST: Duration = Duration::from_secs(1);

    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: now + Self::SILENCE,
            pause: Self::SILENCE,
            seen: 0,
            repaired: false,
        }
    }

    pub(super) fn output(&mut self, now: Instant) {
        (self.next, self.pause, self.seen) = (now + Self::SILENCE, Self::SILENCE, 0);
    }
}

impl Running {
    /// Whether the shell has said that it is over.
    pub(super) fn is_reported(&self) -> bool {
        self.report.is_some()
    }

    /// Takes bytes of the report pipe.
    pub(super) fn take_reports(&mut self, bytes: &[u8], now: Instant) {
        self.reports.push(bytes);
        if self.report.is_none()
            && let Some(report) = self.reports.find(&self.secret)
        {
            self.report = Some((report, now));
        }
    }
}

/// Whether a command that is asked to end gets its time of grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Grace,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restarted {
    Yes,
    No,
}

/// What a shell reports of a command that `SIGINT` ended.
const INTERRUPTED: i32 = 130;

impl Running {
    pub(super) fn record(&mut self, mut data: Bytes) {
        if data.is_empty() {
            return;
        }
        if std::mem::take(&mut self.held_line_end) {
            let line_end = Bytes::from_static(b"\n");
            self.recording.append(OutputStream::Stdout, line_end);
        }
        if self.ending.is_some() && data.ends_with(b"\n") {
            data.truncate(data.len() - 1);
            self.held_line_end = true;
        }
        self.recording.append(OutputStream::Stdout, data);
    }

    pub(super) fn ask_to_end(&mut self, shell: &Shell, exit: Exit, now: Instant) {
        let _ = shell.terminal.signal_foreground(Signal::INT);
        self.ending = Some(Ending {
            exit,
            stage: Stage::Killing { round: 0 },
            // A time too long for the clock: as long as anything lives.
            at: now
                .checked_add(self.grace)
                .unwrap_or(now + Session::FOREVER),
        });
    }

    /// Takes the next step of the ladder when it is due. `true` if it is time to sweep.
    pub(super) fn go_on_ending(&mut self, shell: &Shell, now: Instant) -> bool {
        let Some(ending) = self.ending.as_mut().filter(|ending| now >= ending.at) else {
            return false;
        };
        ending.at = now + Session::ROUND;
        match ending.stage {
            Stage::Killing { round } if round >= Session::ROUNDS => {
                ending.stage = Stage::Shell;
                // There is no step after this one.
                ending.at = now + Session::LAST;
                let _ = shell.leader.signal_group(Signal::KILL);
            }
            Stage::Killing { round } => {
                ending.stage = Stage::Killing { round: round + 1 };
                // What the shell has started since has not been asked yet; and while it starts
                // something, it may miss the signal. Killed by this one, a program makes the shell
                // drop the rest of its text, which it does not after a kill.
                if round % 2 == 0 {
                    let _ = shell.terminal.signal_foreground(Signal::INT);
                    return false;
                }
            }
            Stage::Sweeping | Stage::Shell => {
                ending.at = now + Session::LAST;
                return false;
            }
        }
        true
    }

    /// Looks whether the shell waits for its next line. `true` if it still does after a repair.
    pub(super) fn look_for_prompt(&mut self, shell: &Shell, now: Instant) -> bool {
        // No more of a mark came: it was output.
        let held = self.scanner.release();
        self.record(held);
        let prompt = &mut self.prompt;
        if !shell.waits_for_line() {
            prompt.seen = 0;
            prompt.pause = (prompt.pause * 2).min(PromptWatch::LONGEST);
            prompt.next = now + prompt.pause;
            return false;
        }
        prompt.seen += 1;
        prompt.next = now + PromptWatch::AGAIN;
        if prompt.seen < 3 {
            return false;
        }
        prompt.seen = 0;
        if prompt.repaired {
            return true;
        }
        prompt.repaired = true;
        shell.repair(&self.secret).is_err()
    }
}

pub(super) fn output(state: &mut State, bytes: Bytes, now: Instant) {
    let Some(running) = state.running.as_mut().filter(|running| !running.mark_seen) else {
        state.memory.add_stray(&bytes);
        return;
    };
    running.prompt.output(now);
    match running.scanner.scan(bytes) {
        Scanned::Output(data) => running.record(data),
        Scanned::Mark { output, after } => {
            running.mark_seen = true;
            running.record(output);
            state.memory.add_stray(&after);
        }
    }
}

/// Ends the running command, which the shell has reported.
pub(super) fn finish(state: &mut State, shell: &Shell) {
    let Some(running) = state.running.take() else {
        return;
    };
    let Some((report, _)) = running.report.clone() else {
        return;
    };
    let memory = &mut state.memory;
    if let Some(cwd) = shell.cwd(&report.cwd) {
        memory.cwd = cwd;
    }
    memory.shell.has_reported = true;
    memory.shell.status = report.status;
    memory.shell.traces = report
        .options
        .chars()
        .filter(|c| "xv".contains(*c))
        .collect();
    let exit = match &running.ending {
        Some(ending) => ending.exit.clone(),
        None => Exit::Code(report.status),
    };
    conclude(running, memory, exit, Some(&report), Restarted::No);
}

/// Gives up on a shell that waits for lines and does not report.
pub(super) fn lose(state: &mut State, shell: &Shell) {
    let _ = shell.leader.signal_group(Signal::KILL);
    state.shell = None;
    if let Some(running) = state.running.take() {
        let exit = match &running.ending {
            Some(ending) => ending.exit.clone(),
            None => Exit::Lost,
        };
        conclude(running, &mut state.memory, exit, None, Restarted::Yes);
    }
    state.memory.forget_shell();
}

pub(super) fn conclude(
    mut running: Running,
    memory: &mut Memory,
    exit: Exit,
    report: Option<&Report>,
    restarted: Restarted,
) {
    let held = running.scanner.release();
    running.record(held);
    if running.held_line_end && report.is_none_or(|report| report.status != INTERRUPTED) {
        let line_end = Bytes::from_static(b"\n");
        running.recording.append(OutputStream::Stdout, line_end);
    }
    let mut usage = Usage::wall(running.started.elapsed());
    usage.cpu = report.and_then(|report| report.cpu).map(|now| Measured {
        value: memory.shell.cpu_since(now),
        source: UsageSource::ShellCounters,
    });
    let background = report.and_then(|report| report.background);
    let mut session = SessionReport::default();
    session.background = background.filter(|_| background != memory.shell.background);
    session.cwd = memory.sandbox_cwd();
    session.restarted = restarted == Restarted::Yes || std::mem::take(&mut memory.replaced);
    session.stray = running.stray;
    memory.shell.background = background.or(memory.shell.background);
    memory.replaced = false;
    running
        .recording
        .exited(ExitReport::new(exit).usage(usage).session(session));
    running.recording.closed();
}

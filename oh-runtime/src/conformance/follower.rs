//! Follows a process and holds the runtime to the rules of the event stream.

use oh_core::{
    Exit, ExitReport, Pause, Position, Process, ProcessControl, ProcessEvent, ProcessId,
    WaitsForInput,
};

use super::expect::{Checked, Failure, ensure, shown};

/// A process with all that came out of it. Every step checks the rules: started first and once,
/// positions without gap or duplicate, no empty pieces, one exit, nothing after the end.
pub(super) struct Follower {
    process: Process,
    next: Position,
    started: bool,
    closed: bool,
    pauses: Vec<(Pause, WaitsForInput)>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) report: Option<ExitReport>,
}

impl Follower {
    pub(super) fn new(process: Process, from: Position) -> Self {
        Self {
            process,
            next: from,
            started: false,
            closed: false,
            pauses: Vec::new(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            report: None,
        }
    }

    pub(super) fn id(&self) -> &ProcessId {
        self.process.id()
    }

    pub(super) fn control(&self) -> ProcessControl {
        self.process.control()
    }

    /// Takes the next event; false at the end of the stream.
    async fn step(&mut self) -> Checked<bool> {
        let Some(event) = self.process.next().await else {
            ensure!(
                self.closed,
                "the events end without Closed; {}",
                self.state()
            );
            return Ok(false);
        };
        let event = event?;
        ensure!(!self.closed, "{event:?} comes after Closed");
        let spawn_failed = matches!(&event, ProcessEvent::Exited(report)
            if matches!(report.exit, Exit::SpawnFailed(_)));
        let starts = matches!(event, ProcessEvent::Started { .. });
        ensure!(
            starts != self.started || spawn_failed || self.report.is_some(),
            "the first event, and no other, must be Started; got {event:?}"
        );
        match event {
            ProcessEvent::Started { .. } => self.started = true,
            ProcessEvent::Stdout { at, data } => {
                self.next.stdout = contiguous("stdout", self.next.stdout, at, data.len())?;
                self.stdout.extend_from_slice(&data);
            }
            ProcessEvent::Stderr { at, data } => {
                self.next.stderr = contiguous("stderr", self.next.stderr, at, data.len())?;
                self.stderr.extend_from_slice(&data);
            }
            ProcessEvent::Gap(gap) => {
                return Err(Failure::new(format!("output was lost: {gap:?}")));
            }
            ProcessEvent::Quiet { input } => self.pauses.push((Pause::Quiet, input)),
            ProcessEvent::Elapsed { input } => self.pauses.push((Pause::Elapsed, input)),
            ProcessEvent::Exited(report) => {
                ensure!(
                    self.report.is_none(),
                    "a second exit is reported: {report:?}"
                );
                self.report = Some(report);
            }
            ProcessEvent::Closed => {
                ensure!(self.report.is_some(), "Closed comes without an exit");
                self.closed = true;
            }
            _ => {}
        }
        Ok(true)
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool + Send) -> Checked {
        while !done(self) {
            ensure!(
                self.step().await?,
                "the events ended before {what}; {}",
                self.state()
            );
        }
        Ok(())
    }

    /// Follows until standard output holds a text.
    pub(super) async fn until_stdout(&mut self, text: &str) -> Checked {
        let what = format!("{text:?} came");
        self.until(&what, |own| contains(&own.stdout, text.as_bytes()))
            .await
    }

    /// Follows until a timer ran out that was not seen yet.
    pub(super) async fn until_pause(&mut self) -> Checked<(Pause, WaitsForInput)> {
        self.until("a timer ran out", |own| {
            !own.pauses.is_empty() || own.report.is_some()
        })
        .await?;
        ensure!(
            !self.pauses.is_empty(),
            "the process ended before a timer ran out; {}",
            self.state()
        );
        Ok(self.pauses.remove(0))
    }

    /// Follows until the process ended.
    pub(super) async fn until_exit(&mut self) -> Checked<Exit> {
        self.until("the exit", |own| own.report.is_some()).await?;
        self.exit()
    }

    /// Follows until nobody holds the output any more and the stream ended.
    pub(super) async fn until_closed(&mut self) -> Checked<Exit> {
        while self.step().await? {}
        self.exit()
    }

    /// Follows to the end of the stream, whatever the runtime reports on the way.
    pub(super) async fn until_over(&mut self) {
        while let Some(event) = self.process.next().await {
            if let Ok(ProcessEvent::Exited(report)) = event {
                self.report = Some(report);
            }
        }
    }

    fn exit(&self) -> Checked<Exit> {
        self.report
            .as_ref()
            .map(|report| report.exit.clone())
            .ok_or_else(|| Failure::new("no exit was reported"))
    }

    /// Expects an exit and compares.
    pub(super) async fn expect_end(&mut self, wanted: &Exit) -> Checked {
        let found = self.until_closed().await?;
        ensure!(
            found == *wanted,
            "the process ended with {found} instead of {wanted}; {}",
            self.state()
        );
        Ok(())
    }

    pub(super) fn state(&self) -> String {
        format!(
            "so far stdout \"{}\", stderr \"{}\", exit {:?}",
            shown(&self.stdout),
            shown(&self.stderr),
            self.report.as_ref().map(|report| &report.exit)
        )
    }
}

fn contiguous(stream: &str, expected: u64, at: u64, len: usize) -> Checked<u64> {
    ensure!(len > 0, "an empty piece of {stream} is reported at {at}");
    ensure!(
        at == expected,
        "{stream} goes on at {at} instead of {expected}"
    );
    Ok(at + len as u64)
}

pub(super) fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes
        .windows(text.len().max(1))
        .any(|window| window == text)
}

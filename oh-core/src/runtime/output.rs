//! What came out of a process.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::command::Position;
use super::exit::{Exit, Usage};
use super::path::SandboxPath;
use super::process::ExitReport;
use crate::id::ProcessId;

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output; everything, where there is one pipe or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How much of each stream a result holds: its first and its last bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureLimit {
    /// Bytes kept from the start.
    pub head_bytes: usize,
    /// Bytes kept from the end.
    pub tail_bytes: usize,
}

impl CaptureLimit {
    /// Keeps nothing: for output that is only followed live or read by range.
    pub const NONE: Self = Self {
        head_bytes: 0,
        tail_bytes: 0,
    };

    /// Keeps this many bytes from the start and as many from the end.
    pub const fn each_bytes(bytes: usize) -> Self {
        Self {
            head_bytes: bytes,
            tail_bytes: bytes,
        }
    }
}

impl Default for CaptureLimit {
    /// 64 KiB from the start and 64 KiB from the end of each stream.
    fn default() -> Self {
        Self::each_bytes(64 * 1024)
    }
}

/// Bytes of a stream that were produced and can no longer be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The stream.
    pub stream: OutputStream,
    /// First missing byte.
    pub from: u64,
    /// First byte after the gap.
    pub to: u64,
}

/// Head and tail of a stream, and how much there was in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Captured {
    /// The first bytes. Everything, if nothing was left out.
    pub head: Bytes,
    /// The last bytes, after what was left out.
    pub tail: Bytes,
    /// Bytes that were produced while this call followed.
    pub total_bytes: u64,
    /// Stretches that the runtime itself had lost.
    pub gaps: Vec<Gap>,
}

impl Captured {
    /// Everything that a stream held, with nothing left out.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let head = bytes.into();
        Self {
            total_bytes: head.len() as u64,
            head,
            ..Self::default()
        }
    }

    /// Bytes between head and tail that are not here (read them by range).
    pub fn omitted_bytes(&self) -> u64 {
        self.total_bytes
            .saturating_sub((self.head.len() + self.tail.len()) as u64)
    }

    /// Whether every byte is here.
    pub fn is_complete(&self) -> bool {
        self.omitted_bytes() == 0 && self.gaps.is_empty()
    }

    /// Every byte in one piece, or `None` if some were left out.
    pub fn to_bytes(&self) -> Option<Bytes> {
        if !self.is_complete() {
            return None;
        }
        if self.tail.is_empty() {
            return Some(self.head.clone());
        }
        let mut all = BytesMut::with_capacity(self.head.len() + self.tail.len());
        all.extend_from_slice(&self.head);
        all.extend_from_slice(&self.tail);
        Some(all.freeze())
    }

    /// As text for people and models: bytes that are no UTF-8 become U+FFFD, and a line says how
    /// much was left out.
    pub fn to_text(&self) -> Cow<'_, str> {
        if let Some(whole) = self.to_bytes() {
            return Cow::Owned(String::from_utf8_lossy(&whole).into_owned());
        }
        Cow::Owned(format!(
            "{}\n[... {} bytes left out ...]\n{}",
            String::from_utf8_lossy(&self.head),
            self.omitted_bytes(),
            String::from_utf8_lossy(&self.tail)
        ))
    }
}

/// Gathers head and tail of a stream as it arrives, within bounded memory.
///
/// ```
/// use oh_core::{Capture, CaptureLimit};
/// let mut capture = Capture::new(CaptureLimit::each_bytes(2));
/// capture.push(b"abc");
/// capture.push(b"defg");
/// let captured = capture.finish();
/// assert_eq!((&captured.head[..], &captured.tail[..]), (&b"ab"[..], &b"fg"[..]));
/// assert_eq!(captured.omitted_bytes(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct Capture {
    limit: CaptureLimit,
    head: BytesMut,
    tail: BytesMut,
    total_bytes: u64,
    gaps: Vec<Gap>,
}

impl Capture {
    /// Largest number of gaps kept one by one; later ones widen the last.
    const MAX_GAPS: usize = 64;

    /// Starts empty.
    pub fn new(limit: CaptureLimit) -> Self {
        Self {
            limit,
            head: BytesMut::new(),
            tail: BytesMut::new(),
            total_bytes: 0,
            gaps: Vec::new(),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, data: &[u8]) {
        self.total_bytes = self.total_bytes.saturating_add(data.len() as u64);
        let room = self.limit.head_bytes.saturating_sub(self.head.len());
        let (to_head, to_tail) = data.split_at(room.min(data.len()));
        self.head.extend_from_slice(to_head);
        if to_tail.is_empty() {
            return;
        }
        let keep = self.limit.tail_bytes;
        if to_tail.len() >= keep {
            self.tail.clear();
            self.tail
                .extend_from_slice(to_tail.split_at(to_tail.len() - keep).1);
            return;
        }
        self.tail.extend_from_slice(to_tail);
        // Cut only when twice the size is reached, so that each byte moves once or twice at most.
        if self.tail.len() > keep.saturating_mul(2) {
            let surplus = self.tail.len() - keep;
            self.tail.copy_within(surplus.., 0);
            self.tail.truncate(keep);
        }
    }

    /// Notes a stretch that the runtime lost; it counts as produced.
    pub fn gap(&mut self, gap: Gap) {
        let lost = gap.to.saturating_sub(gap.from);
        self.total_bytes = self.total_bytes.saturating_add(lost);
        let full = self.gaps.len() >= Self::MAX_GAPS;
        match self.gaps.last_mut() {
            Some(last) if full => last.to = gap.to,
            _ => self.gaps.push(gap),
        }
    }

    /// Bytes seen so far, gaps included.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// The result.
    pub fn finish(mut self) -> Captured {
        if self.tail.len() > self.limit.tail_bytes {
            let surplus = self.tail.len() - self.limit.tail_bytes;
            self.tail = self.tail.split_off(surplus);
        }
        Captured {
            head: self.head.freeze(),
            tail: self.tail.freeze(),
            total_bytes: self.total_bytes,
            gaps: self.gaps,
        }
    }
}

/// Whether a process waits for someone to type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitsForInput {
    /// Yes, and this is how one knows.
    Yes(InputEvidence),
    /// No: it computes, sleeps or waits for something else.
    No,
    /// The system does not tell.
    Unknown,
}

/// What the kernel shows of a process that waits for input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InputEvidence {
    /// A process of the foreground group is blocked reading its terminal.
    TerminalRead,
    /// A process is blocked reading the pipe that is its standard input.
    PipeRead,
    /// A process polls its standard input among other descriptors.
    Poll,
}

/// Why a call stopped waiting while the process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pause {
    /// [`Follow::quiet`](super::Follow::quiet) passed without output.
    Quiet,
    /// [`Follow::until`](super::Follow::until) passed.
    Elapsed,
}

/// How a call ended: with the process, or before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The process ended.
    Exited(Exit),
    /// The process goes on.
    Running {
        /// Why this call stopped waiting.
        why: Pause,
        /// Whether it waits for input.
        input: WaitsForInput,
    },
}

impl Outcome {
    /// How the process ended, if it did.
    pub fn exit(&self) -> Option<&Exit> {
        match self {
            Self::Exited(exit) => Some(exit),
            Self::Running { .. } => None,
        }
    }
}

/// State of a persistent shell after a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionReport {
    /// Working directory of the shell.
    pub cwd: Option<SandboxPath>,
    /// Process id of the last background job, if the command started one.
    pub background: Option<u32>,
    /// The shell ended with this command and a new one stands in its place: the working directory
    /// and `set_env` values are restored, functions and shell variables are lost.
    pub restarted: bool,
    /// Bytes that came between the last command and this one (from background jobs).
    pub stray: Vec<u8>,
}

/// Result of following a process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CommandOutput {
    /// The process: to attach to, to answer, to read its output by range.
    pub process: ProcessId,
    /// How the call ended.
    pub outcome: Outcome,
    /// Standard output, or everything where there is one pipe or a terminal.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// Where to follow on.
    pub position: Position,
    /// What the process cost, once it ended.
    pub usage: Option<Usage>,
    /// State of the shell, for a command in a session.
    pub session: Option<SessionReport>,
}

impl CommandOutput {
    /// Assembles a result. `report` is given when the process ended.
    pub fn new(
        process: ProcessId,
        outcome: Outcome,
        stdout: Captured,
        stderr: Captured,
        position: Position,
        report: Option<ExitReport>,
    ) -> Self {
        let (usage, session) = report.map_or((None, None), |r| (r.usage, r.session));
        Self {
            process,
            outcome,
            stdout,
            stderr,
            position,
            usage,
            session,
        }
    }

    /// How the process ended, if it did.
    pub fn exit(&self) -> Option<&Exit> {
        self.outcome.exit()
    }

    /// Whether the process ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        self.exit().is_some_and(Exit::is_success)
    }

    /// Standard output as text; see [`Captured::to_text`].
    pub fn stdout_text(&self) -> Cow<'_, str> {
        self.stdout.to_text()
    }

    /// Standard error as text; see [`Captured::to_text`].
    pub fn stderr_text(&self) -> Cow<'_, str> {
        self.stderr.to_text()
    }
}

/// A half-open range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// First byte after the range; to the end if `None`.
    pub end: Option<u64>,
}

impl From<std::ops::Range<u64>> for ByteRange {
    fn from(range: std::ops::Range<u64>) -> Self {
        Self {
            start: range.start,
            end: Some(range.end),
        }
    }
}

impl From<std::ops::RangeFrom<u64>> for ByteRange {
    fn from(range: std::ops::RangeFrom<u64>) -> Self {
        Self {
            start: range.start,
            end: None,
        }
    }
}

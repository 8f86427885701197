//! Where the output of a command goes on its way into an observation.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::event::BlobRef;
use crate::runtime::{Capture, CaptureLimit, Captured, Gap, OutputStream};
use crate::secret::Edge;

/// Takes the output of one command as it arrives and keeps what the observation needs.
///
/// A tap of a host with an event stream masks secrets, shows the output live and keeps all of it
/// as a blob; [`CaptureTap`] only keeps head and tail.
#[async_trait]
pub trait OutputTap: fmt::Debug + Send {
    /// Says that the output begins in the middle: what comes next goes on where an earlier call
    /// stopped to follow, and the end of a secret may stand at its beginning.
    fn resume(&mut self) {}
    /// Takes the next bytes of a stream.
    async fn push(&mut self, stream: OutputStream, data: Bytes);
    /// Notes a stretch that was lost.
    async fn gap(&mut self, gap: Gap);
    /// Ends the output and hands over what was kept. At a cut (the command goes on, or was ended)
    /// the beginning of a secret may stand at the end.
    async fn finish(&mut self, end: Edge) -> TapOutput;
    /// Masks a text that goes into the observation before it is cut. With `end` a cut, the text
    /// was cut already by whom it came from. The default masks nothing.
    fn mask<'t>(&self, text: &'t str, end: Edge) -> Cow<'t, str> {
        let _ = end;
        Cow::Borrowed(text)
    }
}

/// What an [`OutputTap`] kept.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TapOutput {
    /// Head and tail of standard output.
    pub stdout: Captured,
    /// Head and tail of standard error.
    pub stderr: Captured,
    /// All of standard output, if it is kept elsewhere.
    pub stdout_blob: Option<BlobRef>,
    /// All of standard error, if it is kept elsewhere.
    pub stderr_blob: Option<BlobRef>,
}

impl TapOutput {
    /// Output of which nothing is kept elsewhere.
    pub fn new(stdout: Captured, stderr: Captured) -> Self {
        Self {
            stdout,
            stderr,
            ..Self::default()
        }
    }

    /// Names where all of the output is kept.
    #[must_use]
    pub fn blobs(mut self, stdout: Option<BlobRef>, stderr: Option<BlobRef>) -> Self {
        self.stdout_blob = stdout;
        self.stderr_blob = stderr;
        self
    }
}

/// Keeps head and tail in memory, as they are.
#[derive(Debug)]
pub struct CaptureTap {
    limit: CaptureLimit,
    stdout: Capture,
    stderr: Capture,
}

impl CaptureTap {
    /// Keeps this much of each stream.
    pub fn new(limit: CaptureLimit) -> Self {
        Self {
            limit,
            stdout: Capture::new(limit),
            stderr: Capture::new(limit),
        }
    }
}

#[async_trait]
impl OutputTap for CaptureTap {
    async fn push(&mut self, stream: OutputStream, data: Bytes) {
        match stream {
            OutputStream::Stdout => self.stdout.push(&data),
            OutputStream::Stderr => self.stderr.push(&data),
        }
    }

    async fn gap(&mut self, gap: Gap) {
        match gap.stream {
            OutputStream::Stdout => self.stdout.gap(gap),
            OutputStream::Stderr => self.stderr.gap(gap),
        }
    }

    async fn finish(&mut self, _end: Edge) -> TapOutput {
        let stdout = std::mem::replace(&mut self.stdout, Capture::new(self.limit));
        let stderr = std::mem::replace(&mut self.stderr, Capture::new(self.limit));
        TapOutput::new(stdout.finish(), stderr.finish())
    }
}

//! Output of a command on its way to the log: masked, shown live, kept whole, captured in part.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use oh_core::secret::Edge;
use oh_core::{BlobRef, Capture, CaptureLimit, Captured, Error, EventId, Gap, OutputStream};

use crate::store::blob::{BlobStore, BlobWriter};

use super::delta::{Delta, DeltaHub};
use super::secrets::{OutputMasker, Secrets};

/// Bytes that are gathered before they are handed to a blob.
const PIECE_BYTES: usize = 256 * 1024;

/// Takes the output of one command, as it comes, and masks it before anything else is done.
///
/// What comes out of the masker goes three ways: to live followers, to a blob that holds all of
/// it, and to a head and a tail for the observation. Output that fits into head and tail needs no
/// blob.
///
/// ```
/// use bytes::Bytes;
/// use oh_core::action::RunAction;
/// use oh_core::observation::RunObservation;
/// use oh_core::secret::{Edge, Masker, Secret};
/// use oh_core::{CaptureLimit, Exit, OutputStream, SessionId, Source};
/// use oh_events::{EventStream, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> oh_core::Result<()> {
/// let stream = EventStream::builder(MemoryStore::new(), SessionId::new("demo")?)
///     .masker(Masker::new([("token", Secret::new("hunter22"))])?)
///     .open()
///     .await?;
/// let action = stream.append(Source::Agent, RunAction::new("env")).await?;
///
/// let mut sink = stream.output_sink(action, CaptureLimit::default());
/// sink.push(OutputStream::Stdout, Bytes::from_static(b"TOKEN=hunt")).await;
/// sink.push(OutputStream::Stdout, Bytes::from_static(b"er22\n")).await;
/// let stdout = sink.finish(Edge::Whole).await.stdout;
///
/// let text = stdout.captured.to_text();
/// assert_eq!(text, "TOKEN=<secret_hidden>\n");
/// let mut observation = RunObservation::ended(text, "env", Exit::Code(0));
/// observation.details.stdout_blob = stdout.blob; // where head and tail do not hold it all
/// stream.reply(action, observation).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "the output is lost without `finish`"]
pub struct OutputSink {
    cause: EventId,
    limit: CaptureLimit,
    secrets: Arc<Secrets>,
    deltas: Arc<DeltaHub>,
    blobs: Option<Arc<dyn BlobStore>>,
    stdout: Side,
    stderr: Side,
}

/// One of the two streams.
struct Side {
    stream: OutputStream,
    masker: OutputMasker,
    capture: Capture,
    /// Bytes that head and tail hold together.
    captured_bytes: u64,
    /// Masked bytes so far.
    at: u64,
    /// Masked bytes of the commands before.
    before: u64,
    /// Masked bytes that are not in the blob yet.
    pending: BytesMut,
    blob: Blob,
    /// The first failure of writing the blob, which ends there.
    failure: Option<Error>,
}

enum Blob {
    /// Head and tail hold everything.
    NotNeeded,
    Open(Box<dyn BlobWriter>),
    /// There is none.
    Missing(Option<Error>),
}

/// What a command wrote, masked.
#[derive(Debug)]
#[non_exhaustive]
pub struct SinkResult {
    /// Standard output.
    pub stdout: SinkOutput,
    /// Standard error.
    pub stderr: SinkOutput,
}

/// What a command wrote to one stream, masked.
#[derive(Debug)]
#[non_exhaustive]
pub struct SinkOutput {
    /// Head and tail; positions and counts are those of the masked output.
    pub captured: Captured,
    /// All of it, where head and tail do not hold it.
    pub blob: Option<BlobRef>,
    /// Why a blob is missing or incomplete, other than for want of room.
    pub blob_error: Option<Error>,
}

impl OutputSink {
    pub(super) fn new(
        cause: EventId,
        limit: CaptureLimit,
        deltas: Arc<DeltaHub>,
        blobs: Option<Arc<dyn BlobStore>>,
        secrets: Arc<Secrets>,
    ) -> Self {
        let side = |stream| Side::new(stream, OutputMasker::new(&secrets), limit, 0);
        Self {
            cause,
            limit,
            deltas,
            blobs,
            stdout: side(OutputStream::Stdout),
            stderr: side(OutputStream::Stderr),
            secrets,
        }
    }

    /// Says that the output begins in the middle, where an earlier sink was finished at a cut:
    /// what stands at its beginning of a secret (four bytes or more) is hidden.
    pub fn resume(&mut self) {
        self.stdout.masker.resume();
        self.stderr.masker.resume();
    }

    /// Takes the next bytes of a stream.
    ///
    /// # Cancel safety
    /// The bytes of a dropped call can be missing in the blob.
    pub async fn push(&mut self, stream: OutputStream, data: Bytes) {
        let side = self.side(stream);
        let masked = side.masker.push(data);
        self.take(stream, masked).await;
    }

    /// Notes bytes that the runtime lost. What the gap leaves of a secret is hidden.
    ///
    /// # Cancel safety
    /// As for [`push`](Self::push).
    pub async fn gap(&mut self, gap: Gap) {
        let rest = self.side(gap.stream).masker.gap();
        self.take(gap.stream, rest).await;
        let side = self.side(gap.stream);
        let len = gap.to.saturating_sub(gap.from);
        side.capture.gap(Gap {
            stream: gap.stream,
            from: side.at,
            to: side.at.saturating_add(len),
        });
    }

    /// Ends both streams. What is not finished when the sink is dropped leaves no blob. At a cut (a command that was ended, or that goes on), the beginning of
    /// a secret is hidden too.
    ///
    /// # Cancel safety
    /// A dropped call leaves no blob that was not named.
    pub async fn finish(mut self, end: Edge) -> SinkResult {
        self.finish_command(end).await
    }

    /// Ends the output of one command and goes on with that of another one which the same action
    /// looks at. Head, tail and blob begin anew; the positions of live fragments go on.
    ///
    /// # Cancel safety
    /// As for [`finish`](Self::finish); what was pushed before can be missing.
    pub async fn finish_command(&mut self, end: Edge) -> SinkResult {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let rest = self.side(stream).masker.finish(end);
            self.take(stream, rest).await;
        }
        SinkResult {
            stdout: self.begin_anew(OutputStream::Stdout).finish().await,
            stderr: self.begin_anew(OutputStream::Stderr).finish().await,
        }
    }

    /// Puts a fresh side in the place of one, and gives that out.
    fn begin_anew(&mut self, stream: OutputStream) -> Side {
        let (masker, limit) = (OutputMasker::new(&self.secrets), self.limit);
        let side = self.side(stream);
        let before = side.before + side.at;
        std::mem::replace(side, Side::new(stream, masker, limit, before))
    }

    fn side(&mut self, stream: OutputStream) -> &mut Side {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    async fn take(&mut self, stream: OutputStream, masked: Bytes) {
        if masked.is_empty() {
            return;
        }
        let blobs = self.blobs.clone();
        let (cause, deltas) = (self.cause, Arc::clone(&self.deltas));
        let side = self.side(stream);
        let at = side.before + side.at;
        deltas.publish(Delta::new(cause, stream, at, masked.clone()));
        side.capture.push(&masked);
        side.at += masked.len() as u64;
        side.keep(masked, blobs.as_deref()).await;
    }
}

impl Side {
    fn new(stream: OutputStream, masker: OutputMasker, limit: CaptureLimit, before: u64) -> Self {
        Self {
            stream,
            masker,
            capture: Capture::new(limit),
            captured_bytes: (limit.head_bytes as u64).saturating_add(limit.tail_bytes as u64),
            at: 0,
            before,
            pending: BytesMut::new(),
            blob: Blob::NotNeeded,
            failure: None,
        }
    }

    async fn keep(&mut self, masked: Bytes, blobs: Option<&dyn BlobStore>) {
        if matches!(self.blob, Blob::Missing(_)) {
            return;
        }
        self.pending.extend_from_slice(&masked);
        if matches!(self.blob, Blob::NotNeeded) {
            if self.at <= self.captured_bytes {
                return;
            }
            self.blob = match blobs {
                None => Blob::Missing(None),
                Some(blobs) => match blobs.create().await {
                    Ok(writer) => Blob::Open(writer),
                    Err(error) => Blob::Missing(Some(error)),
                },
            };
        }
        match &mut self.blob {
            Blob::Missing(_) => self.pending = BytesMut::new(),
            Blob::Open(writer) if self.pending.len() >= PIECE_BYTES => {
                let piece = std::mem::take(&mut self.pending).freeze();
                if let Err(error) = writer.write(piece).await {
                    tracing::warn!(%error, "an output is not kept whole");
                    self.failure.get_or_insert(error);
                }
            }
            _ => {}
        }
    }

    async fn finish(mut self) -> SinkOutput {
        let mut output = SinkOutput {
            captured: self.capture.finish(),
            blob: None,
            blob_error: None,
        };
        match &mut self.blob {
            Blob::NotNeeded => {}
            Blob::Missing(error) => output.blob_error = error.take(),
            Blob::Open(writer) => {
                let last = self.pending.split().freeze();
                let mut result = writer.write(last).await;
                let mut finished = writer.finish().await;
                if let Err(error) = finished {
                    // The failure of the last piece; what was written before it can be named.
                    result = result.and(Err(error));
                    finished = writer.finish().await;
                }
                output.blob_error = self.failure.take().or(result.err());
                match finished {
                    Ok(blob) => output.blob = Some(blob),
                    Err(error) => {
                        output.blob_error.get_or_insert(error);
                    }
                }
            }
        }
        output
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side")
            .field("stream", &self.stream)
            .field("bytes", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OutputSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputSink")
            .field("cause", &self.cause)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

//! Output of a command on its way into the log: masked, shown live, kept as a blob.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::execute::{OutputTap, TapOutput};
use oh_core::secret::Edge;
use oh_core::{CaptureLimit, Error, EventId, Gap, OutputStream};
use oh_events::{EventStream, OutputSink};

/// Hands the output to a sink of the stream. An action can look at more than one command: what is
/// left of the previous one, and its own.
#[derive(Debug)]
pub(super) struct StreamTap {
    stream: EventStream,
    action: EventId,
    sink: OutputSink,
}

impl StreamTap {
    pub(super) fn new(stream: EventStream, action: EventId, limit: CaptureLimit) -> Self {
        let sink = stream.output_sink(action, limit);
        Self {
            stream,
            action,
            sink,
        }
    }
}

#[async_trait]
impl OutputTap for StreamTap {
    fn resume(&mut self) {
        self.sink.resume();
    }

    async fn push(&mut self, stream: OutputStream, data: Bytes) {
        self.sink.push(stream, data).await;
    }

    async fn gap(&mut self, gap: Gap) {
        self.sink.gap(gap).await;
    }

    async fn finish(&mut self, end: Edge) -> TapOutput {
        let kept = self.sink.finish_command(end).await;
        for error in [&kept.stdout.blob_error, &kept.stderr.blob_error]
            .into_iter()
            .flatten()
        {
            let error = masked(&self.stream, error);
            tracing::warn!(error, action = %self.action, "output could not be kept whole");
        }
        TapOutput::new(kept.stdout.captured, kept.stderr.captured)
            .blobs(kept.stdout.blob, kept.stderr.blob)
    }

    fn mask<'t>(&self, text: &'t str, end: Edge) -> Cow<'t, str> {
        self.stream.masker().mask_piece(text, Edge::Whole, end)
    }
}

/// An error in words that may be shown.
pub(super) fn masked(stream: &EventStream, error: &Error) -> String {
    stream.masker().mask(&error.to_string()).into_owned()
}

//! Output of a command on its way into the log: masked, shown live, kept as a blob.

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::execute::{OutputTap, TapOutput};
use oh_core::{Gap, OutputStream};
use oh_events::OutputSink;

/// Hands the output to the sink of the stream.
#[derive(Debug)]
pub(super) struct StreamTap {
    sink: Option<OutputSink>,
}

impl StreamTap {
    pub(super) fn new(sink: OutputSink) -> Self {
        Self { sink: Some(sink) }
    }
}

#[async_trait]
impl OutputTap for StreamTap {
    async fn push(&mut self, stream: OutputStream, data: Bytes) {
        if let Some(sink) = &mut self.sink {
            sink.push(stream, data).await;
        }
    }

    fn gap(&mut self, gap: Gap) {
        if let Some(sink) = &mut self.sink {
            sink.gap(gap);
        }
    }

    async fn finish(&mut self) -> TapOutput {
        match self.sink.take() {
            Some(sink) => {
                let kept = sink.finish().await;
                TapOutput::new(kept.stdout, kept.stderr).blobs(kept.stdout_blob, kept.stderr_blob)
            }
            None => TapOutput::default(),
        }
    }
}

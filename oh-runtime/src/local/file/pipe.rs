//! Bounded channels between async streams and blocking work.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use oh_core::{ByteStream, Error, Result};
use tokio::sync::mpsc;

use super::volume::lost_job;

/// Size of the pieces of a stream that leaves.
pub(super) const PIECE_BYTES: usize = 128 << 10;

/// Pieces under way between both sides.
const PIECES: usize = 4;

enum Piece {
    Data(Bytes),
    End,
}

/// The blocking end of a stream that arrives.
#[derive(Debug)]
pub(super) struct PipeReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Piece")
    }
}

impl PipeReader {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When the other side went away before the end.
    pub(super) fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        if self.current.has_remaining() {
            return Ok(Some(std::mem::take(&mut self.current)));
        }
        if self.ended {
            return Ok(None);
        }
        match self.pieces.blocking_recv() {
            Some(Piece::Data(data)) => Ok(Some(data)),
            Some(Piece::End) => {
                self.ended = true;
                Ok(None)
            }
            None => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the source of the bytes ended early",
            )),
        }
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.current.has_remaining() {
            match self.next_piece()? {
                Some(data) => self.current = data,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        let data = self.current.split_to(count);
        if let Some(target) = buffer.get_mut(..count) {
            target.copy_from_slice(&data);
        }
        Ok(count)
    }
}

/// Runs a blocking job that reads a stream.
///
/// An error of the stream wins over the error that the job makes of it. When the future is
/// dropped, the job reads an error instead of the end, and undoes what it did.
pub(super) async fn feed<T: Send + 'static>(
    mut source: ByteStream,
    operation: &'static str,
    job: impl FnOnce(PipeReader) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, pieces) = mpsc::channel(PIECES);
    let reader = PipeReader {
        pieces,
        current: Bytes::new(),
        ended: false,
    };
    let job = tokio::task::spawn_blocking(move || job(reader));
    let failure = pump(&mut source, sender).await;
    let result = job.await.map_err(|error| lost_job(operation, error))?;
    match failure {
        Some(error) => Err(error),
        None => result,
    }
}

async fn pump(source: &mut ByteStream, sender: mpsc::Sender<Piece>) -> Option<Error> {
    loop {
        let next = poll_fn(|context| source.as_mut().poll_next(context));
        let item = tokio::select! {
            biased;
            // The job has failed, or has seen the end of the archive.
            () = sender.closed() => return None,
            item = next => item,
        };
        let piece = match item {
            Some(Ok(data)) => Piece::Data(data),
            Some(Err(error)) => return Some(error),
            None => {
                let _ = sender.send(Piece::End).await;
                return None;
            }
        };
        if sender.send(piece).await.is_err() {
            return None;
        }
    }
}

/// The blocking end of a stream that leaves.
#[derive(Debug)]
pub(super) struct PipeWriter {
    sender: mpsc::Sender<Result<Bytes>>,
    buffer: BytesMut,
    failed: bool,
}

/// Makes a stream and the writer that fills it. Dropping the stream makes every write fail.
pub(super) fn pipe() -> (PipeWriter, ByteStream) {
    let (sender, receiver) = mpsc::channel(PIECES);
    let writer = PipeWriter {
        sender,
        buffer: BytesMut::new(),
        failed: false,
    };
    (writer, Box::pin(Receiving(receiver)))
}

impl PipeWriter {
    /// Ends the stream with an error. Nothing that is written later arrives.
    pub(super) fn fail(&mut self, error: Error) {
        if !self.failed {
            self.failed = true;
            let _ = self.sender.blocking_send(Err(error));
        }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        let sent = self.sender.blocking_send(Ok(piece));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + data.len() > PIECE_BYTES {
            self.send()?;
        }
        if self.failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.buffer.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

struct Receiving(mpsc::Receiver<Result<Bytes>>);

impl Stream for Receiving {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

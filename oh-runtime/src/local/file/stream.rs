//! Reading a file piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use futures_core::Stream;
use oh_core::{ByteRange, FileMeta, ReadAs, ReadOptions, Result, SandboxPath};
use tokio::io::{AsyncRead, ReadBuf};

use super::call::Call;
use super::pipe::PIECE_BYTES;
use super::read::check;
use super::version::version;
use super::volume::Volume;

impl Volume {
    /// Opens a file for [`FileStream`]; bytes only.
    pub(super) fn open_stream(
        &self,
        path: &SandboxPath,
        options: &ReadOptions,
    ) -> Result<(FileMeta, FileStream)> {
        use std::io::{Seek, SeekFrom};

        let call = Call::new("read", path);
        check(options, &call)?;
        debug_assert!(matches!(options.form, ReadAs::Bytes));
        let mut opened = self.open_file(path, &call)?;
        let hash = opened.hash().map_err(|error| call.io(error))?;
        let mut meta = opened.facts.meta(self.visible(path));
        meta.version = Some(version(&opened.facts, hash));
        let (start, left) = match options.range {
            Some(ByteRange { start, end }) => {
                (start, end.map_or(u64::MAX, |end| end.saturating_sub(start)))
            }
            None => (0, u64::MAX),
        };
        if start > 0 {
            let at = opened.file.seek(SeekFrom::Start(start));
            at.map_err(|error| call.io(error))?;
        }
        let file = FileStream {
            file: tokio::fs::File::from_std(opened.file),
            buffer: BytesMut::new(),
            left,
            call,
        };
        Ok((meta, file))
    }
}

/// The bytes of an open file. It holds no thread between two pieces.
pub(super) struct FileStream {
    file: tokio::fs::File,
    buffer: BytesMut,
    left: u64,
    call: Call,
}

impl Stream for FileStream {
    type Item = Result<bytes::Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = usize::try_from(this.left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        this.buffer.resize(wanted, 0);
        let mut buffer = ReadBuf::new(&mut this.buffer);
        let result = Pin::new(&mut this.file).poll_read(context, &mut buffer);
        let count = buffer.filled().len();
        match result {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if count == 0 => {
                this.left = 0;
                Poll::Ready(None)
            }
            Poll::Ready(Ok(())) => {
                this.left -= count as u64;
                Poll::Ready(Some(Ok(this.buffer.split_to(count).freeze())))
            }
            Poll::Ready(Err(error)) => {
                this.left = 0;
                Poll::Ready(Some(Err(this.call.io(error))))
            }
        }
    }
}

/// Bytes that are there already.
pub(super) struct OnePiece(pub(super) Option<bytes::Bytes>);

impl Stream for OnePiece {
    type Item = Result<bytes::Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

//! Byte streams out of pieces, and back.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use oh_core::{ByteStream, Result};

use super::expect::Checked;

struct Pieces(std::vec::IntoIter<Result<Bytes>>);

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// A stream of these pieces.
pub(super) fn stream_of(pieces: Vec<Result<Bytes>>) -> ByteStream {
    Box::pin(Pieces(pieces.into_iter()))
}

/// A stream of some bytes, cut where no border of a format is.
pub(super) fn stream_in_pieces(bytes: &Bytes, piece_bytes: usize) -> ByteStream {
    let pieces = bytes
        .chunks(piece_bytes)
        .map(|piece| Ok(bytes.slice_ref(piece)));
    stream_of(pieces.collect())
}

/// Everything that a stream gives.
pub(super) async fn collect(mut stream: ByteStream) -> Checked<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(piece) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

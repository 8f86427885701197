//! Bytes as they arrive.

use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

use crate::error::Result;

/// A stream of bytes in pieces of any size. An error ends it.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

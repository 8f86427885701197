//! The trait that every client of a model implements.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::accumulate::Accumulator;
use crate::delta::Delta;
use crate::error::Result;
use crate::request::ChatRequest;
use crate::response::Completion;

/// Name of a model, as its provider spells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(String);

impl ModelId {
    /// Wraps a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer as it arrives. It ends after [`Delta::Finish`] or with an error.
pub type CompletionStream = Pin<Box<dyn Stream<Item = Result<Delta>> + Send>>;

/// A chat model.
#[async_trait]
pub trait ChatModel: fmt::Debug + Send + Sync {
    /// Name of the model.
    fn id(&self) -> &ModelId;

    /// Sends a request and gives the answer as it arrives.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind); errors after the first delta come in the stream.
    ///
    /// # Cancel safety
    /// Dropping the future or the stream withdraws the request; the provider may charge for it.
    async fn stream(&self, request: &ChatRequest) -> Result<CompletionStream>;

    /// Sends a request and gives the whole answer.
    ///
    /// # Errors
    /// As [`stream`](Self::stream), and [`Interrupted`](crate::ErrorKind::Interrupted) if the
    /// answer broke off.
    ///
    /// # Cancel safety
    /// As [`stream`](Self::stream).
    async fn complete(&self, request: &ChatRequest) -> Result<Completion> {
        let stream = self.stream(request).await?;
        Accumulator::gather(self.id().clone(), stream).await
    }
}

//! The event: an action, an observation or a fact, with who, when and why.

mod blob;
mod body;
mod envelope;
mod json;
mod metadata;
pub(crate) mod text;
mod truncate;

#[cfg(test)]
mod tests;

pub use blob::BlobRef;
pub use body::{EventBody, Note, StatusChange};
pub use envelope::{Draft, Event, Source};
pub(crate) use json::{Piece, Pieces, unquote};
pub use json::{RawJson, RawObject};
pub use metadata::{Cost, Metrics, ResponseLatency, TokenUsage, ToolCallMetadata};
pub use truncate::{OUTPUT_LIMIT_CHARS, TRUNCATION_MARK, truncate_middle};

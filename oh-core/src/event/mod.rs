//! The event: an action, an observation or a fact, with who, when and why.

mod blob;
mod body;
mod envelope;
mod json;
mod metadata;
mod object;
mod pieces;
pub(crate) mod text;
mod truncate;

#[cfg(test)]
mod tests;

pub use blob::BlobRef;
pub use body::{EventBody, Note, StatusChange};
pub use envelope::{Draft, Event, Source};
pub use json::RawJson;
pub use metadata::{Cost, Metrics, ResponseLatency, TokenUsage, ToolCallMetadata};
pub(crate) use object::Entries;
pub use object::RawObject;
pub(crate) use pieces::{Piece, Pieces, unquote};
pub use truncate::{OUTPUT_LIMIT_CHARS, TRUNCATION_MARK, truncate_middle};

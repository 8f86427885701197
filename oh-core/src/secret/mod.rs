//! Secrets, and the masker that keeps them out of events, logs and output.

mod base64;
mod forms;
mod json;
mod masker;
mod percent;
mod searcher;
mod stream_masker;
#[cfg(test)]
mod tests;
mod value;

pub use masker::{Edge, Masker};
pub use stream_masker::StreamMasker;
pub use value::{MASK, Secret};

//! OpenAI's Chat Completions, which most servers of models speak.

mod request;
mod stream;
mod wire;

pub use request::MaxTokensField;
pub(crate) use request::{Delivery, Spelling, encode};
pub(crate) use stream::{ChatDecoder, Decoded};

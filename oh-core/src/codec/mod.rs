//! Event JSON as OpenHands V0 writes it, with one more top-level key, `oh`.
//!
//! | Where | What |
//! |---|---|
//! | `id`, `timestamp`, `source`, `cause` | the envelope; `timestamp` keeps its text |
//! | `message` | words for people, made anew on writing, ignored on reading |
//! | `action` or `observation` | the kind |
//! | `args` (and `timeout` in seconds) | fields of an action |
//! | `content` and `extras` (and `success`) | fields of an observation |
//! | `tool_call_metadata`, `llm_metrics` | the model's part |
//! | `oh` | what V0 has no field for; `oh.kind` names a kind that V0 does not have |
//!
//! A kind that is not known, or whose fields do not fit, is read as custom and written back as it
//! was; unknown fields are kept with their order and the spelling of their numbers. Old forms that
//! V0 accepts are accepted and written in today's form. Three things are refused: an event
//! without a kind, a kind or source that is no text of the right sort, and `args.action`, which
//! V0 let override the kind.

mod decode;
mod encode;
mod error;
pub(crate) mod fields;
mod legacy;
mod message;
mod native;
pub(crate) mod payload;
mod python;
mod seconds;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use decode::{decode_action, decode_draft, decode_event, decode_observation, event_from_value};
pub(crate) use encode::serialize_event;
pub use encode::{
    encode_action, encode_draft, encode_event, encode_event_into, encode_observation,
    event_to_value,
};
pub use error::DecodeError;
pub(crate) use native::{hide, is_hidden};

//! The folders of OpenHands V0, read and written so that its Python implementation reads them.
//!
//! ```text
//! ROOT/sessions/<session>/                          or, for a user,
//! ROOT/users/<user>/conversations/<session>/
//!     events/<id>.json             an event: as we wrote it, or as Python did
//!     event_cache/<a>-<b>.json     25 events from a multiple of 25 on, as an array
//!     oh/lock, oh/holder.json      the one writer
//!     oh/new/                      files that are being written
//!     oh/snapshot, oh/blobs/<id>   what V0 has no place for
//! ```
//!
//! V0 looks into `events` and `event_cache` only, and takes every name in `events` that begins
//! with a number for an event; so nothing else is put there, and what is half written stays in
//! `oh/new`.

mod appender;
mod folder;
mod found;
mod log;
mod page;
mod reader;
mod store;
#[cfg(test)]
mod tests;
mod walk;

pub use store::OpenHandsStore;

//! Logs in NATS JetStream, for hosts that outgrow one machine.
//!
//! ```no_run
//! use oh_core::SessionId;
//! use oh_events::EventStream;
//! use oh_events::store::NatsStore;
//!
//! # async fn open() -> Result<(), Box<dyn std::error::Error>> {
//! let client = async_nats::connect("nats://127.0.0.1").await?;
//! let store = NatsStore::new(async_nats::jetstream::new(client)).replicas(3);
//! let stream = EventStream::builder(store, SessionId::new("demo")?).open().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! For the prefix `oh` and the session `demo` (a dot of a name is written as `~`); `I` is a text
//! that is new each time a session is created, so that whatever is late, of a session that was
//! removed, meets nothing:
//!
//! | Stream | Subject | Message |
//! |---|---|---|
//! | `oh-events-demo-I` | `oh.events.demo.I` | a batch of events, one line of JSON each |
//! | `oh-blobs-demo-I` | `oh.blobs.demo.I.<blob>.<n>` | a piece of a large content; made when the first one is |
//! | `oh-sessions` | `oh.sessions.demo` | the record of the session: its writer and its `I` |
//! | `oh-sessions` | `oh.snapshots.demo.I.<n>` | a part of the last snapshot |
//!
//! Each session has a stream of its own, so that a number in the stream is close to an id, a
//! session that is removed gives back its room at once, and sessions do not wait for each other.
//! A server bears some thousands of streams; one that keeps several replicas of each, fewer.
//!
//! The headers `Oh-First`, `Oh-Count` and `Oh-Epoch` say which events a message holds and who
//! wrote it. A batch that does not fit into one message (`max_payload` of the server) is spread
//! over several, numbered by `Oh-Part`; it counts from its last part on, and parts without a last
//! one are passed over: a batch is in the log as a whole or not at all. An event is found by its id
//! with a few requests, in the mean two, however long the log is.
//!
//! # One writer
//!
//! Every message says where the stream has to end (`Nats-Expected-Last-Sequence`); the server
//! refuses it otherwise. A writer begins with a message without events: from then on, whatever an
//! earlier writer sends is refused, and it gets a `Conflict` with the
//! [`Holder`](crate::Holder) that replaced it. This fence alone keeps the log whole.
//!
//! The lease in the record keeps writers from replacing one another: the writer renews it, and
//! gives it up when the log is closed or dropped. A second one gets a `Conflict` until the lease
//! has run out by the server's clock; no other clock matters.
//!
//! # When an answer is lost
//!
//! Each message has an id of its own (`Nats-Msg-Id`). Without an acknowledgement it is sent again;
//! the server stores one of the copies. When the server does not answer for longer than the
//! store's patience, the append fails with `OutcomeUnknown` and so do all later ones: opening again
//! tells what the log holds.
//!
//! # What an acknowledgement is worth
//!
//! The server has stored the event; with replicas, most of them have. It survives the death of the
//! writer, of its machine, and of the server's process. JetStream writes to its disk in the
//! background (`sync_interval`, two minutes unless it is set; servers from 2.10 on know `always`):
//! a server that loses its power can lose that time, unless other replicas live. Every
//! [`Durability`](crate::Durability) means just this here, as a client cannot ask for more.
//!
//! # Following
//!
//! A reader asks the server to be told of new messages (an ordered consumer, headers only), begun
//! behind the last one it knows of; the client begins it anew after a gap and after a lost
//! connection. Readers on other machines see an event a round trip or two after the server has it.
//!
//! # Limits
//!
//! - Forking copies: [`fork`](crate::EventStore::fork) answers `false`.
//! - A snapshot of a writer that was replaced can follow one of its successor; it is older, and
//!   still one of this log.
//! - Listing sessions reads the names of all of them.
//! - Messages that an operator deletes out of a stream are reported as
//!   [`Damage`](crate::Damage); the rest is read. The ids of those at the end are given anew.
//! - Full streams refuse events with `NoSpace`; nothing is dropped to make room.

mod blobs;
mod failure;
mod follow;
mod log;
mod names;
mod page;
mod pages;
mod piece;
mod place;
mod reader;
mod record;
mod server;
mod snapshot;
mod store;
mod tenure;

#[cfg(test)]
mod tests;

pub use store::{NatsStorage, NatsStore};

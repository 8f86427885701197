//! Where events are kept: one log per session, as encoded lines.
//!
//! A store knows nothing of the meaning of events; [`EventStream`](crate::EventStream) encodes,
//! masks and publishes them.
//!
//! # A store of your own
//!
//! It implements [`EventStore`], [`EventLog`] and [`EventReader`], whose async methods are those of
//! the crate `async-trait`. The methods that have a body here are parts that a store may leave out:
//!
//! | Left out | Then |
//! |---|---|
//! | [`EventStore::fork`] | a fork reads and appends the past |
//! | [`EventStore::remove`] | sessions stay |
//! | [`EventLog::blobs`], [`EventReader::blobs`] | of large output head and tail alone are kept |
//! | [`EventLog::save_snapshot`], [`EventReader::snapshot`] | opening reads the whole log |
//! | [`EventReader::first`] | the log begins with the event 0 |
//! | [`EventReader::wait_past`] | an [`EventViewer`](crate::EventViewer) reads and cannot follow; subscriptions of the [`EventStream`](crate::EventStream) do not need it |
//!
//! The checks of the feature `conformance` show whether it does what the others do.

pub mod blob;

mod damage;
mod dropped;
mod encoded;
mod event_store;
mod holder;
mod line;
mod memory;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "object-store")]
pub mod object;
mod openhands;
mod read_range;
mod report;
mod segment;
mod snapshot;
mod writer;

pub use damage::Damage;
pub use dropped::Dropped;
pub use encoded::Encoded;
pub use event_store::{EventLog, EventReader, EventStore};
pub use holder::Holder;
pub use memory::MemoryStore;
#[cfg(feature = "nats")]
pub use nats::NatsStore;
pub use openhands::OpenHandsStore;
pub use read_range::{Direction, ReadRange};
pub use report::OpenReport;
pub use segment::{Retention, SegmentStore};
pub use snapshot::Snapshot;
pub use writer::{Durability, Writer};

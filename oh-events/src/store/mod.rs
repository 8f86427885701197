//! Where events are kept: one log per session, as encoded lines.
//!
//! A store knows nothing of the meaning of events; [`EventStream`](crate::EventStream) encodes,
//! masks and publishes them.

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

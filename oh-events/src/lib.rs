#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attendance;
mod audit;
mod blocking;
pub mod budget;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod filter;
mod fold;
mod hex;
pub mod replay;
pub mod store;
mod stream;
pub mod stuck;
pub mod timeline;
pub mod trajectory;

pub use attendance::Attendance;
pub use audit::{Audit, AuditBreak, AuditFault, AuditHead, AuditReport};
pub use filter::Filter;
pub use fold::{Approval, Counts, IrregularStep, Recorded, SessionState, Statistics, Usage};
pub use store::blob::{BlobStore, BlobWriter};
pub use store::{
    Damage, Direction, Dropped, Durability, Encoded, EventLog, EventReader, EventStore, Holder,
    MemoryStore, OpenHandsStore, OpenReport, ReadRange, Retention, SegmentStore, Snapshot, Writer,
};
pub use stream::{
    ActionLookup, Answered, Claim, Cursor, Delta, DeltaChannel, DeltaSubscription, EventStream,
    EventStreamBuilder, EventViewer, Events, Feed, ForkBuilder, Lineage, Live, LossySubscription,
    Outcome, OutputMasker, OutputSink, Query, Recovered, Recovery, Resume, RuntimeChange,
    SinkOutput, SinkResult, StateChange, Subscription,
};

//! The event stream: one writer, any number of followers.

#[cfg(test)]
mod answer_tests;
mod answers;
mod append;
mod builder;
mod catch_up;
mod claim;
mod copy;
mod delta;
#[cfg(test)]
mod dropped_tests;
mod event_stream;
mod events;
#[cfg(test)]
mod filter_tests;
mod fork;
#[cfg(test)]
mod fork_tests;
mod hub;
mod lineage;
#[cfg(all(test, loom))]
mod loom_tests;
mod lossy;
#[cfg(test)]
mod lossy_tests;
mod page;
mod pending;
mod query;
mod recovery;
#[cfg(test)]
mod recovery_tests;
mod ring;
mod runtime_status;
mod secrets;
mod sink;
#[cfg(test)]
mod sink_tests;
#[cfg(test)]
mod slow_store_tests;
#[cfg(test)]
mod snapshot_tests;
mod snapshots;
mod state;
mod subscription;
#[cfg(test)]
mod tests;
mod viewer;
mod waiters;

pub use answers::Answered;
pub use builder::EventStreamBuilder;
pub use claim::Claim;
pub use delta::{Delta, DeltaChannel, DeltaSubscription, Live};
pub use event_stream::EventStream;
pub use events::Events;
pub use fork::ForkBuilder;
pub use lineage::Lineage;
pub use lossy::{Feed, LossySubscription, Resume};
pub use query::Query;
pub use recovery::{ActionLookup, Outcome, Recovered, Recovery};
pub use runtime_status::RuntimeChange;
pub use secrets::OutputMasker;
pub use sink::{OutputSink, SinkOutput, SinkResult};
pub use state::StateChange;
pub use subscription::{Cursor, Subscription};
pub use viewer::EventViewer;

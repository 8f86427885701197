//! What the events of a session add up to: a pure fold, and its snapshots.
//!
//! Folding is total: a log that was recorded elsewhere, in whatever order of states, folds like
//! any other, and what cannot be read is passed over and counted.

mod approval;
mod id_set;
mod load;
mod recorded;
mod saved;
mod session_state;
mod statistics;
#[cfg(test)]
mod tests;

pub use approval::Approval;
pub(crate) use load::{Loaded, load};
pub use recorded::{IrregularStep, Recorded};
pub(crate) use saved::snapshot_of;
pub use session_state::SessionState;
pub use statistics::{Counts, Statistics, Usage};

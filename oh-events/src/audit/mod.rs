//! Logs in which every event vouches for all that were before it.

mod chain;
mod head;
mod mode;
mod report;
mod seal;
#[cfg(test)]
mod tests;
mod verify;

pub use head::AuditHead;
pub use mode::Audit;
pub use report::{AuditBreak, AuditFault, AuditReport};

pub(crate) use chain::Chain;
pub(crate) use seal::{KEY, SEAL_BYTES};
pub(crate) use verify::verify;

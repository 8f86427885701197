//! Checks that every store has to pass, as a library.
//!
//! Whoever writes an [`EventStore`](crate::EventStore) runs the same checks as the stores of this
//! project. Each check is passed, failed with a reason, or unsupported: the store itself says, by
//! an `Unsupported` error, `None` or `false`, that it does not have the optional part that the
//! check is about.
//!
//! ```
//! use std::sync::Arc;
//! use async_trait::async_trait;
//! use oh_core::Result;
//! use oh_events::conformance::{self, Options, Storage, StoreHarness};
//! use oh_events::{EventStore, MemoryStore};
//!
//! #[derive(Debug)]
//! struct Memory;
//!
//! #[derive(Debug)]
//! struct OneMemory(MemoryStore);
//!
//! #[async_trait]
//! impl StoreHarness for Memory {
//!     async fn storage(&self) -> Result<Box<dyn Storage>> {
//!         Ok(Box::new(OneMemory(MemoryStore::new())))
//!     }
//! }
//!
//! #[async_trait]
//! impl Storage for OneMemory {
//!     async fn open(&self) -> Result<Arc<dyn EventStore>> {
//!         Ok(Arc::new(self.0.clone()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let report = conformance::run(&Memory, &Options::default()).await;
//! assert!(report.is_green(), "{report}");
//! # }
//! ```
//!
//! Each check works on a storage of its own, so that checks can run side by side. Nothing is
//! measured: a check that hangs is ended by [`Options::guard`] and has failed.

mod check;
mod checks;
mod expect;
mod harness;
mod options;
mod paging;
mod report;
mod sample;
mod suite;
mod trial;

pub use check::{Check, Family};
pub use checks::checks;
pub use harness::{Storage, StoreHarness};
pub use options::Options;
pub use report::{CheckReport, Report, Verdict};
pub use suite::run;

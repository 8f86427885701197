//! Sessions as files of OpenHands: a JSON array of events.
//!
//! An [`Export`] is made by [`EventStream::export`](crate::EventStream::export) or
//! [`EventViewer::export`](crate::EventViewer::export); [`import`] begins a session with what such
//! a file holds, whoever wrote it.
//!
//! ```
//! # use oh_core::action::MessageAction;
//! # use oh_core::{SessionId, Source};
//! # use oh_events::{EventStream, MemoryStore, Query};
//! use oh_events::trajectory::{ExportOptions, ImportOptions, import};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> oh_core::Result<()> {
//! # let store = MemoryStore::new();
//! # let stream = EventStream::builder(store.clone(), SessionId::new("demo")?).open().await?;
//! # stream.append(Source::User, MessageAction::new("hello")).await?;
//! let mut export = stream.export(Query::default(), ExportOptions::default());
//! let mut file = Vec::new();
//! while let Some(piece) = export.next().await {
//!     file.extend_from_slice(&piece?);
//! }
//!
//! let imported = import(store, SessionId::new("copy")?, file, ImportOptions::default()).await?;
//! assert_eq!(imported.events, 1);
//! # Ok(())
//! # }
//! ```

mod browser;
mod elements;
mod export;
mod import;
mod plan;
mod references;
#[cfg(test)]
mod tests;

pub(crate) use elements::{element_error, split};
pub use export::{Export, ExportOptions, Screenshots};
pub use import::{ImportOptions, Imported, import};

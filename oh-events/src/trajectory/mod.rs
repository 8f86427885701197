//! Sessions as files of OpenHands: a JSON array of events.
//!
//! An [`Export`] is made by [`EventStream::export`](crate::EventStream::export) or
//! [`EventViewer::export`](crate::EventViewer::export); [`import`] begins a session with what such
//! a file holds, whoever wrote it.

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

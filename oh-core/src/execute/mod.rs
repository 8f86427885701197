//! From an action to runtime calls, and from their results to an observation.
//!
//! This is the one place that gives actions their meaning: the executor of `oh-runtime` uses it
//! with an event stream around it, [`RuntimeExt::execute`](crate::RuntimeExt::execute) without.

mod command;
mod dispatcher;
mod file;
mod going_on;
mod listing;
mod report;
mod tap;
mod task;

pub use dispatcher::{DispatchOptions, Dispatcher};
pub use tap::{CaptureTap, OutputTap, TapOutput};

#[cfg(test)]
mod tests;

//! The checks, one file for each family.

mod append;
mod blobs;
mod follow;
mod fork;
mod read;
mod registry;
mod remove;
mod sessions;
mod snapshot;
mod stream;
mod writer;

pub use registry::checks;

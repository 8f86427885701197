//! Logs in NATS JetStream.

mod blobs;
mod failure;
mod follow;
mod log;
mod names;
mod pages;
mod piece;
mod place;
mod reader;
mod record;
mod server;
mod snapshot;
mod store;
mod tenure;

pub use store::{NatsStorage, NatsStore};

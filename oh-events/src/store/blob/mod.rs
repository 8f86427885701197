//! Large contents of a session, kept apart from its events and named by them.

mod blob_store;
mod file;
mod memory;
pub(crate) mod references;
mod room;

pub use blob_store::{BlobStore, BlobWriter, MAX_READ_BYTES};
pub use file::FileBlobStore;
pub(crate) use file::{SyncAtFinish, is_name};
pub use memory::MemoryBlobStore;
#[cfg(any(feature = "nats", feature = "object-store"))]
pub(crate) use memory::check_read;
#[cfg(any(feature = "nats", feature = "object-store"))]
pub(crate) use room::Room;

//! How large the files of a session become, and what is kept of them.

use std::time::Duration;

use crate::store::blob::FileBlobStore;

use super::retention::Retention;

/// What a [`SegmentStore`](super::SegmentStore) was told of sizes and ages.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) segment_bytes: u64,
    pub(super) segment_age: Option<Duration>,
    pub(super) blob_bytes: u64,
    pub(super) retention: Retention,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            segment_age: None,
            blob_bytes: FileBlobStore::DEFAULT_BYTES,
            retention: Retention::default(),
        }
    }
}

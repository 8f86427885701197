//! Append-only files: the embedded default.
//!
//! ```text
//! ROOT/<session>/lock                        locked (flock) by the writer
//! ROOT/<session>/holder.json                 who the writer is, and its epoch
//! ROOT/<session>/00000000000000000000.log    a segment, named after its first event
//! ROOT/<session>/00000000000000000000.idx    its checkpoints; can be derived from the segment
//! ROOT/<session>/snapshot                    what the log folds to; can be derived
//! ROOT/<session>/blobs/<id>                  large contents
//! ROOT/.fork.<session>.<n>                   a fork that is not complete yet
//! ROOT/.removed.<session>.<n>                what is being removed
//! ```
//!
//! A line of a segment is `<crc32 8 hex> <length 8 hex> {json}\n`; both numbers are about the
//! JSON alone. Files have mode 0600, directories 0700.

mod aside;
mod checkpoint;
mod contents;
pub(super) mod directory;
mod files;
mod fork;
#[cfg(test)]
mod fork_tests;
pub(super) mod holder_file;
mod limits;
mod log;
mod medium;
mod opened;
mod recover;
mod remove;
#[cfg(test)]
mod remove_tests;
mod retention;
mod scan;
mod segment_file;
pub(super) mod snapshot_file;
mod store;
pub(super) mod sync;
mod sync_due;
mod tail;
#[cfg(test)]
mod tests;
mod upkeep;
#[cfg(test)]
mod upkeep_tests;
mod view;
mod walk;

use super::line;

pub use retention::Retention;
pub use store::SegmentStore;

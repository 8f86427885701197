//! Append-only files: the embedded default.
//!
//! ```text
//! ROOT/<session>/lock                        locked (flock) by the writer
//! ROOT/<session>/holder.json                 who the writer is, and its epoch
//! ROOT/<session>/00000000000000000000.log    a segment, named after its first event
//! ROOT/<session>/00000000000000000000.idx    its checkpoints; can be derived from the segment
//! ROOT/<session>/blobs/<id>                  large contents
//! ```
//!
//! A line of a segment is `<crc32 8 hex> <length 8 hex> {json}\n`; both numbers are about the
//! JSON alone. Files have mode 0600, directories 0700.

mod checkpoint;
mod directory;
mod files;
mod holder_file;
mod log;
mod medium;
mod opened;
mod recover;
mod scan;
mod store;
mod sync;
mod tail;
#[cfg(test)]
mod tests;
mod view;

use super::line;

pub use store::SegmentStore;

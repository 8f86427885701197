//! New files of a log, and their names.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Creates a segment, empty and for its owner only.
pub(super) fn create_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        // What a crash left of a segment that was never written to.
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Makes the name of a new file last. Not every file system can; the file itself is synced anyway.
pub(super) fn sync(directory: &Path) {
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::debug!(%error, "a directory was not synced");
    }
}

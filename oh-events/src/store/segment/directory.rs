//! New files of a log, and their names.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Whether new bytes are written to disk before they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Sync {
    Yes,
    No,
}

/// Creates a directory for its owner only, with what is above it, and makes their names last.
pub(in crate::store) fn create(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let created: Vec<_> = path.ancestors().take_while(missing).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in created.iter().filter_map(|path| path.parent()) {
        let is_here = parent.as_os_str().is_empty();
        sync(if is_here { Path::new(".") } else { parent });
    }
    Ok(())
}

/// Creates a segment, empty and for its owner only.
pub(in crate::store) fn create_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        // What a crash left of a segment that was never written to.
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Replaces a file as a whole, so that a reader never meets half of one.
pub(in crate::store) fn replace_file(
    directory: &Path,
    name: &str,
    parts: &[&[u8]],
    sync_file: Sync,
) -> Result<()> {
    let fresh = directory.join(format!("{name}.new"));
    let written = create_file(&fresh).and_then(|mut file| {
        for part in parts {
            file.write_all(part)?;
        }
        if sync_file == Sync::Yes {
            file.sync_all()?;
        }
        std::fs::rename(&fresh, directory.join(name))
    });
    if let Err(error) = written {
        // On a full disk the half of it must not keep the space.
        let _ = std::fs::remove_file(&fresh);
        return Err(error);
    }
    if sync_file == Sync::Yes {
        sync(directory);
    }
    Ok(())
}

/// Makes the name of a new file last. Not every file system can; the file itself is synced anyway.
pub(in crate::store) fn sync(directory: &Path) {
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::debug!(%error, "a directory was not synced");
    }
}

//! What belongs to a log in its directory, and its removal.

use std::fs::{self, DirEntry};
use std::io::{ErrorKind as Io, Result};
use std::path::Path;

use crate::store::blob;

use super::{files, holder_file, snapshot_file};

pub(super) const BLOBS: &str = "blobs";

/// The first thing in a directory that no log puts there, if there is one.
pub(super) fn foreign(directory: &Path) -> Result<Option<String>> {
    for entry in directory.read_dir()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == BLOBS && entry.file_type()?.is_dir() {
            for blob in entry.path().read_dir()? {
                let blob = blob?;
                if !is_blob(&blob)? {
                    let name = blob.file_name().to_string_lossy().into_owned();
                    return Ok(Some(format!("{BLOBS}/{name}")));
                }
            }
        } else if !is_file_of_log(&entry)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Removes what belongs to a log, and the directory unless something else is in it.
pub(super) fn remove(directory: &Path) -> Result<()> {
    let blobs = directory.join(BLOBS);
    if let Some(entries) = there(blobs.read_dir())? {
        for blob in entries {
            let blob = blob?;
            if is_blob(&blob)? {
                there(fs::remove_file(blob.path()))?;
            }
        }
        there(fs::remove_dir(&blobs))?;
    }
    if let Some(entries) = there(directory.read_dir())? {
        for entry in entries {
            let entry = entry?;
            if is_file_of_log(&entry)? {
                there(fs::remove_file(entry.path()))?;
            }
        }
        there(fs::remove_dir(directory))?;
    }
    Ok(())
}

fn is_blob(entry: &DirEntry) -> Result<bool> {
    let is_name = entry.file_name().to_str().is_some_and(blob::is_name);
    Ok(is_name && entry.file_type()?.is_file())
}

fn is_file_of_log(entry: &DirEntry) -> Result<bool> {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let name = name.strip_suffix(".new").unwrap_or(&name);
    let is_name = [holder_file::LOCK, holder_file::NOTE, snapshot_file::NAME].contains(&name)
        || [".log", ".idx"]
            .iter()
            .any(|end| files::first_of(name, end).is_some());
    Ok(is_name && entry.file_type()?.is_file())
}

/// Something that another call removed meanwhile is no failure.
fn there<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == Io::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

//! Files and trees between the host and any runtime.
//!
//! A path of the host and a [`SandboxPath`] are two things, also where the local runtime makes them
//! look alike. What comes from a sandbox is hostile until it is known to be harmless: a download
//! writes nothing outside of its directory, but it may hold scripts and links that lead anywhere.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::Path;

use oh_core::{CopyOptions, CopySummary, Error, ErrorKind, Result, Runtime, SandboxPath};

use crate::local::file::{pack_host, unpack_host};

/// Copies a file or a directory of the host into a runtime.
///
/// The entries of a directory go into the directory `target`, a file goes to `target` itself. Modes,
/// times, links and empty directories come along.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) for the path of the host; else as
/// [`Runtime::copy_to`].
///
/// # Cancel safety
/// As [`Runtime::copy_to`].
pub async fn upload(
    runtime: &dyn Runtime,
    host_path: impl AsRef<Path>,
    target: &SandboxPath,
) -> Result<CopySummary> {
    let host_path = host_path.as_ref();
    let options = CopyOptions::default();
    let metadata = tokio::fs::metadata(host_path).await;
    let metadata = metadata
        .map_err(|error| Error::io("upload", error).with_object(host_path.display().to_string()))?;
    if metadata.is_dir() {
        let stream = pack_host(host_path, OsStr::new(""), options).await?;
        return runtime.copy_to(stream, target, options).await;
    }
    let (Some(name), Some(parent)) = (target.file_name(), target.parent()) else {
        return Err(Error::new(ErrorKind::IsADirectory, "upload")
            .with_object(target.as_str())
            .with_detail("a file needs a name in the sandbox; add it to the target"));
    };
    let stream = pack_host(host_path, OsStr::new(name), options).await?;
    runtime.copy_to(stream, &parent, options).await
}

/// Copies a file or a directory of a runtime into a directory of the host, which is made if it is
/// missing.
///
/// The entries of a directory go into `host_dir`, a file goes there under its name. Nothing is
/// written outside of it, whatever the runtime sends.
///
/// # Errors
/// As [`Runtime::copy_from`]; [`InvalidInput`](ErrorKind::InvalidInput) for an archive that is
/// damaged or leads out of the directory.
///
/// # Cancel safety
/// The tree may be there in part when the future is dropped or fails, each of its files whole.
pub async fn download(
    runtime: &dyn Runtime,
    source: &SandboxPath,
    host_dir: impl AsRef<Path>,
) -> Result<CopySummary> {
    let options = CopyOptions::default();
    let stream = runtime.copy_from(source, options).await?;
    unpack_host(stream, host_dir.as_ref(), options).await
}

//! Copying trees and files in and out.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

use oh_core::{
    ByteStream, CopyFormat, CopyOptions, CopySummary, Error, ErrorKind, ReadOptions, Result,
    SandboxPath, WriteOptions,
};
use rustix::fs::{CWD, Mode, OFlags};

use super::call::Call;
use super::files::LocalFiles;
use super::job::blocking;
use super::pack::{Source, pack};
use super::pipe::{PipeReader, feed};
use super::read::too_large;
use super::tree::{Made, Place};
use super::unpack::unpack;
use super::volume::Volume;
use super::write::Content;

const IN: &str = "copy to";
const OUT: &str = "copy from";

impl LocalFiles {
    /// Copies a stream in: a tree into the directory `target`, which is made if it is missing, or
    /// one file to it.
    ///
    /// Files replace files and links; a directory is neither replaced nor a replacement. Modes
    /// lose their set-user-id, set-group-id and sticky bits; owners are those of this process.
    /// Links are made as they are, also if they lead out of the target, but an entry that would be
    /// written through such a link is refused. Runs of zeros become holes.
    ///
    /// # Errors
    /// As [`Runtime::copy_to`](oh_core::Runtime::copy_to);
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) also for an archive that is damaged or
    /// was cut off.
    ///
    /// # Cancel safety
    /// A tree may be there in part when the future is dropped or fails, each of its files whole; a
    /// single file is written whole or not at all.
    pub async fn copy_to(
        &self,
        source: ByteStream,
        target: &SandboxPath,
        options: CopyOptions,
    ) -> Result<CopySummary> {
        let (volume, target) = (Arc::clone(&self.volume), target.clone());
        let call = Call::new(IN, &target);
        match options.format {
            CopyFormat::Tar => {
                feed(source, IN, move |pipe| {
                    volume.unpack(pipe, &target, options, &call)
                })
                .await
            }
            CopyFormat::File => {
                feed(source, IN, move |pipe| {
                    volume.copy_file(pipe, &target, options, &call)
                })
                .await
            }
            other => Err(unknown(other, &call)),
        }
    }

    /// Copies a tree or a file out as a stream. Dropping the stream ends the work.
    ///
    /// An archive has modes, owners by number, times in whole seconds, links, hard links within
    /// the tree, and the holes of sparse files. Pipes, sockets and devices are left out, as is
    /// what is removed meanwhile. A file that changes meanwhile is cut or filled with zeros to the
    /// size that it had. A single file is an archive with one entry of its name.
    ///
    /// # Errors
    /// As [`Runtime::copy_from`](oh_core::Runtime::copy_from);
    /// [`TooLarge`](oh_core::ErrorKind::TooLarge) beyond a limit or 256 levels of directories, which for a tree comes as an item
    /// of the stream.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn copy_from(
        &self,
        source: &SandboxPath,
        options: CopyOptions,
    ) -> Result<ByteStream> {
        let (volume, source) = (Arc::clone(&self.volume), source.clone());
        let call = Call::new(OUT, &source);
        match options.format {
            CopyFormat::Tar => {
                let opening = call.clone();
                let opened = blocking(OUT, move |_| volume.pack_source(&source, &opening)).await?;
                Ok(pack(opened, options, call))
            }
            CopyFormat::File => {
                let read = ReadOptions::default();
                let opened = blocking(OUT, move |_| volume.open_stream(&source, &read)).await;
                let (meta, stream) = opened?;
                if meta.size_bytes > options.max_bytes {
                    let size = meta.size_bytes;
                    return Err(too_large(&call, "the file has", size, options.max_bytes));
                }
                Ok(Box::pin(stream))
            }
            other => Err(unknown(other, &call)),
        }
    }
}

/// Packs a directory or a file of the host; a file gets this name.
pub(crate) async fn pack_host(
    path: &Path,
    name: &OsStr,
    options: CopyOptions,
) -> Result<ByteStream> {
    let call = Call::about("upload", path.to_string_lossy());
    let (path, name, opening) = (path.to_owned(), name.to_owned(), call.clone());
    let source = blocking("upload", move |_| {
        let path = path.canonicalize().map_err(|error| opening.io(error))?;
        let place = host_place(&path, &opening)?;
        Source::at(&place, &name, &opening)
    })
    .await?;
    Ok(pack(source, options, call))
}

/// Unpacks into a directory of the host, which is made if it is missing.
pub(crate) async fn unpack_host(
    source: ByteStream,
    dir: &Path,
    options: CopyOptions,
) -> Result<CopySummary> {
    let call = Call::about("download", dir.to_string_lossy());
    let dir = dir.to_owned();
    feed(source, "download", move |pipe| {
        match std::fs::create_dir_all(&dir) {
            // Something else of that name shows when it is opened.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(call.io(error));
            }
            _ => {}
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, &dir, flags, Mode::empty());
        unpack(
            opened.map_err(|errno| call.errno(errno))?,
            pipe,
            options,
            &call,
        )
    })
    .await
}

fn host_place(path: &Path, call: &Call) -> Result<Place> {
    let (parent, name) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => (parent, Some(name.to_owned())),
        _ => (path, None),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(CWD, parent, flags, Mode::empty());
    let dir = dir.map_err(|errno| call.errno(errno))?;
    Ok(Place { dir, name })
}

impl Volume {
    fn unpack(
        &self,
        pipe: PipeReader,
        target: &SandboxPath,
        options: CopyOptions,
        call: &Call,
    ) -> Result<CopySummary> {
        let mut made = Made::default();
        let unpacked = self
            .tree
            .make_dirs(Path::new(target.as_str()), &mut made)
            .map_err(|miss| call.miss(miss))
            .and_then(|dir| unpack(dir, pipe, options, call));
        if unpacked.is_err() {
            // Goes only as far as nothing was unpacked.
            made.undo();
        }
        unpacked
    }

    fn copy_file(
        &self,
        pipe: PipeReader,
        target: &SandboxPath,
        options: CopyOptions,
        call: &Call,
    ) -> Result<CopySummary> {
        let content = Content::Piped {
            pipe,
            max_bytes: options.max_bytes,
        };
        let (_, size) = self.write(target, content, &WriteOptions::default(), call)?;
        let mut summary = CopySummary::default();
        summary.files = 1;
        summary.bytes = size;
        Ok(summary)
    }
}

fn unknown(format: CopyFormat, call: &Call) -> Error {
    call.error(
        ErrorKind::Unsupported,
        format!("the format {format:?} is not known here"),
    )
}

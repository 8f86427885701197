//! The file methods of a local runtime.

use std::path::Path;
use std::sync::Arc;

use oh_core::edit::{Edit, EditOutput};
use oh_core::{
    Body, ByteStream, FileContent, FileMeta, GlobOutput, GlobQuery, GrepOutput, GrepQuery,
    LinkMode, ListOptions, Listing, ReadAs, ReadOptions, ReadOutput, RemoveMode, RenameMode,
    Result, SandboxPath, WriteOptions,
};

use super::call::Call;
use super::job::blocking;
use super::pipe::feed;
use super::scope::FileScope;
use super::volume::Volume;
use super::write::Content;

/// Files of this machine, as the file methods of [`Runtime`](oh_core::Runtime) see them. A clone
/// is cheap and shares locks and undo history.
///
/// Each path is resolved against directories that are held open, so that a link or a swapped
/// directory cannot lead a call out of its [`FileScope`]. All work is done on the blocking pool.
#[derive(Clone, Debug)]
pub struct LocalFiles {
    pub(super) volume: Arc<Volume>,
}

impl LocalFiles {
    /// Opens the files of a workspace, a directory that exists.
    ///
    /// # Errors
    /// [`NotFound`](oh_core::ErrorKind::NotFound) and
    /// [`NotADirectory`](oh_core::ErrorKind::NotADirectory) for the workspace,
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) if its path is no UTF-8.
    pub fn open(workspace: impl AsRef<Path>, scope: FileScope) -> Result<Self> {
        Volume::open(workspace.as_ref(), scope).map(Self::of)
    }

    pub(super) fn of(volume: Volume) -> Self {
        Self {
            volume: Arc::new(volume),
        }
    }

    /// The workspace: absolute, without links.
    pub fn workspace(&self) -> &SandboxPath {
        &self.volume.workspace
    }

    /// How far paths may reach.
    pub fn scope(&self) -> FileScope {
        self.volume.scope()
    }

    /// Reads a file.
    ///
    /// Pipes, sockets and devices are refused at once. A text whose lines are asked for may have
    /// up to 64 MiB, whatever part of it is taken.
    ///
    /// # Errors
    /// As [`Runtime::read`](oh_core::Runtime::read).
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<ReadOutput> {
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        blocking("read", move |_| volume.read(&path, &options)).await
    }

    /// Reads a file as a stream of bytes, without a limit of size. Text is read in one piece.
    ///
    /// # Errors
    /// As [`Runtime::read`](oh_core::Runtime::read).
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn read_stream(
        &self,
        path: &SandboxPath,
        options: ReadOptions,
    ) -> Result<(FileMeta, ByteStream)> {
        if !matches!(options.form, ReadAs::Bytes) {
            let output = self.read(path, options).await?;
            let text = match output.content {
                FileContent::Text(content) => content.text,
                _ => String::new(),
            };
            let stream: ByteStream = Box::pin(super::stream::OnePiece(Some(text.into())));
            return Ok((output.meta, stream));
        }
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        let (meta, stream) = blocking("read", move |_| volume.open_stream(&path, &options)).await?;
        Ok((meta, Box::pin(stream)))
    }

    /// Writes a file: a new one beside it, which then takes its name.
    ///
    /// An existing file keeps its mode (but for set-user-id, set-group-id and sticky bits), owner,
    /// access control list and attributes of users. If the owner cannot be kept, the write is
    /// refused; a group that cannot be kept is given up. A link is followed and stays; other hard
    /// links to the file keep the old content. A file that its mode protects against writing is
    /// not replaced. Nothing is synced to the disk: after a loss of power, the old or the new
    /// content is there as the file system decides.
    ///
    /// # Errors
    /// As [`Runtime::write`](oh_core::Runtime::write).
    ///
    /// # Cancel safety
    /// The target has its old content or the whole new one. Directories and hidden files
    /// (`.oh-…`) that were made on the way are removed, unless the process itself ends meanwhile.
    pub async fn write(
        &self,
        path: &SandboxPath,
        body: Body,
        options: WriteOptions,
    ) -> Result<FileMeta> {
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        let call = Call::new("write", &path);
        match body {
            Body::Bytes(bytes) => {
                blocking("write", move |_| {
                    let written = volume.write(&path, Content::Whole(bytes), &options, &call);
                    written.map(|(meta, _)| meta)
                })
                .await
            }
            Body::Stream(source) => {
                feed(source, "write", move |pipe| {
                    let content = Content::Piped {
                        pipe,
                        max_bytes: u64::MAX,
                    };
                    let written = volume.write(&path, content, &options, &call);
                    written.map(|(meta, _)| meta)
                })
                .await
            }
            other => Err(call.invalid(format!("the body {other:?} is not known here"))),
        }
    }

    /// Edits a text file of up to 16 MiB; see [`Edit`].
    ///
    /// Encoding, byte-order mark and line ends stay. No other write, edit, rename or removal of
    /// this file by this runtime comes between reading and writing; a change by another program is noticed as far as times and size show
    /// it. The last ten contents of each file are kept for [`Edit::Undo`], 64 MiB in all; a file
    /// that is not as its latest edit left it is not taken back.
    ///
    /// # Errors
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) with words for a model if the edit does
    /// not fit or its text cannot be written in the encoding of the file,
    /// [`Conflict`](oh_core::ErrorKind::Conflict) if the file changed meanwhile or, for an undo,
    /// since the edit; else as
    /// [`read`](Self::read) and [`write`](Self::write).
    ///
    /// # Cancel safety
    /// The file has its old content or the whole new one.
    pub async fn edit(&self, path: &SandboxPath, edit: Edit) -> Result<EditOutput> {
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        blocking("edit", move |_| volume.edit(&path, &edit)).await
    }

    /// Describes a file. A regular file that can be read has a version.
    ///
    /// # Errors
    /// As [`Runtime::stat`](oh_core::Runtime::stat).
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn stat(&self, path: &SandboxPath, links: LinkMode) -> Result<FileMeta> {
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        blocking("stat", move |_| volume.stat(&path, links)).await
    }

    /// Lists a directory, sorted by the bytes of the paths. The entries have no version.
    ///
    /// A directory below that may not be read is listed without its entries, and the listing
    /// counts as truncated, as it does beyond 256 levels of directories.
    ///
    /// # Errors
    /// As [`Runtime::list`](oh_core::Runtime::list).
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Listing> {
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        blocking("list", move |stop| volume.list(&path, &options, stop)).await
    }

    /// Finds files and links by name, newest first.
    ///
    /// Ignore files count from the workspace down, in a git repository or not. Ignore files of
    /// more than 1 MiB, and those of the user outside of the workspace, do not count. If a
    /// directory may not be read or is more than 256 levels down, the output counts as truncated.
    ///
    /// # Errors
    /// As [`Runtime::glob`](oh_core::Runtime::glob).
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn glob(&self, query: GlobQuery) -> Result<GlobOutput> {
        let volume = Arc::clone(&self.volume);
        blocking("glob", move |stop| volume.glob(&query, stop)).await
    }

    /// Finds lines in files. Links are not followed, but for the root itself; ignore files count
    /// as in [`glob`](Self::glob), but not for a root that is a file.
    ///
    /// Files that may not be read or hold a line of more than 64 MiB are left out, and the output
    /// counts as truncated, as it does beyond 64 MiB of lines. Files with a UTF-16 byte-order mark are searched as text.
    ///
    /// # Errors
    /// As [`Runtime::grep`](oh_core::Runtime::grep).
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn grep(&self, query: GrepQuery) -> Result<GrepOutput> {
        let volume = Arc::clone(&self.volume);
        blocking("grep", move |stop| volume.grep(&query, stop)).await
    }

    /// Removes a file, a link, a directory or a tree. The workspace and its parents are refused.
    ///
    /// # Errors
    /// As [`Runtime::remove`](oh_core::Runtime::remove).
    ///
    /// # Cancel safety
    /// A tree may be removed in part when the future is dropped.
    pub async fn remove(&self, path: &SandboxPath, mode: RemoveMode) -> Result<()> {
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        blocking("remove", move |stop| volume.remove(&path, mode, stop)).await
    }

    /// Makes a directory with its missing parents; one that is there already is fine.
    ///
    /// # Errors
    /// As [`Runtime::make_dir`](oh_core::Runtime::make_dir).
    ///
    /// # Cancel safety
    /// Done or not done.
    pub async fn make_dir(&self, path: &SandboxPath) -> Result<FileMeta> {
        let (volume, path) = (Arc::clone(&self.volume), path.clone());
        blocking("make directory", move |_| volume.make_dir(&path)).await
    }

    /// Renames within one file system. Links are renamed, not followed.
    ///
    /// # Errors
    /// As [`Runtime::rename`](oh_core::Runtime::rename), and
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) across file systems.
    ///
    /// # Cancel safety
    /// Done or not done.
    pub async fn rename(
        &self,
        from: &SandboxPath,
        to: &SandboxPath,
        mode: RenameMode,
    ) -> Result<FileMeta> {
        let volume = Arc::clone(&self.volume);
        let (from, to) = (from.clone(), to.clone());
        blocking("rename", move |_| volume.rename(&from, &to, mode)).await
    }
}

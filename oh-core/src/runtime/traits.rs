//! The trait that every place of execution implements.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use super::command::{Command, Follow};
use super::descriptor::Descriptor;
use super::file::{
    Body, ByteStream, CopyOptions, CopySummary, FileContent, FileMeta, GlobOutput, GlobQuery,
    GrepOutput, GrepQuery, LinkMode, ListOptions, Listing, ReadOptions, ReadOutput, RemoveMode,
    RenameMode, WriteMode, WriteOptions,
};
use super::output::{ByteRange, CommandOutput, OutputStream};
use super::path::SandboxPath;
use super::process::Process;
use super::sandbox::{
    Browse, BrowseOutput, CellOutput, Port, ProcessInfo, PythonCell, SnapshotId, Stats,
};
use crate::edit::{Edit, EditOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProcessId, SessionName};
use crate::status::RuntimeStatus;

/// Changes of a runtime's status, the present one first.
pub type StatusStream = Pin<Box<dyn Stream<Item = RuntimeStatus> + Send>>;

/// A place where actions run: this machine, a container, a machine far away.
///
/// The required methods are the least that makes a useful runtime; all others answer
/// [`Unsupported`](crate::ErrorKind::Unsupported) until they are written, and
/// [`Descriptor::capabilities`] says beforehand which of them work. A runtime that wraps another
/// forwards every method: deny `clippy::missing_trait_methods` there.
///
/// A command that fails is data: it comes back as an [`Exit`](crate::Exit). An `Err` says that
/// the operation itself did not happen, or that its outcome is unknown.
///
/// # Cancel safety
/// Dropping the future of [`run`](Self::run) ends the process. Dropping the future of another
/// method leaves it done or not done, never half done, unless its own documentation says more.
#[async_trait]
pub trait Runtime: fmt::Debug + Send + Sync {
    /// What this runtime is and can do.
    fn descriptor(&self) -> &Descriptor;

    /// Starts a command and follows it. The command runs whether or not anyone reads the events.
    ///
    /// A program that cannot be started is reported as
    /// [`Exit::SpawnFailed`](crate::Exit::SpawnFailed).
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a command that makes no sense (NUL bytes, a
    /// `cwd` in a session), [`NotFound`](crate::ErrorKind::NotFound) for a working directory that is not
    /// there, [`Conflict`](crate::ErrorKind::Conflict) with the running process for a busy session or a
    /// reused key, [`Gone`](crate::ErrorKind::Gone) after [`close`](Self::close),
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for what the descriptor does not name (keys,
    /// sessions, piped input, terminals, limits).
    async fn spawn(&self, command: Command, follow: Follow) -> Result<Process>;

    /// Follows a process that runs or has ended, from any position.
    ///
    /// Output that is no longer kept is reported as a
    /// [`ProcessEvent::Gap`](super::ProcessEvent::Gap).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) for an id that is unknown or forgotten,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a position beyond the output so far.
    async fn attach(&self, process: &ProcessId, follow: Follow) -> Result<Process> {
        let _ = follow;
        Err(Error::unsupported("attach").with_object(process.as_str()))
    }

    /// Runs a command until it ends or a timer of `follow` runs out, and gathers its output.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// Dropping the future ends the process and its whole tree, unless the command has a key.
    async fn run(&self, command: Command, follow: Follow) -> Result<CommandOutput> {
        let capture = command.capture;
        let outlives_caller = command.key.is_some();
        let mut process = self.spawn(command, follow).await?;
        if outlives_caller {
            process.output(capture).await
        } else {
            process.output_or_abandon(capture).await
        }
    }

    /// Reads kept output by range; a range past the end gives what there is.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) for an id that is unknown or forgotten,
    /// [`Gone`](crate::ErrorKind::Gone) for bytes that are no longer kept,
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for more than 16 MiB at once.
    async fn read_output(
        &self,
        process: &ProcessId,
        stream: OutputStream,
        range: ByteRange,
    ) -> Result<Bytes> {
        let _ = (stream, range);
        Err(Error::unsupported("read_output").with_object(process.as_str()))
    }

    /// Lists processes that run or whose output is kept, oldest first.
    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        Err(Error::unsupported("processes"))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`IsADirectory`](crate::ErrorKind::IsADirectory),
    /// [`TooLarge`](crate::ErrorKind::TooLarge) beyond [`ReadOptions::max_bytes`],
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for text that is binary or does not decode, and
    /// for a path outside of the scope.
    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<ReadOutput>;

    /// Reads a file as a stream of bytes, without a limit of size.
    ///
    /// The default reads the file in one piece.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    async fn read_stream(
        &self,
        path: &SandboxPath,
        options: ReadOptions,
    ) -> Result<(FileMeta, ByteStream)> {
        let output = self.read(path, options).await?;
        let bytes = match output.content {
            FileContent::Bytes(bytes) => bytes,
            FileContent::Text(content) => content.text.into(),
        };
        Ok((output.meta, Box::pin(Once(Some(bytes)))))
    }

    /// Writes a file atomically: others see the old content or the new.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) and [`Conflict`](crate::ErrorKind::Conflict) as
    /// [`WriteMode`](super::WriteMode) asks, [`IsADirectory`](crate::ErrorKind::IsADirectory),
    /// [`NoSpace`](crate::ErrorKind::NoSpace); an error of the body stream is passed on. In each case the
    /// target is as it was.
    async fn write(
        &self,
        path: &SandboxPath,
        body: Body,
        options: WriteOptions,
    ) -> Result<FileMeta>;

    /// Edits a text file; see [`Edit`].
    ///
    /// The default reads the file as UTF-8, applies the edit and writes it back if it has not
    /// changed meanwhile; it has no undo.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) with words for a model if the edit does not fit,
    /// [`Conflict`](crate::ErrorKind::Conflict) if the file changed meanwhile; else as
    /// [`read`](Self::read) and [`write`](Self::write).
    async fn edit(&self, path: &SandboxPath, edit: Edit) -> Result<EditOutput> {
        let current = match self.read(path, ReadOptions::text()).await {
            Ok(output) => Some(output),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if matches!(edit, Edit::Undo) {
            return Err(Error::unsupported("undo edit").with_object(path.as_str()));
        }
        let before = current.as_ref().and_then(ReadOutput::text);
        let edited = edit
            .apply(before)
            .map_err(|error| Error::from(error).with_object(path.as_str()))?;
        let mode = match current
            .as_ref()
            .and_then(|output| output.meta.version.clone())
        {
            Some(version) => WriteMode::IfVersion(version),
            None if current.is_none() => WriteMode::CreateNew,
            None => WriteMode::CreateOrReplace,
        };
        let options = WriteOptions::default().mode(mode);
        let meta = self
            .write(path, Body::from(edited.text.clone()), options)
            .await?;
        Ok(EditOutput::new(
            meta.path,
            before.map(str::to_owned),
            edited,
        ))
    }

    /// Describes a file.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    async fn stat(&self, path: &SandboxPath, links: LinkMode) -> Result<FileMeta> {
        let _ = links;
        Err(Error::unsupported("stat").with_object(path.as_str()))
    }

    /// Lists a directory.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`NotADirectory`](crate::ErrorKind::NotADirectory).
    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Listing> {
        let _ = options;
        Err(Error::unsupported("list").with_object(path.as_str()))
    }

    /// Finds files by name.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed pattern,
    /// [`NotFound`](crate::ErrorKind::NotFound) for a root that is not there.
    async fn glob(&self, query: GlobQuery) -> Result<GlobOutput> {
        let _ = query;
        Err(Error::unsupported("glob"))
    }

    /// Finds lines in files.
    ///
    /// # Errors
    /// As [`glob`](Self::glob).
    async fn grep(&self, query: GrepQuery) -> Result<GrepOutput> {
        let _ = query;
        Err(Error::unsupported("grep"))
    }

    /// Removes a file, a link, a directory or a tree. The workspace itself is refused.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`AlreadyExists`](crate::ErrorKind::AlreadyExists) for a
    /// directory that is not empty.
    ///
    /// # Cancel safety
    /// A tree may be removed in part when the future is dropped.
    async fn remove(&self, path: &SandboxPath, mode: RemoveMode) -> Result<()> {
        let _ = mode;
        Err(Error::unsupported("remove").with_object(path.as_str()))
    }

    /// Makes a directory with its missing parents; one that is there already is fine.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if something else stands there.
    async fn make_dir(&self, path: &SandboxPath) -> Result<FileMeta> {
        Err(Error::unsupported("make_dir").with_object(path.as_str()))
    }

    /// Renames within one file system.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`AlreadyExists`](crate::ErrorKind::AlreadyExists) as
    /// [`RenameMode`] asks.
    async fn rename(
        &self,
        from: &SandboxPath,
        to: &SandboxPath,
        mode: RenameMode,
    ) -> Result<FileMeta> {
        let _ = (to, mode);
        Err(Error::unsupported("rename").with_object(from.as_str()))
    }

    /// Copies a stream into the sandbox: a tree into the directory `target`, or one file to it.
    ///
    /// Nothing is written outside of `target`, whatever the entries of an archive say.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an entry that leaves the target or is of a
    /// kind that is not copied, [`TooLarge`](crate::ErrorKind::TooLarge) beyond a limit.
    ///
    /// # Cancel safety
    /// A tree may be there in part when the future is dropped or fails; a single file is written
    /// whole or not at all.
    async fn copy_to(
        &self,
        source: ByteStream,
        target: &SandboxPath,
        options: CopyOptions,
    ) -> Result<CopySummary> {
        let _ = (source, options);
        Err(Error::unsupported("copy_to").with_object(target.as_str()))
    }

    /// Copies a tree or a file out of the sandbox as a stream.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); what goes wrong later comes as an item of the stream.
    async fn copy_from(&self, source: &SandboxPath, options: CopyOptions) -> Result<ByteStream> {
        let _ = options;
        Err(Error::unsupported("copy_from").with_object(source.as_str()))
    }

    /// Sets (or, with `None`, unsets) variables for all later commands and running shells.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a name that is not `[A-Za-z_][A-Za-z0-9_]*`
    /// or a value with a NUL byte; then nothing is set.
    async fn set_env(&self, variables: BTreeMap<String, Option<String>>) -> Result<()> {
        let _ = variables;
        Err(Error::unsupported("set_env"))
    }

    /// Ends a persistent shell with all that runs in it. One that is not there is fine.
    async fn close_session(&self, name: &SessionName) -> Result<()> {
        Err(Error::unsupported("close_session").with_object(name.as_str()))
    }

    /// Lets the browser of the sandbox do something.
    async fn browse(&self, request: Browse) -> Result<BrowseOutput> {
        let _ = request;
        Err(Error::unsupported("browse"))
    }

    /// Runs a cell in the Python interpreter of the sandbox.
    async fn run_python(&self, cell: PythonCell) -> Result<CellOutput> {
        let _ = cell;
        Err(Error::unsupported("run_python"))
    }

    /// Figures of the whole runtime.
    async fn stats(&self) -> Result<Stats> {
        Err(Error::unsupported("stats"))
    }

    /// Ports of the sandbox that can be reached.
    async fn ports(&self) -> Result<Vec<Port>> {
        Err(Error::unsupported("ports"))
    }

    /// Stops all processes where they are.
    async fn pause(&self) -> Result<()> {
        Err(Error::unsupported("pause"))
    }

    /// Lets paused processes go on.
    async fn resume(&self) -> Result<()> {
        Err(Error::unsupported("resume"))
    }

    /// Keeps the state of the file system under a name.
    async fn snapshot(&self) -> Result<SnapshotId> {
        Err(Error::unsupported("snapshot"))
    }

    /// The present status.
    fn status(&self) -> RuntimeStatus;

    /// The present status and every later one, until the runtime is closed.
    ///
    /// The default gives the present one and ends.
    fn status_changes(&self) -> StatusStream {
        Box::pin(OnceStatus(Some(self.status())))
    }

    /// Ends everything: processes, shells, kept output. Twice is fine.
    ///
    /// # Errors
    /// What could not be ended.
    ///
    /// # Cancel safety
    /// Call it again when the future was dropped.
    async fn close(&self) -> Result<()>;
}

struct Once(Option<Bytes>);

impl Stream for Once {
    type Item = Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Ok))
    }
}

struct OnceStatus(Option<RuntimeStatus>);

impl Stream for OnceStatus {
    type Item = RuntimeStatus;

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take())
    }
}

//! The runtime itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use oh_core::{
    Body, ByteRange, ByteStream, Command, CopyOptions, CopySummary, Descriptor, Edit, EditOutput,
    FileMeta, Follow, GlobOutput, GlobQuery, GrepOutput, GrepQuery, LinkMode, ListOptions, Listing,
    OutputStream, Process, ProcessId, ProcessInfo, ReadOptions, ReadOutput, RemoveMode, RenameMode,
    Result, Runtime, RuntimeStatus, SandboxPath, SessionName, Stats, StatusStream, WriteOptions,
};
use tokio::sync::watch;

use super::builder::LocalRuntimeBuilder;
use super::file::LocalFiles;
use super::process::{Engine, Tracked};
use super::shell::{ShellSettings, Shells};

/// Runs commands and works on files of this machine, with the rights of this program.
///
/// There is no isolation: a command can do what the host program can. What is kept apart is the
/// environment, which is empty but for an allow-list, and descriptors, of which a command gets
/// three.
///
/// A deadline ends a command with everything that it started, as long as it runs itself. What it
/// leaves in the background goes on after its exit, until
/// [`cancel`](oh_core::ProcessControl::cancel) or [`close`](Runtime::close) ends it.
///
/// A host that ignores `SIGCHLD`, or waits for children that it did not start, takes the exit status
/// of commands away: they are then reported as [`Lost`](oh_core::Exit::Lost).
///
/// Needs a tokio runtime with its I/O and time drivers. Processes belong to the one that the
/// builder started on, whichever later calls are made from. Dropping it kills what runs without
/// waiting; [`close`](Runtime::close) waits until all is gone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use oh_runtime::{LocalRuntime, RuntimeExt};
/// let runtime = LocalRuntime::builder(".").start().await?;
/// let output = runtime.shell("echo hello").await?;
/// assert_eq!(output.stdout_text(), "hello\n");
/// # Ok::<(), oh_runtime::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct LocalRuntime {
    descriptor: Descriptor,
    // Before the engine: its sessions close while the tasks of the engine still run.
    shells: Shells,
    engine: Engine,
    files: LocalFiles,
    status: watch::Sender<RuntimeStatus>,
}

impl LocalRuntime {
    /// Sets up a runtime for the directory that commands run in and relative paths start from.
    pub fn builder(workspace: impl Into<PathBuf>) -> LocalRuntimeBuilder {
        LocalRuntimeBuilder::new(workspace.into())
    }

    pub(super) fn new(descriptor: Descriptor, engine: Engine, files: LocalFiles) -> Self {
        Self {
            descriptor,
            shells: Shells::new(
                ShellSettings {
                    workspace: engine.workspace().to_owned(),
                    shell: engine.shell().to_owned(),
                    directory: engine.spool().directory.clone(),
                    spool: engine.spool().clone(),
                    owner: engine.owner().clone(),
                    tasks: engine.tasks().clone(),
                    cgroups: engine.cgroups().cloned(),
                },
                engine.variables(),
            ),
            engine,
            files,
            status: watch::Sender::new(RuntimeStatus::Ready),
        }
    }
}

#[async_trait]
impl Runtime for LocalRuntime {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn spawn(&self, command: Command, follow: Follow) -> Result<Process> {
        match &command.session {
            None => self.engine.spawn(&command, follow),
            Some(session) => {
                self.shells.settle(session).await;
                self.engine.track(&command, follow, |id| {
                    let process: Arc<dyn Tracked> = self.shells.spawn(session, &id, &command)?;
                    Ok(process)
                })
            }
        }
    }

    async fn attach(&self, process: &ProcessId, follow: Follow) -> Result<Process> {
        self.engine.check_open("attach")?;
        self.engine.attach(process, follow)
    }

    async fn read_output(
        &self,
        process: &ProcessId,
        stream: OutputStream,
        range: ByteRange,
    ) -> Result<Bytes> {
        self.engine.check_open("read_output")?;
        self.engine.read_output(process, stream, range)
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        Ok(self.engine.processes())
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<ReadOutput> {
        self.engine.check_open("read")?;
        self.files.read(path, options).await
    }

    async fn read_stream(
        &self,
        path: &SandboxPath,
        options: ReadOptions,
    ) -> Result<(FileMeta, ByteStream)> {
        self.engine.check_open("read_stream")?;
        self.files.read_stream(path, options).await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: Body,
        options: WriteOptions,
    ) -> Result<FileMeta> {
        self.engine.check_open("write")?;
        self.files.write(path, body, options).await
    }

    async fn edit(&self, path: &SandboxPath, edit: Edit) -> Result<EditOutput> {
        self.engine.check_open("edit")?;
        self.files.edit(path, edit).await
    }

    async fn stat(&self, path: &SandboxPath, links: LinkMode) -> Result<FileMeta> {
        self.engine.check_open("stat")?;
        self.files.stat(path, links).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Listing> {
        self.engine.check_open("list")?;
        self.files.list(path, options).await
    }

    async fn glob(&self, query: GlobQuery) -> Result<GlobOutput> {
        self.engine.check_open("glob")?;
        self.files.glob(query).await
    }

    async fn grep(&self, query: GrepQuery) -> Result<GrepOutput> {
        self.engine.check_open("grep")?;
        self.files.grep(query).await
    }

    async fn remove(&self, path: &SandboxPath, mode: RemoveMode) -> Result<()> {
        self.engine.check_open("remove")?;
        self.files.remove(path, mode).await
    }

    async fn make_dir(&self, path: &SandboxPath) -> Result<FileMeta> {
        self.engine.check_open("make_dir")?;
        self.files.make_dir(path).await
    }

    async fn rename(
        &self,
        from: &SandboxPath,
        to: &SandboxPath,
        mode: RenameMode,
    ) -> Result<FileMeta> {
        self.engine.check_open("rename")?;
        self.files.rename(from, to, mode).await
    }

    async fn copy_to(
        &self,
        source: ByteStream,
        target: &SandboxPath,
        options: CopyOptions,
    ) -> Result<CopySummary> {
        self.engine.check_open("copy_to")?;
        self.files.copy_to(source, target, options).await
    }

    async fn copy_from(&self, source: &SandboxPath, options: CopyOptions) -> Result<ByteStream> {
        self.engine.check_open("copy_from")?;
        self.files.copy_from(source, options).await
    }

    async fn set_env(&self, variables: BTreeMap<String, Option<String>>) -> Result<()> {
        self.engine.set_env(variables.clone())?;
        self.shells.set_env(&variables);
        Ok(())
    }

    async fn close_session(&self, name: &SessionName) -> Result<()> {
        self.engine.check_open("close_session")?;
        self.shells.close_session(name).await;
        Ok(())
    }

    async fn stats(&self) -> Result<Stats> {
        let mut stats = self.engine.stats();
        stats.sessions = self.shells.count();
        Ok(stats)
    }

    fn status(&self) -> RuntimeStatus {
        *self.status.borrow()
    }

    fn status_changes(&self) -> StatusStream {
        Box::pin(StatusChanges::new(self.status.subscribe()))
    }

    async fn close(&self) -> Result<()> {
        self.shells.close().await;
        let outcome = self.engine.close().await;
        self.status.send_if_modified(|status| {
            std::mem::replace(status, RuntimeStatus::Stopped) != RuntimeStatus::Stopped
        });
        outcome
    }
}

type Change =
    Pin<Box<dyn Future<Output = (Option<RuntimeStatus>, watch::Receiver<RuntimeStatus>)> + Send>>;

/// The present status, then each change; ends after `Stopped` or with the runtime.
struct StatusChanges(Option<Change>);

impl StatusChanges {
    fn new(mut receiver: watch::Receiver<RuntimeStatus>) -> Self {
        receiver.mark_changed();
        Self(Some(Self::next(receiver)))
    }

    fn next(mut receiver: watch::Receiver<RuntimeStatus>) -> Change {
        Box::pin(async move {
            let status = match receiver.changed().await {
                Ok(()) => Some(*receiver.borrow_and_update()),
                Err(_) => None,
            };
            (status, receiver)
        })
    }
}

impl Stream for StatusChanges {
    type Item = RuntimeStatus;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RuntimeStatus>> {
        let Some(change) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let (status, receiver) = ready!(change.as_mut().poll(cx));
        self.0 = status
            .is_some_and(|status| status != RuntimeStatus::Stopped)
            .then(|| Self::next(receiver));
        Poll::Ready(status)
    }
}

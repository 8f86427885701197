//! A runtime of one's own: one that wraps another and refuses some programs.
//!
//! A wrapper forwards every method. The lint makes sure that a method which the trait gains later
//! is not forgotten, since its default would say "unsupported".
//!
//! `cargo run --example custom_runtime`
#![allow(clippy::print_stdout)]
#![deny(clippy::missing_trait_methods)]

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use oh_runtime::{
    Body, Browse, BrowseOutput, ByteRange, ByteStream, CellOutput, Command, CommandOutput,
    CopyOptions, CopySummary, Descriptor, Edit, EditOutput, Error, ErrorKind, FileMeta, Follow,
    GlobOutput, GlobQuery, GrepOutput, GrepQuery, LinkMode, ListOptions, Listing, LocalRuntime,
    OutputStream, Port, Process, ProcessId, ProcessInfo, PythonCell, ReadOptions, ReadOutput,
    RemoveMode, RenameMode, Result, Runtime, RuntimeStatus, SandboxPath, SessionName, SnapshotId,
    Stats, StatusStream, Target, WriteOptions,
};

/// Refuses to start some programs.
#[derive(Debug)]
struct Without<R> {
    inner: R,
    programs: Vec<&'static str>,
}

impl<R: Runtime> Without<R> {
    fn check(&self, command: &Command) -> Result<()> {
        match &command.target {
            Target::Program { program, .. } if self.programs.contains(&program.as_str()) => {
                Err(Error::new(ErrorKind::Denied, "spawn").with_object(program))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl<R: Runtime> Runtime for Without<R> {
    async fn spawn(&self, command: Command, follow: Follow) -> Result<Process> {
        self.check(&command)?;
        self.inner.spawn(command, follow).await
    }
    async fn run(&self, command: Command, follow: Follow) -> Result<CommandOutput> {
        self.check(&command)?;
        self.inner.run(command, follow).await
    }

    // Everything else goes through as it is.
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }
    async fn attach(&self, process: &ProcessId, follow: Follow) -> Result<Process> {
        self.inner.attach(process, follow).await
    }
    async fn read_output(&self, id: &ProcessId, of: OutputStream, at: ByteRange) -> Result<Bytes> {
        self.inner.read_output(id, of, at).await
    }
    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.inner.processes().await
    }
    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<ReadOutput> {
        self.inner.read(path, options).await
    }
    async fn read_stream(
        &self,
        path: &SandboxPath,
        options: ReadOptions,
    ) -> Result<(FileMeta, ByteStream)> {
        self.inner.read_stream(path, options).await
    }
    async fn write(&self, path: &SandboxPath, body: Body, how: WriteOptions) -> Result<FileMeta> {
        self.inner.write(path, body, how).await
    }
    async fn edit(&self, path: &SandboxPath, edit: Edit) -> Result<EditOutput> {
        self.inner.edit(path, edit).await
    }
    async fn stat(&self, path: &SandboxPath, links: LinkMode) -> Result<FileMeta> {
        self.inner.stat(path, links).await
    }
    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Listing> {
        self.inner.list(path, options).await
    }
    async fn glob(&self, query: GlobQuery) -> Result<GlobOutput> {
        self.inner.glob(query).await
    }
    async fn grep(&self, query: GrepQuery) -> Result<GrepOutput> {
        self.inner.grep(query).await
    }
    async fn remove(&self, path: &SandboxPath, mode: RemoveMode) -> Result<()> {
        self.inner.remove(path, mode).await
    }
    async fn make_dir(&self, path: &SandboxPath) -> Result<FileMeta> {
        self.inner.make_dir(path).await
    }
    async fn rename(
        &self,
        from: &SandboxPath,
        to: &SandboxPath,
        mode: RenameMode,
    ) -> Result<FileMeta> {
        self.inner.rename(from, to, mode).await
    }
    async fn copy_to(
        &self,
        source: ByteStream,
        target: &SandboxPath,
        options: CopyOptions,
    ) -> Result<CopySummary> {
        self.inner.copy_to(source, target, options).await
    }
    async fn copy_from(&self, source: &SandboxPath, options: CopyOptions) -> Result<ByteStream> {
        self.inner.copy_from(source, options).await
    }
    async fn set_env(&self, variables: BTreeMap<String, Option<String>>) -> Result<()> {
        self.inner.set_env(variables).await
    }
    async fn close_session(&self, name: &SessionName) -> Result<()> {
        self.inner.close_session(name).await
    }
    async fn browse(&self, request: Browse) -> Result<BrowseOutput> {
        self.inner.browse(request).await
    }
    async fn run_python(&self, cell: PythonCell) -> Result<CellOutput> {
        self.inner.run_python(cell).await
    }
    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }
    async fn ports(&self) -> Result<Vec<Port>> {
        self.inner.ports().await
    }
    async fn pause(&self) -> Result<()> {
        self.inner.pause().await
    }
    async fn resume(&self) -> Result<()> {
        self.inner.resume().await
    }
    async fn snapshot(&self) -> Result<SnapshotId> {
        self.inner.snapshot().await
    }
    fn status(&self) -> RuntimeStatus {
        self.inner.status()
    }
    fn status_changes(&self) -> StatusStream {
        self.inner.status_changes()
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = tempfile::tempdir()?;
    let local = LocalRuntime::builder(workspace.path()).start().await?;
    let runtime = Without {
        inner: local,
        programs: vec!["curl", "wget"],
    };

    for program in ["true", "curl"] {
        match runtime.run(Command::new(program), Follow::default()).await {
            Ok(output) => println!("{program}: {:?}", output.outcome),
            Err(error) => println!("{error} ({:?})", error.kind()),
        }
    }
    runtime.close().await?;
    Ok(())
}

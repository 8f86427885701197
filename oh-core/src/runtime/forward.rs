//! The trait for references and smart pointers: each call goes to what they point to.
#![deny(clippy::missing_trait_methods)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::command::{Command, Follow};
use super::descriptor::Descriptor;
use super::file::{
    Body, ByteStream, CopyOptions, CopySummary, FileMeta, GlobOutput, GlobQuery, GrepOutput,
    GrepQuery, LinkMode, ListOptions, Listing, ReadOptions, ReadOutput, RemoveMode, RenameMode,
    WriteOptions,
};
use super::output::{ByteRange, CommandOutput, OutputStream};
use super::path::SandboxPath;
use super::process::Process;
use super::sandbox::{
    Browse, BrowseOutput, CellOutput, Port, ProcessInfo, PythonCell, SnapshotId, Stats,
};
use super::traits::{Runtime, StatusStream};
use crate::edit::{Edit, EditOutput};
use crate::error::Result;
use crate::id::{ProcessId, SessionName};
use crate::status::RuntimeStatus;

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<R: Runtime + ?Sized> Runtime for $pointer {
            fn descriptor(&self) -> &Descriptor {
                (**self).descriptor()
            }
            async fn spawn(&self, command: Command, follow: Follow) -> Result<Process> {
                (**self).spawn(command, follow).await
            }
            async fn attach(&self, process: &ProcessId, follow: Follow) -> Result<Process> {
                (**self).attach(process, follow).await
            }
            async fn run(&self, command: Command, follow: Follow) -> Result<CommandOutput> {
                (**self).run(command, follow).await
            }
            async fn read_output(
                &self,
                process: &ProcessId,
                stream: OutputStream,
                range: ByteRange,
            ) -> Result<Bytes> {
                (**self).read_output(process, stream, range).await
            }
            async fn processes(&self) -> Result<Vec<ProcessInfo>> {
                (**self).processes().await
            }
            async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<ReadOutput> {
                (**self).read(path, options).await
            }
            async fn read_stream(
                &self,
                path: &SandboxPath,
                options: ReadOptions,
            ) -> Result<(FileMeta, ByteStream)> {
                (**self).read_stream(path, options).await
            }
            async fn write(
                &self,
                path: &SandboxPath,
                body: Body,
                options: WriteOptions,
            ) -> Result<FileMeta> {
                (**self).write(path, body, options).await
            }
            async fn edit(&self, path: &SandboxPath, edit: Edit) -> Result<EditOutput> {
                (**self).edit(path, edit).await
            }
            async fn stat(&self, path: &SandboxPath, links: LinkMode) -> Result<FileMeta> {
                (**self).stat(path, links).await
            }
            async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Listing> {
                (**self).list(path, options).await
            }
            async fn glob(&self, query: GlobQuery) -> Result<GlobOutput> {
                (**self).glob(query).await
            }
            async fn grep(&self, query: GrepQuery) -> Result<GrepOutput> {
                (**self).grep(query).await
            }
            async fn remove(&self, path: &SandboxPath, mode: RemoveMode) -> Result<()> {
                (**self).remove(path, mode).await
            }
            async fn make_dir(&self, path: &SandboxPath) -> Result<FileMeta> {
                (**self).make_dir(path).await
            }
            async fn rename(
                &self,
                from: &SandboxPath,
                to: &SandboxPath,
                mode: RenameMode,
            ) -> Result<FileMeta> {
                (**self).rename(from, to, mode).await
            }
            async fn copy_to(
                &self,
                source: ByteStream,
                target: &SandboxPath,
                options: CopyOptions,
            ) -> Result<CopySummary> {
                (**self).copy_to(source, target, options).await
            }
            async fn copy_from(
                &self,
                source: &SandboxPath,
                options: CopyOptions,
            ) -> Result<ByteStream> {
                (**self).copy_from(source, options).await
            }
            async fn set_env(&self, variables: BTreeMap<String, Option<String>>) -> Result<()> {
                (**self).set_env(variables).await
            }
            async fn close_session(&self, name: &SessionName) -> Result<()> {
                (**self).close_session(name).await
            }
            async fn browse(&self, request: Browse) -> Result<BrowseOutput> {
                (**self).browse(request).await
            }
            async fn run_python(&self, cell: PythonCell) -> Result<CellOutput> {
                (**self).run_python(cell).await
            }
            async fn stats(&self) -> Result<Stats> {
                (**self).stats().await
            }
            async fn ports(&self) -> Result<Vec<Port>> {
                (**self).ports().await
            }
            async fn pause(&self) -> Result<()> {
                (**self).pause().await
            }
            async fn resume(&self) -> Result<()> {
                (**self).resume().await
            }
            async fn snapshot(&self) -> Result<SnapshotId> {
                (**self).snapshot().await
            }
            fn status(&self) -> RuntimeStatus {
                (**self).status()
            }
            fn status_changes(&self) -> StatusStream {
                (**self).status_changes()
            }
            async fn close(&self) -> Result<()> {
                (**self).close().await
            }
        }
    )*};
}

forward!(&R, Arc<R>, Box<R>);

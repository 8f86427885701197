//! Conveniences over the trait.

use async_trait::async_trait;
use bytes::Bytes;

use super::command::{Command, Follow};
use super::file::{Body, FileMeta, ReadOptions, WriteOptions};
use super::output::CommandOutput;
use super::path::SandboxPath;
use super::traits::Runtime;
use crate::action::Action;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{CaptureTap, Dispatcher};
use crate::observation::Observation;

/// Shorter forms of the common calls, for every [`Runtime`]. Not to be implemented.
#[async_trait]
pub trait RuntimeExt: Runtime {
    /// Runs a shell text to its end.
    ///
    /// # Errors
    /// As [`Runtime::run`].
    ///
    /// # Cancel safety
    /// Dropping the future ends the process and its whole tree.
    async fn shell(&self, script: &str) -> Result<CommandOutput> {
        self.run(Command::shell(script), Follow::default()).await
    }

    /// Carries out one action; see [`Dispatcher`], which also remembers what still runs.
    ///
    /// # Cancel safety
    /// Dropping the future ends a command that this call started.
    async fn execute(&self, action: &Action) -> Observation {
        let dispatcher = Dispatcher::default();
        let mut tap = CaptureTap::new(dispatcher.options().capture);
        dispatcher.execute(&self, action, &mut tap).await
    }

    /// Reads a whole file as bytes, up to 16 MiB.
    ///
    /// # Errors
    /// As [`Runtime::read`].
    async fn read_bytes(&self, path: &str) -> Result<Bytes> {
        let output = self
            .read(&SandboxPath::new(path)?, ReadOptions::default())
            .await?;
        output.bytes().cloned().ok_or_else(|| wrong_form(path))
    }

    /// Reads a whole file as text, up to 16 MiB.
    ///
    /// # Errors
    /// As [`Runtime::read`].
    async fn read_text(&self, path: &str) -> Result<String> {
        let output = self
            .read(&SandboxPath::new(path)?, ReadOptions::text())
            .await?;
        output
            .text()
            .map(str::to_owned)
            .ok_or_else(|| wrong_form(path))
    }

    /// Writes a file, making its directories.
    ///
    /// # Errors
    /// As [`Runtime::write`].
    async fn write_file(&self, path: &str, content: Bytes) -> Result<FileMeta> {
        self.write(
            &SandboxPath::new(path)?,
            Body::Bytes(content),
            WriteOptions::default(),
        )
        .await
    }

    /// Writes a text file, making its directories.
    ///
    /// # Errors
    /// As [`Runtime::write`].
    async fn write_text(&self, path: &str, text: &str) -> Result<FileMeta> {
        self.write_file(path, Bytes::copy_from_slice(text.as_bytes()))
            .await
    }
}

impl<R: Runtime + ?Sized> RuntimeExt for R {}

fn wrong_form(path: &str) -> Error {
    Error::new(ErrorKind::Internal, "read")
        .with_object(path)
        .with_detail("the runtime answered in another form than was asked for")
}

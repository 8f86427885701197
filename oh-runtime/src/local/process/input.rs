//! The way in to a process: a pipe, a terminal, or none.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use super::channel::Channel;
use super::probe::InputSource;
use super::pty::Pty;

/// Standard input of a process, as its controls see it.
#[derive(Debug)]
pub(super) enum Input {
    /// Nothing to write to.
    Closed,
    /// A pipe, until it is closed.
    Pipe {
        source: Option<InputSource>,
        channel: Mutex<Option<Channel>>,
    },
    /// A terminal, and whether the last line typed lacks its end.
    Terminal {
        source: InputSource,
        pty: Arc<Pty>,
        partial: Mutex<bool>,
    },
}

impl Input {
    pub(super) fn pipe(channel: Channel) -> Self {
        Self::Pipe {
            source: InputSource::pipe(&channel),
            channel: Mutex::new(Some(channel)),
        }
    }

    pub(super) fn terminal(pty: Arc<Pty>) -> Self {
        let path = pty.slave_path().to_string_lossy().into_owned();
        Self::Terminal {
            source: InputSource::Terminal(path),
            pty,
            partial: Mutex::new(false),
        }
    }

    /// Where a reader of it would be found.
    pub(super) fn source(&self) -> Option<&InputSource> {
        match self {
            Self::Closed => None,
            Self::Pipe { source, .. } => source.as_ref(),
            Self::Terminal { source, .. } => Some(source),
        }
    }

    /// Writes everything; waits while nobody reads. Writers take turns.
    pub(super) async fn write(&self, data: &Bytes) -> Result<()> {
        let written = match self {
            Self::Closed => {
                return Err(Error::invalid(
                    "write_stdin",
                    "the command was started without a standard input to write to; start it with \
                     Stdin::Piped or in a terminal",
                ));
            }
            Self::Pipe { channel, .. } => match &*channel.lock().await {
                Some(channel) => channel.write_all(data).await,
                None => return Err(gone("standard input was closed")),
            },
            Self::Terminal { pty, partial, .. } => {
                let mut partial = partial.lock().await;
                if let Some(last) = data.last() {
                    *partial = *last != b'\n' && *last != b'\r';
                }
                pty.channel().write_all(data).await
            }
        };
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => gone("the process closed its standard input"),
            _ => Error::io("write_stdin", error),
        })
    }

    /// Ends it, after what is being written.
    pub(super) async fn close(&self) -> Result<()> {
        match self {
            Self::Closed => Ok(()),
            Self::Pipe { channel, .. } => {
                channel.lock().await.take();
                Ok(())
            }
            Self::Terminal { pty, partial, .. } => {
                let mut partial = partial.lock().await;
                let in_lines = pty
                    .end_of_input()
                    .map_err(|error| Error::io("close_stdin", error))?;
                // After half a line the first character only hands that over.
                let times = if *partial && in_lines.is_some() { 2 } else { 1 };
                *partial = false;
                // Programs that read the keyboard raw look for Ctrl-D themselves.
                let end = vec![in_lines.unwrap_or(0x04); times];
                pty.channel()
                    .write_all(&end)
                    .await
                    .map_err(|error| Error::io("close_stdin", error))
            }
        }
    }
}

pub(super) fn gone(detail: &'static str) -> Error {
    Error::new(ErrorKind::Gone, "write_stdin").with_detail(detail)
}

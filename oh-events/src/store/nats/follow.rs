//! Learns of what is written, from the server.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::OrderedConfig;
use futures_util::StreamExt;
use oh_core::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;

use super::pages::Pages;
use super::piece::Heading;

/// Time between two attempts to be told.
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// A task that is told of every message of a stream and notes how far the log reaches.
#[derive(Debug, Default)]
pub(super) struct Follower(Mutex<Option<JoinHandle<()>>>);

impl Follower {
    /// Starts the task if it does not run.
    pub(super) fn start(&self, pages: &Pages) -> Result<()> {
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Unsupported, "follow event log")
                .with_detail("following NATS needs a tokio runtime")
                .with_source(error)
        })?;
        *task = Some(runtime.spawn(follow(pages.clone())));
        Ok(())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let task = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

async fn follow(pages: Pages) {
    loop {
        match told(&pages).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                pages.place.remove();
                return;
            }
            Err(error) => tracing::debug!(%error, "following is tried again"),
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

/// Notes messages as they are told, without their payload, until the server ends it. The client
/// begins anew behind the last message after every gap and every lost connection.
async fn told(pages: &Pages) -> Result<()> {
    if pages.server.info(&pages.stream).await?.is_none() {
        let error = Error::new(ErrorKind::NotFound, "follow event log");
        return Err(error.with_object(pages.stream.as_str()));
    }
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        super::failure::unavailable(&pages.stream, error)
    };
    let stream = pages.server.handle(&pages.stream).await?;
    let start = pages.place.end().sequence + 1;
    let consumer = stream
        .create_consumer(OrderedConfig {
            deliver_subject: pages.server.context.client().new_inbox(),
            filter_subject: pages.subject.clone(),
            headers_only: true,
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: start,
            },
            ..OrderedConfig::default()
        })
        .await
        .map_err(|error| failed(error.into()))?;
    let mut messages = consumer
        .messages()
        .await
        .map_err(|error| failed(error.into()))?;
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| failed(error.into()))?;
        let sequence = message.info().map_err(failed)?.stream_sequence;
        if let Some(heading) = message.headers.as_ref().and_then(Heading::read) {
            pages.place.reach(heading.next(), sequence);
        }
    }
    Ok(())
}

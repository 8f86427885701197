//! Requests to the server, each with the patience that a restart of it needs.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{Context, PublishErrorKind, RequestErrorKind};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, DirectGetErrorKind, Info, Stream};
use oh_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::failure;

/// Time between two attempts.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// A server that keeps streams.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) context: Context,
    /// How long a call goes on while the server does not answer.
    pub(super) patience: Duration,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// Stored, with this number in the stream, by this attempt or an earlier one.
    Stored(u64),
    /// Not stored by the last attempt: the stream (or subject) does not end where it was said to.
    OutOfSequence,
    /// Not stored: there is no such stream.
    NoStream,
}

impl Server {
    /// A text that no one else has.
    pub(super) fn unique(&self) -> String {
        let inbox = self.context.client().new_inbox();
        inbox.rsplit('.').next().unwrap_or_default().to_owned()
    }

    /// Largest number of bytes of a message, less its headers.
    pub(super) fn max_payload(&self) -> usize {
        const HEADERS: usize = 1024;
        self.context
            .client()
            .max_payload()
            .saturating_sub(HEADERS)
            .max(HEADERS)
    }

    /// Publishes until the outcome is clear. The message needs an id and an expectation that
    /// make a second copy of it harmless.
    pub(super) async fn publish(
        &self,
        object: &str,
        stream: &str,
        subject: &str,
        message: PublishMessage,
    ) -> Result<Published> {
        let message = message.expected_stream(stream);
        let until = self.until();
        let mut unclear = false;
        loop {
            let attempt = async {
                self.context
                    .send_publish(subject.to_owned(), message.clone())
                    .await?
                    .await
            };
            let error = match attempt.await {
                Ok(stored) => return Ok(Published::Stored(stored.sequence)),
                Err(error) => error,
            };
            match error.kind() {
                PublishErrorKind::WrongLastSequence => return Ok(Published::OutOfSequence),
                PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => unclear = true,
                PublishErrorKind::StreamNotFound => {
                    // An earlier attempt can have been stored all the same.
                    let info = self.info(stream).await;
                    let info = info.map_err(|error| match unclear {
                        true => failure::unclear(error).with_object(object),
                        false => error,
                    })?;
                    if info.is_none() {
                        return Ok(Published::NoStream);
                    }
                }
                _ => {
                    let kind = failure::kind_of(&error);
                    if kind != ErrorKind::Unavailable {
                        return Err(failure::publish(kind, unclear, object, error));
                    }
                }
            }
            if Instant::now() >= until {
                let kind = ErrorKind::Unavailable;
                return Err(failure::publish(kind, unclear, object, error));
            }
            wait().await;
        }
    }

    /// What a stream is and holds; `None` if there is none.
    pub(super) async fn info(&self, stream: &str) -> Result<Option<Info>> {
        let subject = format!("STREAM.INFO.{stream}");
        self.ask(stream, &subject, &Value::Null, ErrorCode::STREAM_NOT_FOUND)
            .await
    }

    /// Creates a stream; one that is there with the same options stays.
    pub(super) async fn create(&self, config: &Config) -> Result<()> {
        let subject = format!("STREAM.CREATE.{}", config.name);
        let config_json = serde_json::to_value(config)
            .map_err(|error| Error::new(ErrorKind::Internal, "create stream").with_source(error))?;
        let created: Option<Info> = self
            .ask(
                &config.name,
                &subject,
                &config_json,
                ErrorCode::STREAM_NAME_EXIST,
            )
            .await?;
        match created {
            Some(_) => Ok(()),
            // Someone changed its options, or another version of this crate made it.
            None => self.info(&config.name).await.map(|_| ()),
        }
    }

    /// Deletes a stream, if there is one.
    pub(super) async fn delete(&self, stream: &str) -> Result<()> {
        let subject = format!("STREAM.DELETE.{stream}");
        let _: Option<Value> = self
            .ask(stream, &subject, &json!({}), ErrorCode::STREAM_NOT_FOUND)
            .await?;
        Ok(())
    }

    /// Takes the messages of a subject out of a stream, those before a number if one is given.
    pub(super) async fn purge(
        &self,
        stream: &str,
        subject: &str,
        before: Option<u64>,
    ) -> Result<()> {
        let request = match before {
            Some(before) => json!({"filter": subject, "seq": before}),
            None => json!({"filter": subject}),
        };
        let api = format!("STREAM.PURGE.{stream}");
        let _: Option<Value> = self
            .ask(stream, &api, &request, ErrorCode::STREAM_NOT_FOUND)
            .await?;
        Ok(())
    }

    /// The last message of a subject, from the server that leads the stream.
    pub(super) async fn last(&self, stream: &str, subject: &str) -> Result<Option<StreamMessage>> {
        let until = self.until();
        loop {
            let handle = self.handle(stream).await?;
            let request = handle.raw_message_builder().last_by_subject(subject);
            match failure::or_none(stream, request.send().await) {
                Err(error) if is_worth_waiting(&error, until) => wait().await,
                outcome => return outcome,
            }
        }
    }

    /// The first message of a subject that has this number or a later one.
    pub(super) async fn at_or_after(
        &self,
        stream: &str,
        subject: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>> {
        let until = self.until();
        loop {
            match self.at_or_after_once(stream, subject, sequence).await {
                Err(error) if is_worth_waiting(&error, until) => wait().await,
                outcome => return outcome,
            }
        }
    }

    async fn at_or_after_once(
        &self,
        stream: &str,
        subject: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>> {
        let handle = self.handle(stream).await?;
        let request = handle.direct_get_builder();
        let request = request.sequence(sequence).next_by_subject(subject);
        match request.send().await {
            Ok(message) => return Ok(Some(message)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {}
            Err(error) => return Err(failure::unavailable(stream, error)),
        }
        // A follower that answers directly can lag behind.
        let request = handle.raw_message_builder();
        let request = request.sequence(sequence).next_by_subject(subject);
        failure::or_none(stream, request.send().await)
    }

    pub(super) async fn handle(&self, stream: &str) -> Result<Stream<()>> {
        let handle = self.context.get_stream_no_info(stream).await;
        handle.map_err(|error| {
            Error::new(ErrorKind::Internal, "ask NATS")
                .with_object(stream)
                .with_source(error)
        })
    }

    /// Asks the API; `None` if the answer is the error `absent`.
    async fn ask<T: DeserializeOwned>(
        &self,
        object: &str,
        subject: &str,
        request: &Value,
        absent: ErrorCode,
    ) -> Result<Option<T>> {
        let until = self.until();
        loop {
            let answer = self.context.request(subject.to_owned(), request).await;
            let outcome = match answer {
                Ok(Response::Ok(answer)) => Ok(Some(answer)),
                Ok(Response::Err { error }) if error.error_code() == absent => Ok(None),
                Ok(Response::Err { error }) => Err(failure::refused(object, error)),
                Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                    let detail = "no server with JetStream answers; start one, or enable JetStream";
                    Err(failure::unavailable(object, error).with_detail(detail))
                }
                Err(error) => Err(failure::unavailable(object, error)),
            };
            match outcome {
                Err(error) if is_worth_waiting(&error, until) => wait().await,
                outcome => return outcome,
            }
        }
    }

    fn until(&self) -> Instant {
        Instant::now() + self.patience
    }
}

/// Whether another attempt can bring an answer. For what can be done twice.
fn is_worth_waiting(error: &Error, until: Instant) -> bool {
    error.is_retryable() && Instant::now() < until
}

async fn wait() {
    tokio::time::sleep(RETRY_EVERY).await;
}

impl std::fmt::Debug for Server {
    /// Nothing of the connection, as its options hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

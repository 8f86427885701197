//! What the server and the client report, in this crate's words.

use std::error::Error as StdError;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageError, RawMessageErrorKind};
use oh_core::{Error, ErrorKind, Result};

/// Storing failed on the server: limits of the stream, or its disk.
const STREAM_STORE_FAILED: ErrorCode = ErrorCode(10077);

const NOT_ACKNOWLEDGED: &str =
    "the server did not acknowledge it; open the log again to see what it holds";

/// The error of a server that does not answer, or not now.
pub(super) fn unavailable(
    object: &str,
    error: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    Error::new(ErrorKind::Unavailable, "ask NATS")
        .with_object(object)
        .with_source(error)
}

/// The error of a server that answered with one.
pub(super) fn refused(object: &str, error: async_nats::jetstream::Error) -> Error {
    Error::new(kind(&error), "ask NATS")
        .with_object(object)
        .with_detail(error.to_string())
        .with_source(error)
}

/// A message that need not be there.
pub(super) fn or_none(
    object: &str,
    answer: Result<StreamMessage, RawMessageError>,
) -> Result<Option<StreamMessage>> {
    match answer {
        Ok(message) => Ok(Some(message)),
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            RawMessageErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            RawMessageErrorKind::JetStream(error) => Err(refused(object, error)),
            _ => Err(unavailable(object, error)),
        },
    }
}

/// The kind of a message's refusal; [`Unavailable`](ErrorKind::Unavailable) if it may be taken
/// later.
pub(super) fn kind_of(error: &PublishError) -> ErrorKind {
    if error.kind() == PublishErrorKind::MaxPayloadExceeded {
        return ErrorKind::TooLarge;
    }
    error
        .source()
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>())
        .map_or(ErrorKind::Unavailable, kind)
}

/// The error of a message of which another request should have told what became.
pub(super) fn unclear(error: Error) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "write to NATS")
        .with_detail(NOT_ACKNOWLEDGED)
        .with_source(error)
}

/// The error of a message that was not stored, as far as is known.
pub(super) fn publish(kind: ErrorKind, unclear: bool, object: &str, error: PublishError) -> Error {
    let (kind, detail) = match kind {
        _ if unclear => (ErrorKind::OutcomeUnknown, NOT_ACKNOWLEDGED),
        ErrorKind::NoSpace => (
            kind,
            "the server has no room; raise the limits of JetStream or free its disk",
        ),
        ErrorKind::TooLarge => (
            kind,
            "the server takes no message of this size; raise max_payload and max_msg_size there",
        ),
        kind => (kind, "the server does not take it"),
    };
    Error::new(kind, "write to NATS")
        .with_object(object)
        .with_detail(detail)
        .with_source(error)
}

fn kind(error: &async_nats::jetstream::Error) -> ErrorKind {
    match error.error_code() {
        STREAM_STORE_FAILED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED => ErrorKind::NoSpace,
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => ErrorKind::TooLarge,
        ErrorCode::MAXIMUM_STREAMS_LIMIT | ErrorCode::MAXIMUM_CONSUMERS_LIMIT => {
            ErrorKind::LimitExceeded
        }
        _ if error.code() == 503 => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}

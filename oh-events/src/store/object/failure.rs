//! What an object storage answers, in the words of this crate.

use std::error::Error as StdError;

use ::object_store::Error as Failure;
use oh_core::{Error, ErrorKind};

/// Translates a failure. What a storage sends along (addresses, key ids, signed texts) stays out
/// of the error, apart from its own code for what went wrong.
pub(super) fn translate(operation: &'static str, key: &str, failure: &Failure) -> Error {
    let system = causes(failure).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    let kind = match failure {
        Failure::NotFound { .. } => ErrorKind::NotFound,
        Failure::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        Failure::Precondition { .. } | Failure::NotModified { .. } => ErrorKind::Conflict,
        Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        Failure::NotSupported { .. } | Failure::NotImplemented { .. } => ErrorKind::Unsupported,
        Failure::InvalidPath { .. } | Failure::UnknownConfigurationKey { .. } => {
            ErrorKind::InvalidInput
        }
        _ => match system {
            Some(error) => system_kind(operation, error),
            None => ErrorKind::Unavailable,
        },
    };
    let error = Error::new(kind, operation).with_object(key);
    let error = match (system, code(failure)) {
        (Some(system), _) => error.with_detail(system.to_string()),
        (None, Some(code)) => error.with_detail(format!("the storage answered {code}")),
        (None, None) => error,
    };
    retryable(error)
}

/// The error of a call that the storage did not answer in time.
pub(super) fn timed_out(operation: &'static str, key: &str) -> Error {
    let error = Error::new(ErrorKind::Timeout, operation).with_object(key);
    retryable(error.with_detail("the storage did not answer in time"))
}

/// Whether the storage said no, so that nothing is under way any more.
pub(super) fn is_refusal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::NoSpace
            | ErrorKind::TooLarge
            | ErrorKind::InvalidInput
            | ErrorKind::NotADirectory
            | ErrorKind::Unsupported
    )
}

fn retryable(error: Error) -> Error {
    let again = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
    error.with_retryable(again)
}

fn system_kind(operation: &'static str, error: &std::io::Error) -> ErrorKind {
    // An error cannot be copied, but its kind can.
    match Error::io(operation, std::io::Error::from(error.kind())).kind() {
        // Connections that were refused, reset or lost.
        ErrorKind::Internal => ErrorKind::Unavailable,
        kind => kind,
    }
}

/// The code that S3 puts into its answers, such as `SlowDown`.
fn code(failure: &Failure) -> Option<String> {
    let text = failure.to_string();
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then(|| code.to_owned())
}

fn causes(failure: &Failure) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(failure);
    std::iter::from_fn(move || {
        let this = cause?;
        cause = this.source();
        Some(this)
    })
}

//! What can go wrong between a request and its answer.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Class of an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The key was refused.
    Auth,
    /// The account has no credit left.
    OutOfCredits,
    /// Too many requests.
    RateLimited {
        /// How long to wait, if the provider said so.
        retry_after: Option<Duration>,
    },
    /// The provider is overloaded or out of order for the moment.
    Overloaded {
        /// How long to wait, if the provider said so.
        retry_after: Option<Duration>,
    },
    /// The request is longer than the model can take.
    ContextTooLong,
    /// The provider refuses the content.
    ContentFiltered,
    /// The request is malformed, or the model does not take it.
    BadRequest,
    /// Nothing came in time.
    Timeout,
    /// The answer broke off.
    Interrupted,
    /// The answer cannot be understood.
    Decode,
    /// The connection failed.
    Transport,
    /// The model has nothing more to say: its script is over.
    Exhausted,
}

/// Error of a model call. Keys never appear in it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error with words for people: lower case, no full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Class of the error.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// How long the provider asks to wait, if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::RateLimited { retry_after } | ErrorKind::Overloaded { retry_after } => {
                retry_after
            }
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::RateLimited { .. }
                | ErrorKind::Overloaded { .. }
                | ErrorKind::Timeout
                | ErrorKind::Transport
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

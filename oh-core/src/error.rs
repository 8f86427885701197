//! One error type for every operation of a runtime, with a kind that survives a wire.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::ProcessId;

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a closed vocabulary with stable codes.
///
/// A command that fails, times out or is cancelled is *data* ([`Exit`](crate::Exit)), never an
/// `ErrorKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such file, process, session or program.
    NotFound,
    /// The target exists and the call asked for a new one.
    AlreadyExists,
    /// A path component is not a directory.
    NotADirectory,
    /// The target is a directory and the call wants a file.
    IsADirectory,
    /// The system that hosts the sandbox refused.
    PermissionDenied,
    /// A policy of the host application refused.
    Denied,
    /// Malformed path, command, pattern or edit.
    InvalidInput,
    /// The state changed under the call: version tag, busy session, reused key.
    Conflict,
    /// The body, file or result is larger than a limit allows.
    TooLarge,
    /// A count or rate limit was reached.
    LimitExceeded,
    /// No space or quota left where the bytes should go.
    NoSpace,
    /// The runtime lacks the capability; see its descriptor.
    Unsupported,
    /// The operation itself (not a command) ran out of time.
    Timeout,
    /// The caller withdrew the operation.
    Cancelled,
    /// Not started yet, or the connection was lost before anything was sent.
    Unavailable,
    /// The request was sent and its outcome cannot be known. Never retry blindly.
    OutcomeUnknown,
    /// The runtime was closed or the process was forgotten.
    Gone,
    /// Version mismatch or malformed frame of a peer.
    Protocol,
    /// Stored data is damaged.
    Corrupt,
    /// A defect of this library.
    Internal,
}

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorClass {
    /// The caller (or the model): another request can succeed.
    User,
    /// The machine: permissions, space, a defect.
    System,
    /// The runtime: it is gone, unreachable or speaks another version.
    Runtime,
}

impl ErrorKind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 20] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::NotADirectory,
        Self::IsADirectory,
        Self::PermissionDenied,
        Self::Denied,
        Self::InvalidInput,
        Self::Conflict,
        Self::TooLarge,
        Self::LimitExceeded,
        Self::NoSpace,
        Self::Unsupported,
        Self::Timeout,
        Self::Cancelled,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::Gone,
        Self::Protocol,
        Self::Corrupt,
        Self::Internal,
    ];

    /// Stable code, as written into event logs and onto the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::NotADirectory => "not_a_directory",
            Self::IsADirectory => "is_a_directory",
            Self::PermissionDenied => "permission_denied",
            Self::Denied => "denied",
            Self::InvalidInput => "invalid_input",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::LimitExceeded => "limit_exceeded",
            Self::NoSpace => "no_space",
            Self::Unsupported => "unsupported",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Gone => "gone",
            Self::Protocol => "protocol",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }

    /// The kind with this [`code`](Self::code).
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Who has to act.
    pub const fn class(self) -> ErrorClass {
        match self {
            Self::NotFound
            | Self::AlreadyExists
            | Self::NotADirectory
            | Self::IsADirectory
            | Self::Denied
            | Self::InvalidInput
            | Self::Conflict
            | Self::TooLarge
            | Self::LimitExceeded
            | Self::Unsupported
            | Self::Cancelled => ErrorClass::User,
            Self::PermissionDenied | Self::NoSpace | Self::Corrupt | Self::Internal => {
                ErrorClass::System
            }
            Self::Timeout
            | Self::Unavailable
            | Self::OutcomeUnknown
            | Self::Gone
            | Self::Protocol => ErrorClass::Runtime,
        }
    }

    /// Plain words for people and models.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::NotADirectory => "not a directory",
            Self::IsADirectory => "is a directory",
            Self::PermissionDenied => "permission denied",
            Self::Denied => "denied by policy",
            Self::InvalidInput => "invalid input",
            Self::Conflict => "conflict",
            Self::TooLarge => "too large",
            Self::LimitExceeded => "limit exceeded",
            Self::NoSpace => "no space left",
            Self::Unsupported => "not supported by this runtime",
            Self::Timeout => "timed out",
            Self::Cancelled => "cancelled",
            Self::Unavailable => "not available",
            Self::OutcomeUnknown => "the outcome is unknown",
            Self::Gone => "gone",
            Self::Protocol => "protocol error",
            Self::Corrupt => "damaged data",
            Self::Internal => "internal error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.phrase())
    }
}

/// Error of an operation: kind, operation, object, and what to do about it.
///
/// Displays as `operation object: detail`, lower case and without a full stop; causes are in the
/// [`source`](StdError::source) chain and are not repeated.
///
/// ```
/// use oh_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::NotFound, "read").with_object("notes.md");
/// assert_eq!(error.to_string(), "read notes.md: not found");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    object: Option<String>,
    detail: Option<Cow<'static, str>>,
    running: Option<ProcessId>,
    retryable: Option<bool>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error of a kind for a named operation (`"read"`, `"spawn"`).
    pub fn new(kind: ErrorKind, operation: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: operation.into(),
            object: None,
            detail: None,
            running: None,
            retryable: None,
            source: None,
        }))
    }

    /// Shorthand for [`ErrorKind::InvalidInput`] with a detail that says what to do.
    pub fn invalid(
        operation: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ErrorKind::InvalidInput, operation).with_detail(detail)
    }

    /// Shorthand for [`ErrorKind::Unsupported`].
    pub fn unsupported(operation: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, operation)
    }

    /// Names the path, process or session that the operation was about.
    #[must_use]
    pub fn with_object(mut self, object: impl Into<String>) -> Self {
        self.0.object = Some(object.into());
        self
    }

    /// Replaces the general phrase of the kind by words for this case.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Names the process that a [`Conflict`](ErrorKind::Conflict) is with.
    #[must_use]
    pub fn with_running(mut self, process: ProcessId) -> Self {
        self.0.running = Some(process);
        self
    }

    /// States whether a retry is safe, where the kind alone cannot tell.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Translates an I/O error: kind from its code, itself as the source.
    pub fn io(operation: impl Into<Cow<'static, str>>, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match source.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
            Io::AlreadyExists | Io::DirectoryNotEmpty => ErrorKind::AlreadyExists,
            Io::NotADirectory => ErrorKind::NotADirectory,
            Io::IsADirectory => ErrorKind::IsADirectory,
            Io::StorageFull | Io::QuotaExceeded => ErrorKind::NoSpace,
            Io::FileTooLarge => ErrorKind::TooLarge,
            Io::InvalidInput | Io::InvalidFilename => ErrorKind::InvalidInput,
            Io::TimedOut => ErrorKind::Timeout,
            Io::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Internal,
        };
        let detail = source.to_string();
        Self::new(kind, operation)
            .with_detail(detail)
            .with_source(source)
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Who has to act.
    pub fn class(&self) -> ErrorClass {
        self.0.kind.class()
    }

    /// Name of the operation.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// Path, process or session that the operation was about.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// Words for this case, if there are any beyond the phrase of the kind.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The process that a [`Conflict`](ErrorKind::Conflict) is with.
    pub fn running(&self) -> Option<&ProcessId> {
        self.0.running.as_ref()
    }

    /// Whether the same call can be sent again without doing anything twice.
    pub fn is_retryable(&self) -> bool {
        self.0
            .retryable
            .unwrap_or(self.0.kind == ErrorKind::Unavailable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.operation)?;
        if let Some(object) = &self.0.object {
            write!(f, " {}", object.escape_debug())?;
        }
        write!(
            f,
            ": {}",
            self.0.detail.as_deref().unwrap_or(self.0.kind.phrase())
        )
    }
}

impl fmt::Debug for Error {
    /// The words and the causes, as a program prints them that returns the error from `main`; the
    /// fields with `{:#?}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            write!(f, "{self} ({})", self.0.kind.code())?;
            let mut cause = self.source();
            while let Some(source) = cause {
                let text = source.to_string();
                // A detail often repeats what the system said.
                if self.0.detail.as_deref() != Some(text.as_str()) {
                    write!(f, ": {text}")?;
                }
                cause = source.source();
            }
            return Ok(());
        }
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("object", &self.0.object)
            .field("detail", &self.0.detail)
            .field("running", &self.0.running)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

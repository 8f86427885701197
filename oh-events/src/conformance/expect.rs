//! Why a check did not pass, and the comparisons that find out.

use std::fmt;

use oh_core::{Error, ErrorKind, Result};

/// How a check ends that does not pass.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The store does it wrong, in words for its author.
    Failed(String),
    /// The store says that it does not have this.
    Unsupported(String),
}

impl End {
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }

    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(reason.into())
    }

    /// Says in which step of a check it happened.
    pub(super) fn at(self, step: impl fmt::Display) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(format!("{step}: {reason}")),
            unsupported @ Self::Unsupported(_) => unsupported,
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(format!("unexpected {}: {error}", error.kind().code()))
    }
}

/// What a check answers.
pub(super) type Checked<T = ()> = std::result::Result<T, End>;

/// Fails with these words unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::conformance::expect::End::failed(format!($($words)+)));
        }
    };
}
pub(super) use ensure;

// By value, so that checks read like assertions.
#[allow(clippy::needless_pass_by_value)]
pub(super) fn expect_eq<T: PartialEq + fmt::Debug>(what: &str, found: T, wanted: T) -> Checked {
    ensure!(found == wanted, "{what} is {found:?} instead of {wanted:?}");
    Ok(())
}

/// Compares bytes and says where they part.
pub(super) fn expect_bytes(what: &str, found: &[u8], wanted: &[u8]) -> Checked {
    if found == wanted {
        return Ok(());
    }
    let same = found.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(20);
    Err(End::failed(format!(
        "{what} has {} bytes instead of {}, the first difference is at byte {same}: \"{}\" instead \
         of \"{}\"",
        found.len(),
        wanted.len(),
        shown(found.get(from..).unwrap_or_default()),
        shown(wanted.get(from..).unwrap_or_default()),
    )))
}

/// The beginning of some bytes, escaped.
fn shown(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 120;
    let dots = if bytes.len() > SHOWN_BYTES { "…" } else { "" };
    let start = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    format!("{}{dots}", start.escape_ascii())
}

/// An error of this kind.
pub(super) fn expect_kind<T>(what: &str, result: Result<T>, wanted: ErrorKind) -> Checked<Error> {
    expect_one_of(what, result, &[wanted])
}

/// An error of one of these kinds.
pub(super) fn expect_one_of<T>(
    what: &str,
    result: Result<T>,
    wanted: &[ErrorKind],
) -> Checked<Error> {
    let codes = || {
        let codes: Vec<_> = wanted.iter().map(|kind| kind.code()).collect();
        codes.join(" or ")
    };
    match result {
        Err(error) if wanted.contains(&error.kind()) => Ok(error),
        Err(error) => Err(End::failed(format!(
            "{what} failed with {} instead of {}: {error}",
            error.kind().code(),
            codes()
        ))),
        Ok(_) => Err(End::failed(format!(
            "{what} succeeded instead of failing with {}",
            codes()
        ))),
    }
}

/// The error says what it is about, so that a person can act on it.
pub(super) fn expect_names(error: &Error, object: &str) -> Checked {
    let text = error.to_string();
    ensure!(
        text.contains(object),
        "the error does not name {object:?}: {text}"
    );
    Ok(())
}

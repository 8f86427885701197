//! Why a check failed, and the comparisons that find out.

use std::fmt;

use bytes::Bytes;
use oh_core::{Captured, CommandOutput, Error, ErrorKind, Exit, Outcome, Result};

/// Why a check failed, in words for the author of the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// Says in which step of a check it happened.
    pub(super) fn at(self, step: impl fmt::Display) -> Self {
        Self(format!("{step}: {}", self.0))
    }

    /// The words.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("unexpected {}: {error}", error.kind().code()))
    }
}

/// What a check answers.
pub(super) type Checked<T = ()> = std::result::Result<T, Failure>;

/// Fails with these words unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::conformance::expect::Failure::new(format!($($words)+)));
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
    Err(Failure::new(format!(
        "{what} has {} bytes instead of {}, the first difference is at byte {same}: \"{}\" instead \
         of \"{}\"",
        found.len(),
        wanted.len(),
        shown(found.get(from..).unwrap_or_default()),
        shown(wanted.get(from..).unwrap_or_default()),
    )))
}

/// The beginning of some bytes, escaped.
pub(super) fn shown(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 120;
    let dots = if bytes.len() > SHOWN_BYTES { "…" } else { "" };
    let start = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    format!("{}{dots}", start.escape_ascii())
}

pub(super) fn expect_exit(output: &CommandOutput, wanted: &Exit) -> Checked {
    let found = match &output.outcome {
        Outcome::Exited(exit) if exit == wanted => return Ok(()),
        Outcome::Exited(exit) => exit.to_string(),
        other => format!("{other:?}"),
    };
    Err(Failure::new(format!(
        "the command ended with {found} instead of {wanted}; stdout \"{}\", stderr \"{}\"",
        shown(&output.stdout.head),
        shown(&output.stderr.head)
    )))
}

pub(super) fn expect_code(output: &CommandOutput, wanted: i32) -> Checked {
    expect_exit(output, &Exit::Code(wanted))
}

/// The whole of a stream.
pub(super) fn whole(captured: &Captured) -> Checked<Bytes> {
    captured.to_bytes().ok_or_else(|| {
        Failure::new(format!(
            "{} of {} bytes of the output are missing, gaps {:?}",
            captured.omitted_bytes(),
            captured.total_bytes,
            captured.gaps
        ))
    })
}

pub(super) fn expect_stdout(output: &CommandOutput, wanted: impl AsRef<[u8]>) -> Checked {
    expect_bytes("stdout", &whole(&output.stdout)?, wanted.as_ref())
}

pub(super) fn expect_stderr(output: &CommandOutput, wanted: impl AsRef<[u8]>) -> Checked {
    expect_bytes("stderr", &whole(&output.stderr)?, wanted.as_ref())
}

/// Exit code 0 and this output.
pub(super) fn expect_prints(output: &CommandOutput, wanted: impl AsRef<[u8]>) -> Checked {
    expect_code(output, 0)?;
    expect_stdout(output, wanted)
}

/// Output of a terminal with its line ends made plain.
pub(super) fn terminal_text(output: &CommandOutput) -> Checked<String> {
    let bytes = whole(&output.stdout)?;
    Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
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
    let codes = || wanted.iter().map(|kind| kind.code()).collect::<Vec<_>>();
    match result {
        Err(error) if wanted.contains(&error.kind()) => Ok(error),
        Err(error) => Err(Failure::new(format!(
            "{what} failed with {} instead of {}: {error}",
            error.kind().code(),
            codes().join(" or ")
        ))),
        Ok(_) => Err(Failure::new(format!(
            "{what} succeeded instead of failing with {}",
            codes().join(" or ")
        ))),
    }
}

/// The error says what it is about, so that a person or a model can act on it.
pub(super) fn expect_names(error: &Error, object: &str) -> Checked {
    let text = error.to_string();
    ensure!(
        text.contains(object),
        "the error does not name {object:?}: {text}"
    );
    ensure!(!error.operation().is_empty(), "the error has no operation");
    Ok(())
}

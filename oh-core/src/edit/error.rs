//! Why an edit was refused.

use std::fmt;

use crate::edit::hint::NearMiss;
use crate::error::{Error, ErrorKind};

/// Line numbers that a message names before it only counts.
const NAMED_LINES: usize = 10;

/// Why an edit was refused, in words that a model can act on. The file is unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// The text to replace does not occur.
    NoMatch {
        /// What comes nearest.
        near: Option<NearMiss>,
    },
    /// The text to replace occurs more than once.
    SeveralMatches {
        /// How often.
        count: usize,
        /// Lines on which occurrences begin, from 1, each once.
        lines: Vec<u64>,
    },
    /// The line to insert after is not in the file.
    LineOutOfRange {
        /// The line that was asked for.
        asked: u64,
        /// Number of lines of the file.
        lines: u64,
    },
    /// The edit needs a file that is there.
    FileMissing,
    /// The edit creates a file that is there already.
    FileExists,
    /// No earlier text is known.
    NothingToUndo,
    /// The text to replace and its replacement are the same.
    Identical,
    /// The text to replace is empty.
    EmptyOld,
}

impl EditError {
    /// The kind that an [`Error`] of this reason has.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::FileMissing => ErrorKind::NotFound,
            Self::FileExists => ErrorKind::AlreadyExists,
            _ => ErrorKind::InvalidInput,
        }
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch { near: None } => f.write_str(
                "the text to replace does not occur in the file; view the file and copy the text \
                 exactly, white space included",
            ),
            Self::NoMatch { near: Some(near) } => {
                write!(f, "the text to replace does not occur in the file; {near}")
            }
            Self::SeveralMatches { count, lines } => {
                write!(f, "the text to replace occurs {count} times, on ")?;
                f.write_str(if lines.len() == 1 { "line " } else { "lines " })?;
                for (index, line) in lines.iter().take(NAMED_LINES).enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    write!(f, "{line}")?;
                }
                if lines.len() > NAMED_LINES {
                    write!(f, " and {} more", lines.len() - NAMED_LINES)?;
                }
                f.write_str("; add lines around the one that is meant until it occurs once")
            }
            Self::LineOutOfRange { asked, lines } => write!(
                f,
                "there is no line {asked} to insert after; the file has {lines} lines, so give 0 \
                 (top) to {lines}"
            ),
            Self::FileMissing => {
                f.write_str("there is no such file; create it or correct the path")
            }
            Self::FileExists => f.write_str(
                "the file exists already and is not overwritten; replace text in it or choose \
                 another path",
            ),
            Self::NothingToUndo => f.write_str("no earlier text of the file is known"),
            Self::Identical => f.write_str(
                "the text to replace and its replacement are the same, so nothing would change",
            ),
            Self::EmptyOld => f.write_str(
                "the text to replace is empty; name a text of the file, or insert lines instead",
            ),
        }
    }
}

impl std::error::Error for EditError {}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        Self::new(error.kind(), "edit")
            .with_detail(error.to_string())
            .with_source(error)
    }
}

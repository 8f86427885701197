//! What is wrong with a JSON text.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Says which field of an event could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    field: Option<String>,
    problem: String,
}

impl DecodeError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            field: None,
            problem: problem.into(),
        }
    }

    /// An error of the JSON reader, without the line and column of a part of the text.
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let problem = text.split(" at line ").next().unwrap_or_default();
        Self::new(problem)
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::new("is missing").at(field)
    }

    /// Puts a field in front of the path.
    pub(crate) fn at(mut self, field: &str) -> Self {
        self.field = Some(match self.field {
            Some(inner) => format!("{field}.{inner}"),
            None => field.to_owned(),
        });
        self
    }

    /// Path of the field, as `args.command`; `None` if the whole text is at fault.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "`{}`: ", field.escape_debug())?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(ErrorKind::InvalidInput, "decode")
            .with_detail(error.to_string())
            .with_source(error)
    }
}

//! Whole files, directories, searches.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{Action, FileAction, FileOperation, ReadAction, WriteAction};
use crate::tool::arguments::into_action::{Arguments, Risk, Wrong};

/// Reads a text file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct ReadFile {
    /// Path of the file.
    path: String,
}

impl Arguments for ReadFile {
    const TOOL: &'static str = "read_file";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(ReadAction::new(self.path).into())
    }
}

/// Writes a text file; what it held before is gone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct WriteFile {
    /// Path of the file.
    path: String,
    /// The whole text.
    content: String,
    /// How dangerous the change is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for WriteFile {
    const TOOL: &'static str = "write_file";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(WriteAction::new(self.path, self.content)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

/// Lists a directory.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct ListFiles {
    /// Path of the directory.
    path: String,
    /// Levels to go down; 1 if left out.
    #[schemars(range(min = 1, max = 10))]
    depth: Option<u64>,
}

impl Arguments for ListFiles {
    const TOOL: &'static str = "list_files";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(FileAction::new(FileOperation::List {
            path: self.path,
            depth: self.depth.unwrap_or(1),
        })
        .into())
    }
}

/// Finds files whose paths fit a glob pattern.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct Glob {
    /// The pattern, as src/**/*.rs.
    pattern: String,
    /// Directory to start at; the working directory if left out.
    path: Option<String>,
}

impl Arguments for Glob {
    const TOOL: &'static str = "glob";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(FileAction::new(FileOperation::Glob {
            pattern: self.pattern,
            path: self.path.unwrap_or_else(|| ".".to_owned()),
        })
        .into())
    }
}

/// Finds lines that fit a regular expression.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct Grep {
    /// The regular expression.
    pattern: String,
    /// File or directory to search; the working directory if left out.
    path: Option<String>,
    /// Only files that fit this glob pattern.
    include: Option<String>,
}

impl Arguments for Grep {
    const TOOL: &'static str = "grep";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(FileAction::new(FileOperation::Grep {
            pattern: self.pattern,
            path: self.path.unwrap_or_else(|| ".".to_owned()),
            include: self.include,
        })
        .into())
    }
}

//! Listing directories, finding files and lines.

use serde::{Deserialize, Serialize};

use super::meta::FileMeta;
use crate::runtime::path::SandboxPath;

/// How `list` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListOptions {
    /// Levels below the directory; 1 is its own entries.
    pub depth: u32,
    /// Largest number of entries. Default 10,000.
    pub limit: usize,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self {
            depth: 1,
            limit: 10_000,
        }
    }
}

impl ListOptions {
    /// Sets the levels to descend.
    #[must_use]
    pub fn depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// Sets the largest number of entries.
    #[must_use]
    pub fn limit(mut self, entries: usize) -> Self {
        self.limit = entries;
        self
    }
}

/// Entries of a directory, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The entries; links are listed as links.
    pub entries: Vec<FileMeta>,
    /// Whether the limit left some out.
    pub truncated: bool,
}

impl Listing {
    /// Joins both parts.
    pub fn new(entries: Vec<FileMeta>, truncated: bool) -> Self {
        Self { entries, truncated }
    }
}

/// Whether ignore files and hidden entries shape a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreRules {
    /// Skips what `.gitignore` and `.ignore` name, and hidden entries.
    #[default]
    Respect,
    /// Looks at everything.
    Off,
}

/// A search for file names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GlobQuery {
    /// Pattern: `*`, `?`, `[a-z]`, `{a,b}` and `**` for any number of directories. A pattern
    /// without a slash matches file names at any depth.
    pub pattern: String,
    /// Where to search; the workspace by default.
    pub root: SandboxPath,
    /// Ignore files and hidden entries.
    pub ignore: IgnoreRules,
    /// Largest number of results. Default 1,000.
    pub limit: usize,
}

impl GlobQuery {
    /// Searches the workspace.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            root: SandboxPath::workspace(),
            ignore: IgnoreRules::default(),
            limit: 1000,
        }
    }

    /// Sets where to search.
    #[must_use]
    pub fn root(mut self, root: SandboxPath) -> Self {
        self.root = root;
        self
    }

    /// Sets how ignore files count.
    #[must_use]
    pub fn ignore(mut self, rules: IgnoreRules) -> Self {
        self.ignore = rules;
        self
    }

    /// Sets the largest number of results.
    #[must_use]
    pub fn limit(mut self, results: usize) -> Self {
        self.limit = results;
        self
    }
}

/// Paths that match a [`GlobQuery`], newest change first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GlobOutput {
    /// Absolute paths of files.
    pub paths: Vec<SandboxPath>,
    /// Whether the limit left some out.
    pub truncated: bool,
}

impl GlobOutput {
    /// Joins both parts.
    pub fn new(paths: Vec<SandboxPath>, truncated: bool) -> Self {
        Self { paths, truncated }
    }
}

/// How the pattern of a [`GrepQuery`] is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternKind {
    /// A regular expression in the syntax of the `regex` crate.
    #[default]
    Regex,
    /// A plain text.
    Fixed,
}

/// How letters compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// Exactly.
    #[default]
    Sensitive,
    /// Upper and lower case are the same.
    Insensitive,
}

/// A search in the content of files. Binary files are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrepQuery {
    /// What to find.
    pub pattern: String,
    /// How `pattern` is read.
    pub kind: PatternKind,
    /// How letters compare.
    pub case: Case,
    /// File or directory to search; the workspace by default.
    pub root: SandboxPath,
    /// Only files whose name matches one of these globs; all if empty.
    pub globs: Vec<String>,
    /// Ignore files and hidden entries.
    pub ignore: IgnoreRules,
    /// Lines around each match.
    pub context: u32,
    /// Largest number of matches. Default 1,000.
    pub limit: usize,
    /// Longest line in an answer; the rest is cut. Default 2,000.
    pub max_line_bytes: usize,
}

impl GrepQuery {
    /// Searches the workspace for a regular expression.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            kind: PatternKind::default(),
            case: Case::default(),
            root: SandboxPath::workspace(),
            globs: Vec::new(),
            ignore: IgnoreRules::default(),
            context: 0,
            limit: 1000,
            max_line_bytes: 2000,
        }
    }

    /// Sets how the pattern is read.
    #[must_use]
    pub fn kind(mut self, kind: PatternKind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets how letters compare.
    #[must_use]
    pub fn case(mut self, case: Case) -> Self {
        self.case = case;
        self
    }

    /// Sets where to search.
    #[must_use]
    pub fn root(mut self, root: SandboxPath) -> Self {
        self.root = root;
        self
    }

    /// Adds a glob that file names must match.
    #[must_use]
    pub fn glob(mut self, glob: impl Into<String>) -> Self {
        self.globs.push(glob.into());
        self
    }

    /// Sets how ignore files count.
    #[must_use]
    pub fn ignore(mut self, rules: IgnoreRules) -> Self {
        self.ignore = rules;
        self
    }

    /// Sets the lines around each match.
    #[must_use]
    pub fn context(mut self, lines: u32) -> Self {
        self.context = lines;
        self
    }

    /// Sets the largest number of matches.
    #[must_use]
    pub fn limit(mut self, matches: usize) -> Self {
        self.limit = matches;
        self
    }

    /// Sets the longest line in an answer.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }
}

/// A line that matches, or one around it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrepLine {
    /// The file.
    pub path: SandboxPath,
    /// Number of the line, from 1.
    pub line: u64,
    /// The line without its end; what is no UTF-8 became U+FFFD.
    pub text: String,
    /// Whether `text` was cut at [`GrepQuery::max_line_bytes`].
    pub cut: bool,
    /// Whether the line matches (else it is context).
    pub is_match: bool,
}

impl GrepLine {
    /// A whole matching line.
    pub fn new(path: SandboxPath, line: u64, text: impl Into<String>) -> Self {
        Self {
            path,
            line,
            text: text.into(),
            cut: false,
            is_match: true,
        }
    }
}

/// Lines that match a [`GrepQuery`], sorted by path and line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrepOutput {
    /// Matches and context.
    pub lines: Vec<GrepLine>,
    /// Whether the limit left matches out.
    pub truncated: bool,
}

impl GrepOutput {
    /// Joins both parts.
    pub fn new(lines: Vec<GrepLine>, truncated: bool) -> Self {
        Self { lines, truncated }
    }
}

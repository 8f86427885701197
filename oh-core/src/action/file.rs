//! Files and directories.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::{ConfirmationState, SecurityRisk};
use crate::codec::payload::payload;
use crate::event::text::{Texts, no_texts};
use crate::runtime::quote;

/// How a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReadSource {
    /// The text as it is.
    #[default]
    Default,
    /// The editor's numbered listing.
    OhAci,
}

/// Who applies an edit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EditSource {
    /// A model rewrites the lines `start` to `end`.
    LlmBasedEdit,
    /// The editor carries out `command`.
    #[default]
    OhAci,
}

no_texts!(ReadSource, EditSource);

payload! {
    /// Reads a file.
    pub struct ReadAction {
        required {
            /// The file.
            path: String,
        }
        optional {
            /// First line, from 0 ([`ReadSource::Default`]).
            start: i64 = 0,
            /// Line to stop before; −1 is the end of the file ([`ReadSource::Default`]).
            end: i64 = -1,
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Danger of reading it.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
            /// How to read it.
            impl_source: ReadSource = ReadSource::Default,
            /// First and last line, from 1 ([`ReadSource::OhAci`]).
            view_range: Option<Vec<i64>> = None,
        }
        aside {
            /// How long it may take.
            timeout: Option<Duration>,
        }
    }
}

payload! {
    /// Writes a file.
    pub struct WriteAction {
        required {
            /// The file.
            path: String,
            /// Its new text, or the text of the lines `start` to `end`.
            content: String,
        }
        optional {
            /// First line to replace, from 0.
            start: i64 = 0,
            /// Line to stop before; −1 is the end of the file.
            end: i64 = -1,
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Danger of writing it.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
        }
        aside {
            /// How long it may take.
            timeout: Option<Duration>,
        }
    }
}

payload! {
    /// Changes a file.
    pub struct EditAction {
        required {
            /// The file.
            path: String,
        }
        optional {
            /// `view`, `create`, `str_replace`, `insert` or `undo_edit` ([`EditSource::OhAci`]).
            command: String = String::new(),
            /// Text of a new file (`create`).
            file_text: Option<String> = None,
            /// Text to replace (`str_replace`).
            old_str: Option<String> = None,
            /// Text to put in (`str_replace`, `insert`).
            new_str: Option<String> = None,
            /// Line to insert after; 0 is the top (`insert`).
            insert_line: Option<i64> = None,
            /// What the lines shall become ([`EditSource::LlmBasedEdit`]).
            content: String = String::new(),
            /// First line, from 1 ([`EditSource::LlmBasedEdit`]).
            start: i64 = 1,
            /// Last line; −1 is the end of the file ([`EditSource::LlmBasedEdit`]).
            end: i64 = -1,
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Danger of the edit.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
            /// Who applies it.
            impl_source: EditSource = EditSource::OhAci,
        }
        aside {
            /// How long it may take.
            timeout: Option<Duration>,
        }
    }
}

payload! {
    /// A file operation that OpenHands V0 has no kind for; its logs show it as a hidden command.
    pub struct FileAction {
        required {
            /// What to do.
            operation: FileOperation,
        }
        optional {
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Whether the user agreed.
            confirmation_state: ConfirmationState = ConfirmationState::Confirmed,
            /// Danger of the operation.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
        }
        aside {
            /// How long it may take.
            timeout: Option<Duration>,
        }
    }
}

/// What a [`FileAction`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum FileOperation {
    /// Entries of a directory.
    List {
        /// The directory.
        path: String,
        /// Levels to go down.
        depth: u64,
    },
    /// Kind, size and times of one path.
    Stat {
        /// The path.
        path: String,
    },
    /// Paths that fit a pattern.
    Glob {
        /// The pattern, as `src/**/*.rs`.
        pattern: String,
        /// Directory to start at.
        path: String,
    },
    /// Lines that fit a pattern.
    Grep {
        /// The regular expression.
        pattern: String,
        /// Directory or file to search.
        path: String,
        /// Only files that fit this glob pattern.
        include: Option<String>,
    },
    /// Deletes a path.
    Remove {
        /// The path.
        path: String,
        /// With everything below it.
        recursive: bool,
    },
    /// Moves a path.
    Rename {
        /// The path now.
        from: String,
        /// The path afterwards.
        to: String,
    },
    /// Makes a directory and its parents.
    MakeDir {
        /// The directory.
        path: String,
    },
}

impl FileOperation {
    /// A command line with the same meaning, for readers that know only commands.
    pub(crate) fn command_line(&self) -> String {
        match self {
            Self::List { path, depth } => format!("find {} -maxdepth {depth}", find_start(path)),
            Self::Stat { path } => format!("stat -- {}", quote(path)),
            Self::Glob { pattern, path } => {
                let pattern = quote(&format!("*/{pattern}"));
                format!("find {} -path {pattern}", find_start(path))
            }
            Self::Grep {
                pattern,
                path,
                include,
            } => {
                let include = include.as_ref().map_or_else(String::new, |glob| {
                    format!(" {}", quote(&format!("--include={glob}")))
                });
                format!(
                    "grep -rnE{include} -e {} -- {}",
                    quote(pattern),
                    quote(path)
                )
            }
            Self::Remove { path, recursive } => {
                let flag = if *recursive { " -r" } else { "" };
                format!("rm{flag} -- {}", quote(path))
            }
            Self::Rename { from, to } => format!("mv -T -- {} {}", quote(from), quote(to)),
            Self::MakeDir { path } => format!("mkdir -p -- {}", quote(path)),
        }
    }

    fn parts_mut(&mut self) -> [Option<&mut String>; 3] {
        match self {
            Self::List { path, .. }
            | Self::Stat { path }
            | Self::Remove { path, .. }
            | Self::MakeDir { path } => [Some(path), None, None],
            Self::Glob { pattern, path } => [Some(pattern), Some(path), None],
            Self::Grep {
                pattern,
                path,
                include,
            } => [Some(pattern), Some(path), include.as_mut()],
            Self::Rename { from, to } => [Some(from), Some(to), None],
        }
    }
}

/// A path that `find` cannot take for a part of its expression.
fn find_start(path: &str) -> String {
    if path.starts_with('/') {
        quote(path)
    } else {
        quote(&format!("./{path}"))
    }
}

impl Default for FileOperation {
    fn default() -> Self {
        Self::List {
            path: ".".to_owned(),
            depth: 1,
        }
    }
}

impl Texts for FileOperation {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        let mut copy = self.clone();
        for text in copy.parts_mut().into_iter().flatten() {
            visit(text);
        }
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.parts_mut().into_iter().flatten().for_each(visit);
    }
}

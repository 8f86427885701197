//! What a runtime answers to an edit.

use serde::{Deserialize, Serialize};

use crate::edit::edited::Edited;
use crate::edit::numbered::{line_count, number_lines};
use crate::runtime::SandboxPath;

/// Lines shown around a change.
const SNIPPET_CONTEXT: u64 = 4;

/// Lines of a change that are shown at its beginning and at its end, where it is longer.
const SNIPPET_EDGE: u64 = 30;

/// Result of an edit of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EditOutput {
    /// The file.
    pub path: SandboxPath,
    /// True where the edit made the file.
    pub created: bool,
    /// The text before, `None` where there was no file.
    pub before: Option<String>,
    /// The text now, `None` where an undo removed the file again.
    pub after: Option<String>,
    /// Unified diff with a file header; empty where nothing changed.
    pub diff: String,
    /// Numbered lines around the change, for a model; cut in the middle where it is long.
    pub snippet: String,
    /// First changed line of the text now, from 1.
    pub first_changed_line: u64,
    /// Last changed line of the text now.
    pub last_changed_line: u64,
}

impl EditOutput {
    /// Describes an edit that was written.
    pub fn new(path: SandboxPath, before: Option<String>, edited: Edited) -> Self {
        let snippet = snippet(&edited);
        Self {
            created: before.is_none(),
            after: Some(edited.text),
            snippet,
            first_changed_line: edited.first_changed_line,
            last_changed_line: edited.last_changed_line,
            ..Self::unchanged(path, before, &edited.diff)
        }
    }

    /// Describes an undo: what was there, and what is there again.
    pub fn restored(path: SandboxPath, before: Option<String>, after: Option<String>) -> Self {
        let edited = Edited::between(
            before.as_deref().unwrap_or_default(),
            after.clone().unwrap_or_default(),
        );
        let created = before.is_none() && after.is_some();
        Self {
            created,
            after,
            ..Self::new(path, before, edited)
        }
    }

    fn unchanged(path: SandboxPath, before: Option<String>, hunks: &str) -> Self {
        let diff = if hunks.is_empty() {
            String::new()
        } else {
            format!("--- {path}\n+++ {path}\n{hunks}")
        };
        Self {
            path,
            created: false,
            before,
            after: None,
            diff,
            snippet: String::new(),
            first_changed_line: 1,
            last_changed_line: 1,
        }
    }
}

fn snippet(edited: &Edited) -> String {
    let first = edited
        .first_changed_line
        .saturating_sub(SNIPPET_CONTEXT)
        .max(1);
    let last = edited
        .last_changed_line
        .saturating_add(SNIPPET_CONTEXT)
        .min(line_count(&edited.text));
    let head = first.saturating_add(SNIPPET_EDGE);
    let tail = last.saturating_sub(SNIPPET_EDGE);
    if tail <= head.saturating_add(1) {
        return number_lines(&edited.text, first..=last);
    }
    let hidden = tail - head - 1;
    format!(
        "{}   ...\t({hidden} lines not shown)\n{}",
        number_lines(&edited.text, first..=head),
        number_lines(&edited.text, tail..=last)
    )
}

//! The result of an edit.

use std::ops::Range;

use crate::edit::diff::unified_diff;
use crate::edit::numbered::line_count;

/// Context lines of the diffs in results.
const CONTEXT_LINES: usize = 3;

/// A text after an edit, with what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edited {
    /// The whole new text.
    pub text: String,
    /// Hunks of a unified diff with three lines of context, without a file header; empty where
    /// nothing changed.
    pub diff: String,
    /// First changed line of the new text, from 1. Where lines were only removed, the line that
    /// took their place.
    pub first_changed_line: u64,
    /// Last changed line of the new text, never before the first.
    pub last_changed_line: u64,
}

impl Edited {
    pub(super) fn replacing(current: &str, range: Range<usize>, new: &str) -> Self {
        let before = current.get(..range.start).unwrap_or_default();
        let after = current.get(range.end..).unwrap_or_default();
        let text = [before, new, after].concat();
        let end = range.start + new.len();
        Self::changed(current, text, range.start..end)
    }

    /// Describes the step from one text to another, for example of an undo.
    pub fn between(before: &str, after: impl Into<String>) -> Self {
        let after = after.into();
        let head = common(before.chars(), after.chars());
        let old_rest = before.get(head..).unwrap_or_default();
        let new_rest = after.get(head..).unwrap_or_default();
        let tail = common(old_rest.chars().rev(), new_rest.chars().rev());
        let changed = head..after.len().saturating_sub(tail);
        Self::changed(before, after, changed)
    }

    fn changed(before: &str, text: String, changed: Range<usize>) -> Self {
        let diff = unified_diff(before, &text, CONTEXT_LINES);
        let first = line_at(&text, changed.start);
        let last = line_at(&text, changed.end.saturating_sub(1)).max(first);
        let lines = line_count(&text).max(1);
        Self {
            diff,
            first_changed_line: first.min(lines),
            last_changed_line: last.min(lines),
            text,
        }
    }
}

/// Length in bytes of what both begin with.
fn common(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    a.zip(b)
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum()
}

fn line_at(text: &str, at: usize) -> u64 {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let newlines = before.iter().filter(|b| **b == b'\n').count();
    u64::try_from(newlines)
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

//! An edit, and its application to a text.

use serde::{Deserialize, Serialize};

use crate::edit::edited::Edited;
use crate::edit::error::EditError;
use crate::edit::hint::near_miss;
use crate::edit::line_ending::{LineEnding, ending_at};
use crate::edit::numbered::line_count;

/// A change of one text file.
///
/// Everything outside of the change stays byte for byte as it is. In a file whose lines all end
/// in CRLF, the texts of the edit may be given with LF: they match and are written as CRLF.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Edit {
    /// Creates a file that does not exist yet.
    Create {
        /// The whole text, written as given.
        text: String,
    },
    /// Replaces the only occurrence of a text.
    Replace {
        /// The text to replace: literal, and exactly once in the file (overlaps count).
        old: String,
        /// The text to write instead; empty removes.
        new: String,
    },
    /// Inserts whole lines.
    Insert {
        /// The line after which they go, from 1; 0 inserts at the top.
        after_line: u64,
        /// The lines. A line end is added where the last one has none, unless it becomes the end
        /// of a file without a final line end.
        text: String,
    },
    /// Takes back the latest change of the file. The history is state of the runtime, see
    /// [`UndoHistory`](crate::edit::UndoHistory).
    Undo,
}

impl Edit {
    /// Creates a file with this text.
    pub fn create(text: impl Into<String>) -> Self {
        Self::Create { text: text.into() }
    }

    /// Replaces `old`, which must occur exactly once, by `new`.
    pub fn replace(old: impl Into<String>, new: impl Into<String>) -> Self {
        Self::Replace {
            old: old.into(),
            new: new.into(),
        }
    }

    /// Inserts lines after a line; 0 inserts at the top.
    pub fn insert(after_line: u64, text: impl Into<String>) -> Self {
        Self::Insert {
            after_line,
            text: text.into(),
        }
    }

    /// Applies the edit to the present text of a file, `None` where there is no file.
    ///
    /// ```
    /// use oh_core::edit::Edit;
    /// let edited = Edit::replace("two", "2").apply(Some("one\ntwo\n"))?;
    /// assert_eq!(edited.text, "one\n2\n");
    /// assert_eq!(edited.diff, "@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
    /// # Ok::<(), oh_core::edit::EditError>(())
    /// ```
    ///
    /// # Errors
    /// [`EditError`], which says what to change about the edit. [`Undo`](Self::Undo) is always
    /// [`NothingToUndo`](EditError::NothingToUndo) here: a pure function has no history.
    pub fn apply(&self, current: Option<&str>) -> Result<Edited, EditError> {
        match (self, current) {
            (Self::Undo, _) => Err(EditError::NothingToUndo),
            (Self::Create { text }, None) => Ok(Edited::replacing("", 0..0, text)),
            (Self::Create { .. }, Some(_)) => Err(EditError::FileExists),
            (_, None) => Err(EditError::FileMissing),
            (Self::Replace { old, new }, Some(current)) => replace(current, old, new),
            (Self::Insert { after_line, text }, Some(current)) => {
                insert(current, *after_line, text)
            }
        }
    }
}

fn replace(current: &str, old: &str, new: &str) -> Result<Edited, EditError> {
    if old.is_empty() {
        return Err(EditError::EmptyOld);
    }
    let ending = LineEnding::of(current);
    let old = ending.write(old);
    let new = ending.write(new);
    if old == new {
        return Err(EditError::Identical);
    }
    let Some(at) = current.find(&*old) else {
        return Err(EditError::NoMatch {
            near: near_miss(current, &old),
        });
    };
    if is_repeated(current, &old, at) {
        return Err(several(current, &old));
    }
    Ok(Edited::replacing(current, at..at + old.len(), &new))
}

/// Also finds a second occurrence that overlaps the first: either could be meant.
fn is_repeated(current: &str, old: &str, at: usize) -> bool {
    let step = old.chars().next().map_or(1, char::len_utf8);
    current
        .get(at + step..)
        .is_some_and(|rest| rest.contains(old))
}

fn several(current: &str, old: &str) -> EditError {
    let mut count = 0;
    let mut lines = Vec::new();
    let mut seen = 0;
    let mut line = 1;
    let mut note = |at: usize| {
        count += 1;
        line += newlines(current.get(seen..at));
        seen = at;
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    };
    for (at, _) in current.match_indices(old) {
        note(at);
    }
    if count == 1 {
        // The second one overlaps the first, which a search for disjoint ones does not show.
        count = 2;
    }
    EditError::SeveralMatches { count, lines }
}

fn newlines(text: Option<&str>) -> u64 {
    let count = text.map_or(0, |text| text.bytes().filter(|b| *b == b'\n').count());
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn insert(current: &str, after_line: u64, text: &str) -> Result<Edited, EditError> {
    let lines = line_count(current);
    if after_line > lines {
        return Err(EditError::LineOutOfRange {
            asked: after_line,
            lines,
        });
    }
    let at: usize = current
        .split_inclusive('\n')
        .zip(0..after_line)
        .map(|(line, _)| line.len())
        .sum();
    let text = LineEnding::of(current).write(text);
    let ending = ending_at(current, at);
    let after_unfinished_line = current
        .get(..at)
        .is_some_and(|before| !before.is_empty() && !before.ends_with('\n'));
    let inserted = if after_unfinished_line {
        format!("{ending}{text}")
    } else if text.ends_with('\n') {
        text.into_owned()
    } else {
        format!("{text}{ending}")
    };
    Ok(Edited::replacing(current, at..at, &inserted))
}

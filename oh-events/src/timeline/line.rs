//! Lines for a terminal.

use oh_core::escape_for_terminal;

/// Characters that a line may have.
const WIDTH: usize = 160;

/// The first lines of a text, harmless to a terminal and not too long, and how many more it has.
pub(super) fn fold(text: &str, count: usize) -> (Vec<String>, usize) {
    let mut lines = text.trim_end().lines();
    let shown = lines.by_ref().take(count).map(clean).collect();
    (shown, lines.count())
}

pub(super) fn clean(line: &str) -> String {
    let line = escape_for_terminal(line.as_bytes());
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.into_owned(),
    }
}

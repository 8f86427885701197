//! Cutting the middle out of a long text.

use std::borrow::Cow;

/// Characters of command output that the Python implementation keeps in an event.
pub const OUTPUT_LIMIT_CHARS: usize = 30_000;

/// What stands in place of the characters cut out.
pub const TRUNCATION_MARK: &str = "\n[... Observation truncated due to length ...]\n";

/// Cuts a text of more than `limit` characters down to its first and last `limit / 2`, with
/// [`TRUNCATION_MARK`] between them.
///
/// Nothing calls this on load: an event keeps what its log holds. A text cut with the same limit
/// before is not cut deeper.
pub fn truncate_middle(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return Cow::Borrowed(text);
    }
    let half = limit / 2;
    let head_end = text
        .char_indices()
        .nth(half)
        .map_or(text.len(), |(at, _)| at);
    let tail_start = match half.checked_sub(1) {
        None => text.len(),
        Some(last) => text.char_indices().nth_back(last).map_or(0, |(at, _)| at),
    };
    let head = text.get(..head_end).unwrap_or_default();
    let tail = text.get(tail_start..).unwrap_or_default();
    Cow::Owned(format!("{head}{TRUNCATION_MARK}{tail}"))
}

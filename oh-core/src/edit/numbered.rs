//! Line numbers for a reader.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// Number of lines of a text. A line ends at LF; a last line without one counts.
pub fn line_count(text: &str) -> u64 {
    u64::try_from(text.split_inclusive('\n').count()).unwrap_or(u64::MAX)
}

/// Lines of a text, each after its number (six columns wide) and a tab. Lines outside of the text
/// are left out; line ends are written as LF.
///
/// ```
/// assert_eq!(oh_core::edit::number_lines("a\r\nb\nc", 2..=9), "     2\tb\n     3\tc\n");
/// ```
pub fn number_lines(text: &str, lines: RangeInclusive<u64>) -> String {
    number_piece(text, 1, lines)
}

/// As [`number_lines`], for a piece of a text whose first line has the number `first`.
pub(crate) fn number_piece(text: &str, first: u64, lines: RangeInclusive<u64>) -> String {
    let mut out = String::new();
    for (number, line) in (first..).zip(text.split_inclusive('\n')) {
        if number > *lines.end() {
            break;
        }
        if lines.contains(&number) {
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{number:>6}\t{line}");
        }
    }
    out
}

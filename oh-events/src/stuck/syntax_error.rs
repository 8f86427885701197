//! Syntax errors of Python cells that come back.

use super::print::Print;

/// The errors that a loop is recognised by; the first needs no known first line.
const ERRORS: [&str; 3] = [
    "SyntaxError: unterminated string literal (detected at line",
    "SyntaxError: invalid syntax. Perhaps you forgot a comma?",
    "SyntaxError: incomplete input",
];

/// For each known error, what the output of a cell must share with others to be the same error.
pub(super) type SyntaxErrors = [Option<Print>; 3];

/// Looks for the known errors in the output of a cell, which ends in the two lines about
/// directory and interpreter.
pub(super) fn find(content: &str) -> SyntaxErrors {
    let content = content.trim();
    let mut from_end = content.rsplit('\n');
    let (Some(last), Some(second_last), Some(line)) =
        (from_end.next(), from_end.next(), from_end.next())
    else {
        return [None; 3];
    };
    if !last.starts_with("[Jupyter Python interpreter:")
        || !second_last.starts_with("[Jupyter current working directory:")
    {
        return [None; 3];
    }
    let first = content.split('\n').next().unwrap_or_default().trim();
    let is_traceback = first.starts_with("Cell In[1], line") && content.split('\n').count() >= 6;
    let mut errors = ERRORS.into_iter();
    let any_place = errors.next();
    let mut found = [None; 3];
    let mut places = found.iter_mut();
    if let (Some(place), Some(error)) = (places.next(), any_place) {
        *place = line.contains(error).then(|| Print::of_text(line));
    }
    for (place, error) in places.zip(errors) {
        let is_it = is_traceback && line.contains(error);
        *place = is_it.then(|| Print::of_parts([first, line]));
    }
    found
}

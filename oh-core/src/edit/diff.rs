//! Unified diffs of texts.

use std::fmt::Write as _;

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

/// Changed lines beyond which a change is shown as one block removed and one block added. The
/// search for a smallest diff is quadratic in the worst case.
const SEARCHED_LINES: usize = 20_000;

/// Hunks of a unified diff, without a file header; empty where both texts are equal.
///
/// A line ends at LF; CR is part of its line, so a change of line ends shows.
pub fn unified_diff(before: &str, after: &str, context_lines: usize) -> String {
    if before == after {
        return String::new();
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let head = equal(old.iter(), new.iter());
    let old_rest = old.get(head..).unwrap_or_default();
    let new_rest = new.get(head..).unwrap_or_default();
    let tail = equal(old_rest.iter().rev(), new_rest.iter().rev());
    let old_core = old_rest.get(..old_rest.len() - tail).unwrap_or_default();
    let new_core = new_rest.get(..new_rest.len() - tail).unwrap_or_default();

    let mut ops = Vec::new();
    push_equal(&mut ops, 0, 0, head);
    if old_core.len() + new_core.len() > SEARCHED_LINES {
        ops.push(DiffOp::Replace {
            old_index: head,
            old_len: old_core.len(),
            new_index: head,
            new_len: new_core.len(),
        });
    } else {
        let found = capture_diff_slices(Algorithm::Myers, old_core, new_core);
        ops.extend(found.into_iter().map(|op| moved(op, head)));
    }
    push_equal(&mut ops, old.len() - tail, new.len() - tail, tail);

    let mut text = String::new();
    for hunk in group_diff_ops(ops, context_lines) {
        write_hunk(&mut text, &hunk, &old, &new);
    }
    text
}

fn equal<'a>(a: impl Iterator<Item = &'a &'a str>, b: impl Iterator<Item = &'a &'a str>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

fn push_equal(ops: &mut Vec<DiffOp>, old_index: usize, new_index: usize, len: usize) {
    if len > 0 {
        ops.push(DiffOp::Equal {
            old_index,
            new_index,
            len,
        });
    }
}

fn moved(op: DiffOp, by: usize) -> DiffOp {
    match op {
        DiffOp::Equal {
            old_index,
            new_index,
            len,
        } => DiffOp::Equal {
            old_index: old_index + by,
            new_index: new_index + by,
            len,
        },
        DiffOp::Delete {
            old_index,
            old_len,
            new_index,
        } => DiffOp::Delete {
            old_index: old_index + by,
            old_len,
            new_index: new_index + by,
        },
        DiffOp::Insert {
            old_index,
            new_index,
            new_len,
        } => DiffOp::Insert {
            old_index: old_index + by,
            new_index: new_index + by,
            new_len,
        },
        DiffOp::Replace {
            old_index,
            old_len,
            new_index,
            new_len,
        } => DiffOp::Replace {
            old_index: old_index + by,
            old_len,
            new_index: new_index + by,
            new_len,
        },
    }
}

fn write_hunk(text: &mut String, hunk: &[DiffOp], old: &[&str], new: &[&str]) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else {
        return;
    };
    let old_range = first.old_range().start..last.old_range().end;
    let new_range = first.new_range().start..last.new_range().end;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "@@ -{} +{} @@", span(&old_range), span(&new_range));
    for op in hunk {
        if matches!(op, DiffOp::Equal { .. }) {
            write_lines(text, ' ', old.get(op.old_range()));
        } else {
            write_lines(text, '-', old.get(op.old_range()));
            write_lines(text, '+', new.get(op.new_range()));
        }
    }
}

/// A range of the header: a length of 1 is left out, an empty range names the line before it.
fn span(range: &std::ops::Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => (range.start + 1).to_string(),
        len => format!("{},{len}", range.start + 1),
    }
}

fn write_lines(text: &mut String, sign: char, lines: Option<&[&str]>) {
    for line in lines.unwrap_or_default() {
        text.push(sign);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

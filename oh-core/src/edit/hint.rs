//! What comes nearest to a text that was not found.

use std::collections::HashMap;
use std::fmt;

/// Lines and bytes of a line that are compared: a hint must not cost more than the edit.
const COMPARED_LINES: usize = 20_000;
const COMPARED_BYTES: usize = 400;

/// Share of common letter pairs from which two lines are called similar.
const SIMILAR: f64 = 0.5;

/// Characters of a line that a message shows.
const SHOWN_CHARS: usize = 160;

/// The place in a file that comes nearest to a text that does not occur in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NearMiss {
    /// The same but for line ends (CRLF or LF).
    LineEnds {
        /// Line on which it begins, from 1.
        line: u64,
    },
    /// The same but for white space at the beginning or end of lines.
    WhiteSpace {
        /// Line on which it begins, from 1.
        line: u64,
        /// That line as it stands in the file.
        text: String,
    },
    /// A line like the first one of the text.
    Similar {
        /// The line, from 1.
        line: u64,
        /// That line as it stands in the file.
        text: String,
    },
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineEnds { line } => write!(
                f,
                "at line {line} it differs only in line ends (CRLF or LF); give them as they are in \
                 the file, or replace line by line"
            ),
            Self::WhiteSpace { line, text } => write!(
                f,
                "at line {line} it differs only in white space; that line is {}",
                shown(text)
            ),
            Self::Similar { line, text } => {
                write!(f, "the most similar line is line {line}: {}", shown(text))
            }
        }
    }
}

/// Quoted, with white space that can be told apart.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    let dots = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut:?}{dots}")
}

pub(super) fn near_miss(current: &str, old: &str) -> Option<NearMiss> {
    line_end_miss(current, old)
        .or_else(|| white_space_miss(current, old))
        .or_else(|| similar_line(current, old))
}

fn line_end_miss(current: &str, old: &str) -> Option<NearMiss> {
    if !current.contains('\r') && !old.contains('\r') {
        return None;
    }
    let current = current.replace("\r\n", "\n");
    let at = current.find(&old.replace("\r\n", "\n"))?;
    let newlines = current.get(..at)?.matches('\n').count();
    Some(NearMiss::LineEnds {
        line: number(newlines),
    })
}

fn white_space_miss(current: &str, old: &str) -> Option<NearMiss> {
    let wanted: Vec<&str> = old.trim().lines().map(str::trim).collect();
    if wanted.iter().all(|line| line.is_empty()) {
        return None;
    }
    let lines: Vec<&str> = current.lines().take(COMPARED_LINES).collect();
    let index = lines
        .windows(wanted.len())
        .position(|window| window.iter().zip(&wanted).all(|(a, b)| a.trim() == *b))?;
    Some(NearMiss::WhiteSpace {
        line: number(index),
        text: (*lines.get(index)?).to_owned(),
    })
}

fn similar_line(current: &str, old: &str) -> Option<NearMiss> {
    let wanted = pairs(old.lines().map(str::trim).find(|line| !line.is_empty())?);
    let mut best: Option<(f64, usize, &str)> = None;
    for (index, line) in current.lines().take(COMPARED_LINES).enumerate() {
        let score = dice(&wanted, &pairs(line.trim()));
        if score >= SIMILAR && best.is_none_or(|(known, _, _)| score > known) {
            best = Some((score, index, line));
        }
    }
    best.map(|(_, index, line)| NearMiss::Similar {
        line: number(index),
        text: line.to_owned(),
    })
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1)
}

fn pairs(line: &str) -> HashMap<[u8; 2], u32> {
    let bytes = line.as_bytes();
    let bytes = bytes.get(..COMPARED_BYTES).unwrap_or(bytes);
    let mut counts = HashMap::new();
    for pair in bytes.windows(2) {
        if let [a, b] = *pair {
            *counts.entry([a, b]).or_insert(0) += 1;
        }
    }
    counts
}

/// Twice the common pairs over all pairs: 0 for nothing in common, 1 for equal.
fn dice(a: &HashMap<[u8; 2], u32>, b: &HashMap<[u8; 2], u32>) -> f64 {
    let all = a.values().sum::<u32>() + b.values().sum::<u32>();
    if all == 0 {
        return 0.0;
    }
    let common: u32 = a
        .iter()
        .map(|(pair, count)| b.get(pair).map_or(0, |other| *count.min(other)))
        .sum();
    f64::from(2 * common) / f64::from(all)
}

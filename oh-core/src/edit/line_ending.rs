//! Line ends of a file, kept by every edit.

use std::borrow::Cow;

/// How the lines of a file end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnding {
    /// Every line ends in CRLF.
    Crlf,
    /// LF, a mixture, or a single line: texts are taken as they are.
    AsGiven,
}

impl LineEnding {
    pub(super) fn of(text: &str) -> Self {
        let mut rest = text;
        let mut found = false;
        while let Some(at) = rest.find('\n') {
            let (line, after) = rest.split_at(at);
            if !line.ends_with('\r') {
                return Self::AsGiven;
            }
            found = true;
            rest = after.get(1..).unwrap_or_default();
        }
        if found { Self::Crlf } else { Self::AsGiven }
    }

    /// The text with the line ends of the file.
    pub(super) fn write(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::AsGiven => Cow::Borrowed(text),
            Self::Crlf => to_crlf(text),
        }
    }
}

pub(super) fn to_crlf(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for piece in text.split_inclusive('\n') {
        match piece.strip_suffix('\n') {
            Some(line) => {
                out.push_str(line.strip_suffix('\r').unwrap_or(line));
                out.push_str("\r\n");
            }
            None => out.push_str(piece),
        }
    }
    Cow::Owned(out)
}

/// The line end used around a byte position: of the line before it, else of the line after it.
pub(super) fn ending_at(text: &str, at: usize) -> &'static str {
    let before = text.get(..at).unwrap_or_default();
    let neighbour = before
        .rfind('\n')
        .or_else(|| text.find('\n'))
        .and_then(|newline| text.get(..newline));
    match neighbour {
        Some(line) if line.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

//! Strings within a JSON text.

use std::borrow::Cow;

/// A part of a valid JSON text: a string with its quotes, or what stands between strings.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Quoted(&'a str),
    Other(&'a str),
}

impl<'a> Piece<'a> {
    pub(crate) fn text(self) -> &'a str {
        match self {
            Self::Quoted(text) | Self::Other(text) => text,
        }
    }
}

/// Cuts a valid JSON text into [`Piece`]s. Needs no stack, so any depth will do.
pub(crate) struct Pieces<'a>(&'a str);

impl<'a> Pieces<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let quoted = self.0.starts_with('"');
        let end = if quoted {
            let mut escaped = false;
            self.0
                .bytes()
                .skip(1)
                .position(|byte| {
                    let ends = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                })
                .map_or(self.0.len(), |at| at + 2)
        } else {
            self.0.find('"').unwrap_or(self.0.len())
        };
        let (piece, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(if quoted {
            Piece::Quoted(piece)
        } else {
            Piece::Other(piece)
        })
    }
}

/// Text of a string literal. Halves of surrogate pairs, which Python writes, become U+FFFD.
pub(crate) fn unquote(literal: &str) -> Cow<'_, str> {
    let inner = literal
        .get(1..literal.len().saturating_sub(1))
        .unwrap_or("");
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    if let Ok(text) = serde_json::from_str::<String>(literal) {
        return Cow::Owned(text);
    }
    let mut mended = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('\\') {
        mended.push_str(before);
        let is_half = after.starts_with(['u'])
            && after.get(1..2).is_some_and(|d| d.eq_ignore_ascii_case("d"))
            && after
                .get(2..3)
                .is_some_and(|d| "89abcdefABCDEF".contains(d));
        let taken = if is_half { 5 } else { 1 };
        let escape = after.get(..taken).unwrap_or(after);
        mended.push('\\');
        mended.push_str(if is_half { "ufffd" } else { escape });
        rest = after.get(escape.len()..).unwrap_or("");
    }
    mended.push_str(rest);
    Cow::Owned(serde_json::from_str(&mended).unwrap_or_default())
}

//! Untrusted bytes, safe to write to a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Makes untrusted bytes safe to write to a terminal.
///
/// Control characters and marks that reverse the direction of text come out as `\x1b` or
/// `\u{202e}`, bytes that are not UTF-8 as `\xff`. Newline and tab stay, CRLF becomes a newline.
///
/// ```
/// use oh_core::terminal::escape_for_terminal;
/// assert_eq!(escape_for_terminal(b"\x1b[31mred\n"), "\\x1b[31mred\n");
/// ```
pub fn escape_for_terminal(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(is_harmless)
    {
        return Cow::Borrowed(text);
    }
    let mut escaper = TerminalEscaper::new();
    let mut text = escaper.push(bytes);
    text.push_str(&escaper.finish());
    Cow::Owned(text)
}

/// Like [`escape_for_terminal`], for a stream whose chunks may cut a character.
#[derive(Debug, Default)]
pub struct TerminalEscaper {
    /// A carriage return, or a character that is not complete.
    held: Vec<u8>,
}

impl TerminalEscaper {
    /// Starts a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a chunk and gives out what is safe to write.
    pub fn push(&mut self, chunk: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(chunk);
        let mut out = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let at_end = chunks.peek().is_none();
            let (valid, mut held) = match chunk.valid().strip_suffix('\r') {
                Some(before) if at_end && chunk.invalid().is_empty() => (before, &b"\r"[..]),
                _ => (chunk.valid(), &b""[..]),
            };
            escape_text(valid, &mut out);
            if at_end && is_unfinished(chunk.invalid()) {
                held = chunk.invalid();
            } else {
                escape_bytes(chunk.invalid(), &mut out);
            }
            self.held.extend_from_slice(held);
        }
        out
    }

    /// Ends the stream and gives out the rest.
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        escape_bytes(&std::mem::take(&mut self.held), &mut out);
        out
    }
}

fn is_unfinished(invalid: &[u8]) -> bool {
    !invalid.is_empty()
        && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

fn escape_text(text: &str, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_harmless(c) {
            out.push(c);
        } else if c == '\r' && chars.peek() == Some(&'\n') {
            // The newline follows.
        } else if c.is_ascii() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

fn escape_bytes(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

fn is_harmless(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        // Marks, embeddings, overrides and isolates of text direction.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => false,
        '\u{2066}'..='\u{2069}' => false,
        c => !c.is_control(),
    }
}

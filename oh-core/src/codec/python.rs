//! Python's spelling of plain values: written in derived texts, read from old recordings.

use crate::event::{Piece, Pieces, RawJson, RawObject, unquote};

/// `repr()` of a JSON value.
pub(crate) fn repr(json: &RawJson) -> String {
    let mut out = String::with_capacity(json.as_str().len() + 16);
    for piece in Pieces::new(json.as_str()) {
        match piece {
            Piece::Quoted(literal) => repr_str(&unquote(literal), &mut out),
            Piece::Other(text) => repr_rest(text, &mut out),
        }
    }
    out
}

/// `str()` of a JSON value: as [`repr`], but a text is itself.
pub(crate) fn display(json: &RawJson) -> String {
    json.decode::<String>().unwrap_or_else(|_| repr(json))
}

fn repr_str(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => match u32::from(c) {
                code @ 0..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push(quote);
}

/// Rust and Python derive this from the same Unicode categories; the letter in front keeps Rust
/// from escaping combining marks. Rust has an escape of its own for NUL.
fn is_printable(c: char) -> bool {
    let text: String = ['a', c].iter().collect();
    c != '\0' && !text.escape_debug().to_string().starts_with("a\\u")
}

/// Everything that is no string: brackets, commas, numbers, names.
fn repr_rest(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word_end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(word_end.max(1)).unwrap_or((rest, ""));
        match word {
            "true" => out.push_str("True"),
            "false" => out.push_str("False"),
            "null" => out.push_str("None"),
            "," => out.push_str(", "),
            ":" => out.push_str(": "),
            word if word.contains(['.', 'e', 'E']) => repr_float(word, out),
            "-0" => out.push('0'),
            word => out.push_str(word),
        }
        debug_assert!(!c.is_whitespace());
        rest = after;
    }
}

fn repr_float(word: &str, out: &mut String) {
    let number: f64 = word.parse().unwrap_or_default();
    if number.is_infinite() {
        out.push_str(if number > 0.0 { "inf" } else { "-inf" });
        return;
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => out.push_str(&text),
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            out.push_str(&format!("{digits}e{sign}{exponent:0>2}"));
        }
    }
}

/// A literal `{'key': value, …}` whose keys are texts.
pub(crate) fn dict(text: &str) -> Option<RawObject> {
    let mut reader = Reader { rest: text };
    let json = reader.value(0)?;
    reader.skip_space();
    reader.rest.is_empty().then_some(())?;
    RawJson::parse(json).ok()?.decode().ok()
}

/// Turns Python literals into JSON text.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    const DEPTH: usize = 32;

    fn value(&mut self, depth: usize) -> Option<String> {
        if depth > Self::DEPTH {
            return None;
        }
        self.skip_space();
        match self.rest.chars().next()? {
            '{' => self.items('}', depth, true),
            '[' => self.items(']', depth, false),
            '(' => self.items(')', depth, false),
            '\'' | '"' => self.string(),
            _ => self.word(),
        }
    }

    fn items(&mut self, close: char, depth: usize, keyed: bool) -> Option<String> {
        self.advance(1)?;
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if self.eat(close) {
                break;
            }
            let mut item = self.value(depth + 1)?;
            if keyed {
                self.skip_space();
                self.eat(':').then_some(())?;
                item.push(':');
                item.push_str(&self.value(depth + 1)?);
            }
            items.push(item);
            self.skip_space();
            if !self.eat(',') {
                self.eat(close).then_some(())?;
                break;
            }
        }
        let items = items.join(",");
        Some(if keyed {
            format!("{{{items}}}")
        } else {
            format!("[{items}]")
        })
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.next()?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '\\' => match self.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'a' => text.push('\u{7}'),
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'v' => text.push('\u{b}'),
                    '\n' => {}
                    'x' => text.push(self.code(2)?),
                    'u' => text.push(self.code(4)?),
                    'U' => text.push(self.code(8)?),
                    '0' => text.push('\0'),
                    c @ ('\\' | '\'' | '"') => text.push(c),
                    c => text.extend(['\\', c]),
                },
                c if c == quote => break,
                '\n' => return None,
                c => text.push(c),
            }
        }
        serde_json::to_string(&text).ok()
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let code = u32::from_str_radix(self.rest.get(..digits)?, 16).ok()?;
        self.advance(digits)?;
        Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn word(&mut self) -> Option<String> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)))
            .unwrap_or(self.rest.len());
        let word = self.rest.get(..end)?.to_owned();
        self.advance(end)?;
        match word.as_str() {
            "True" => Some("true".to_owned()),
            "False" => Some("false".to_owned()),
            "None" => Some("null".to_owned()),
            // Anything that JSON takes as a number is one in Python; the reverse is not needed.
            _ => serde_json::from_str::<serde_json::Number>(&word)
                .ok()
                .map(|_| word),
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.advance(c.len_utf8())?;
        Some(c)
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn advance(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

//! What a terminal shows, as plain text.

use std::fmt;

use vte::{Params, Parser, Perform};

use crate::terminal::window::Window;

/// Times that one character is repeated on request.
const REPEATED: usize = 4096;

/// Turns what programs write to a terminal into the plain text that a reader would see.
///
/// Lines that are rewritten (progress bars, prompts, tables of several lines) come out once, as
/// they were last; colours, titles and links are dropped, CRLF becomes LF, what is not UTF-8
/// becomes U+FFFD. A line is settled, and can be taken, when 64 lines below it were begun. Full
/// screen programs draw on the alternate screen, which is dropped. A line is never wrapped; one
/// of more than 16,384 columns is given out in parts, of which only the last can be rewritten.
///
/// Memory is bounded, if the text is taken. The result does not depend on how the bytes are cut.
///
/// ```
/// use oh_core::terminal::TerminalText;
/// let mut terminal = TerminalText::new();
/// terminal.push(b"10%\r\x1b[K100%\r\n\x1b[32mdone\x1b[0m\r\n");
/// assert_eq!(terminal.finish(), "100%\ndone\n");
/// ```
pub struct TerminalText {
    parser: Parser,
    screen: Screen,
    /// A character that is not complete. The parser keeps one too, but then loses what follows it
    /// in the same chunk (vte 0.15, `advance_partial_utf8`).
    begun: Vec<u8>,
}

#[derive(Default)]
struct Screen {
    window: Window,
    alternate: bool,
    last: Option<char>,
}

impl TerminalText {
    /// Starts with an empty terminal.
    pub fn new() -> Self {
        Self {
            parser: Parser::new(),
            screen: Screen::default(),
            begun: Vec::new(),
        }
    }

    /// Takes what was written to the terminal.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.begun.is_empty() {
            self.advance(bytes);
        } else {
            let mut joined = std::mem::take(&mut self.begun);
            joined.extend_from_slice(bytes);
            self.advance(&joined);
        }
    }

    fn advance(&mut self, bytes: &[u8]) {
        let (whole, begun) = bytes.split_at(bytes.len() - begun_len(bytes));
        self.parser.advance(&mut self.screen, whole);
        self.begun.extend_from_slice(begun);
    }

    /// Takes out the text that is settled, and was not taken before.
    pub fn take_text(&mut self) -> String {
        self.screen.window.take_settled()
    }

    /// All text that was not taken, settled or not, without taking it.
    pub fn text(&self) -> String {
        let mut text = self.screen.window.settled().to_owned();
        self.screen.window.append_live(&mut text);
        text
    }

    /// True while a full screen program draws, whose text is dropped.
    pub fn is_alternate_screen(&self) -> bool {
        self.screen.alternate
    }

    /// Ends the terminal and takes out all text that was not taken. It is then as new.
    pub fn finish(&mut self) -> String {
        // An escape ends a character that was not complete; on its own it shows nothing.
        self.push(b"\x1b");
        let text = self.text();
        *self = Self::new();
        text
    }
}

/// Length of a character at the end that is not complete.
fn begun_len(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|len| {
            let end = bytes.get(bytes.len() - len..).unwrap_or_default();
            std::str::from_utf8(end)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

impl Default for TerminalText {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TerminalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalText")
            .field("settled_bytes", &self.screen.window.settled().len())
            .field("alternate", &self.screen.alternate)
            .finish_non_exhaustive()
    }
}

impl Screen {
    fn set_modes(&mut self, params: &Params, alternate: bool) {
        for mode in params.iter().filter_map(|param| param.first()) {
            if matches!(mode, 47 | 1047 | 1049) {
                self.alternate = alternate;
            }
        }
    }
}

impl Perform for Screen {
    fn print(&mut self, c: char) {
        if self.alternate {
            return;
        }
        let c = match c {
            '\u{7f}' => return,
            '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
            c => c,
        };
        self.window.write(c);
        self.last = Some(c);
    }

    fn execute(&mut self, byte: u8) {
        if self.alternate {
            return;
        }
        match byte {
            b'\n' | 0x0b | 0x0c => self.window.new_line(),
            b'\r' => self.window.carriage_return(),
            0x08 => self.window.move_left(1),
            b'\t' => self.window.tab(),
            // A lone byte and a control character arrive alike, and in a chunk of its own the
            // latter is printed: all become the same.
            0x80..=0x9f => self.print(char::REPLACEMENT_CHARACTER),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, marks: &[u8], _ignore: bool, action: char) {
        match (marks, action) {
            (b"?", 'h') => self.set_modes(params, true),
            (b"?", 'l') => self.set_modes(params, false),
            _ => {}
        }
        if self.alternate || !marks.is_empty() {
            return;
        }
        let param = |nth: usize| params.iter().nth(nth).and_then(|p| p.first()).copied();
        let first = usize::from(param(0).unwrap_or(0));
        let count = first.max(1);
        let window = &mut self.window;
        match action {
            'A' => window.move_up(count),
            'B' | 'e' => window.move_down(count),
            'C' | 'a' => window.move_right(count),
            'D' => window.move_left(count),
            'E' => {
                window.move_down(count);
                window.carriage_return();
            }
            'F' => {
                window.move_up(count);
                window.carriage_return();
            }
            'G' | '`' => window.move_to_column(count - 1),
            'd' => window.move_to_row(count - 1),
            'H' | 'f' => {
                window.move_to_row(count - 1);
                let column = usize::from(param(1).unwrap_or(0));
                window.move_to_column(column.saturating_sub(1));
            }
            'J' => match first {
                0 => window.erase_below(),
                1 => window.erase_above(),
                _ => window.erase_all(),
            },
            'K' => match first {
                0 => window.erase_line_from_cursor(),
                1 => window.erase_line_to_cursor(),
                _ => window.erase_line(),
            },
            'X' => window.blank(count),
            '@' => window.insert_blanks(count),
            'P' => window.remove_columns(count),
            'L' => window.insert_lines(count),
            'M' => window.remove_lines(count),
            'S' => window.scroll_up(count),
            's' => window.save_cursor(),
            'u' => window.restore_cursor(),
            'b' => {
                for c in self.last.into_iter().cycle().take(count.min(REPEATED)) {
                    self.window.write(c);
                }
            }
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, marks: &[u8], _ignore: bool, byte: u8) {
        if !marks.is_empty() {
            return;
        }
        if byte == b'c' {
            self.alternate = false;
            self.window.erase_all();
            self.window.move_to_row(0);
            self.window.carriage_return();
        }
        if self.alternate {
            return;
        }
        match byte {
            b'7' => self.window.save_cursor(),
            b'8' => self.window.restore_cursor(),
            b'D' => self.window.move_down(1),
            b'E' => self.window.new_line(),
            b'M' => self.window.move_up(1),
            _ => {}
        }
    }
}

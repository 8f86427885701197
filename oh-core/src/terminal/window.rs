//! The last lines of a terminal, which a program can still rewrite.

use std::collections::VecDeque;

use crate::terminal::line::Line;

/// Lines that can be rewritten.
const WINDOW_LINES: usize = 64;

/// Columns after which a line is given out although it has not ended: memory stays bounded.
const LINE_COLUMNS: usize = 16 * 1024;

/// The last lines of a terminal, with a cursor. Lines that leave it are settled text.
///
/// The cursor may be outside of what was written; lines and columns come to be when something is
/// written there.
#[derive(Debug, Default)]
pub(super) struct Window {
    lines: VecDeque<Line>,
    row: usize,
    column: usize,
    saved: (usize, usize),
    settled: String,
}

impl Window {
    pub(super) fn write(&mut self, c: char) {
        self.begin_line();
        if let Some(line) = self.lines.get_mut(self.row) {
            line.write(self.column, c);
        }
        self.column += 1;
        if self.column >= LINE_COLUMNS {
            self.settle_long_line();
        }
    }

    pub(super) fn tab(&mut self) {
        self.begin_line();
        if let Some(line) = self.lines.get_mut(self.row) {
            self.column = line.tab(self.column);
        }
        if self.column >= LINE_COLUMNS {
            self.settle_long_line();
        }
    }

    /// Goes to the beginning of the next line: the terminal's driver may or may not have put a
    /// carriage return before the line feed.
    pub(super) fn new_line(&mut self) {
        self.begin_line();
        self.column = 0;
        self.row += 1;
        if self.row == WINDOW_LINES {
            self.settle_top();
            self.row -= 1;
        }
        self.begin_line();
    }

    pub(super) fn carriage_return(&mut self) {
        self.column = 0;
    }

    pub(super) fn move_up(&mut self, lines: usize) {
        self.row = self.row.saturating_sub(lines);
    }

    pub(super) fn move_down(&mut self, lines: usize) {
        self.move_to_row(self.row.saturating_add(lines));
    }

    pub(super) fn move_left(&mut self, columns: usize) {
        self.column = self.column.saturating_sub(columns);
    }

    pub(super) fn move_right(&mut self, columns: usize) {
        self.move_to_column(self.column.saturating_add(columns));
    }

    /// Goes to a line, counted from the first that can be rewritten.
    pub(super) fn move_to_row(&mut self, row: usize) {
        self.row = row.min(WINDOW_LINES - 1);
    }

    pub(super) fn move_to_column(&mut self, column: usize) {
        self.column = column.min(LINE_COLUMNS - 1);
    }

    pub(super) fn save_cursor(&mut self) {
        self.saved = (self.row, self.column);
    }

    pub(super) fn restore_cursor(&mut self) {
        (self.row, self.column) = self.saved;
    }

    pub(super) fn erase_line_from_cursor(&mut self) {
        let column = self.column;
        if let Some(line) = self.lines.get_mut(self.row) {
            line.erase_from(column);
        }
    }

    pub(super) fn erase_line_to_cursor(&mut self) {
        let column = self.column;
        if let Some(line) = self.lines.get_mut(self.row) {
            line.blank(0, column + 1);
        }
    }

    pub(super) fn erase_line(&mut self) {
        if let Some(line) = self.lines.get_mut(self.row) {
            *line = Line::default();
        }
    }

    pub(super) fn erase_below(&mut self) {
        self.erase_line_from_cursor();
        self.lines.truncate(self.row + 1);
    }

    pub(super) fn erase_above(&mut self) {
        for line in self.lines.iter_mut().take(self.row) {
            *line = Line::default();
        }
        self.erase_line_to_cursor();
    }

    pub(super) fn erase_all(&mut self) {
        self.lines.clear();
    }

    pub(super) fn blank(&mut self, columns: usize) {
        let column = self.column;
        if let Some(line) = self.lines.get_mut(self.row) {
            line.blank(column, columns);
        }
    }

    pub(super) fn insert_blanks(&mut self, columns: usize) {
        let column = self.column;
        if let Some(line) = self.lines.get_mut(self.row) {
            let room = LINE_COLUMNS.saturating_sub(line.len());
            line.insert_blanks(column, columns.min(room));
        }
    }

    pub(super) fn remove_columns(&mut self, columns: usize) {
        let column = self.column;
        if let Some(line) = self.lines.get_mut(self.row) {
            line.remove(column, columns);
        }
    }

    pub(super) fn insert_lines(&mut self, lines: usize) {
        if self.row < self.lines.len() {
            for _ in 0..lines.min(WINDOW_LINES - self.row) {
                self.lines.insert(self.row, Line::default());
            }
            self.lines.truncate(WINDOW_LINES);
        }
    }

    pub(super) fn remove_lines(&mut self, lines: usize) {
        let end = self.row.saturating_add(lines).min(self.lines.len());
        if self.row < end {
            self.lines.drain(self.row..end);
        }
    }

    pub(super) fn scroll_up(&mut self, lines: usize) {
        for _ in 0..lines.min(self.lines.len()) {
            self.settle_top();
        }
    }

    pub(super) fn take_settled(&mut self) -> String {
        std::mem::take(&mut self.settled)
    }

    pub(super) fn settled(&self) -> &str {
        &self.settled
    }

    /// The lines that can still be rewritten, without a line end after the last.
    pub(super) fn append_live(&self, text: &mut String) {
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            line.append_to(text);
        }
    }

    /// Makes the line of the cursor, and those above it.
    fn begin_line(&mut self) {
        if self.lines.len() <= self.row {
            self.lines.resize_with(self.row + 1, Line::default);
        }
    }

    fn settle_top(&mut self) {
        if let Some(line) = self.lines.pop_front() {
            line.append_to(&mut self.settled);
            self.settled.push('\n');
        }
    }

    /// Gives out everything up to the cursor's line, and of that line what was written: it goes
    /// on without a line end.
    fn settle_long_line(&mut self) {
        while self.row > 0 {
            self.settle_top();
            self.row -= 1;
        }
        if let Some(line) = self.lines.front_mut() {
            std::mem::take(line).append_to(&mut self.settled);
        }
        self.column = 0;
        self.saved = (0, 0);
    }
}

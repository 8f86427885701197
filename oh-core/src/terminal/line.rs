//! One line of a terminal.

/// Columns between tab stops.
const TAB: usize = 8;

/// A column that a tab before it covers.
const COVERED: char = '\0';

/// One line of a terminal: a character for each column. Tabs stay tabs until something is written
/// into the columns that they cover.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(Vec<char>);

impl Line {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn write(&mut self, column: usize, c: char) {
        if column == self.0.len() {
            self.0.push(c);
            return;
        }
        self.open(column);
        self.pad(column + 1);
        if let Some(cell) = self.0.get_mut(column) {
            *cell = c;
        }
    }

    /// Advances to the next tab stop and returns its column.
    pub(super) fn tab(&mut self, column: usize) -> usize {
        let stop = (column / TAB + 1) * TAB;
        self.pad(column);
        if self.0.len() < stop {
            self.0.push('\t');
            self.0.resize(stop, COVERED);
        }
        stop
    }

    pub(super) fn erase_from(&mut self, column: usize) {
        self.open(column);
        self.0.truncate(column);
    }

    /// Blanks columns; those at the end of the line are removed.
    pub(super) fn blank(&mut self, first: usize, count: usize) {
        let end = first.saturating_add(count);
        if end >= self.0.len() {
            self.erase_from(first);
            return;
        }
        self.open(first);
        self.open(end);
        if let Some(cells) = self.0.get_mut(first..end) {
            cells.fill(' ');
        }
    }

    pub(super) fn insert_blanks(&mut self, column: usize, count: usize) {
        if column < self.0.len() {
            self.open(column);
            self.0
                .splice(column..column, std::iter::repeat_n(' ', count));
        }
    }

    pub(super) fn remove(&mut self, column: usize, count: usize) {
        if column < self.0.len() {
            let end = column.saturating_add(count).min(self.0.len());
            self.open(column);
            self.open(end);
            self.0.drain(column..end);
        }
    }

    pub(super) fn append_to(&self, text: &mut String) {
        text.extend(self.0.iter().filter(|c| **c != COVERED));
    }

    fn pad(&mut self, len: usize) {
        if self.0.len() < len {
            self.0.resize(len, ' ');
        }
    }

    /// Turns a tab into spaces before one of its columns is written or cut away.
    fn open(&mut self, column: usize) {
        let is_tab = |c: &char| *c == COVERED || *c == '\t';
        if !self.0.get(column).is_some_and(is_tab) {
            return;
        }
        let before = self.0.get(..=column).unwrap_or_default();
        let first = before.iter().rposition(|c| *c == '\t').unwrap_or(0);
        let after = self.0.get(first + 1..).unwrap_or_default();
        let covered = after.iter().take_while(|c| **c == COVERED).count();
        if let Some(cells) = self.0.get_mut(first..=first + covered) {
            cells.fill(' ');
        }
    }
}

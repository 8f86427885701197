//! The latest items of a sequence, within bounds.

use std::collections::VecDeque;

/// Keeps the latest items; what does not fit falls out at the old end.
#[derive(Debug)]
pub(super) struct Ring<T> {
    items: VecDeque<(T, usize)>,
    /// Number of the item that comes next.
    next: u64,
    bytes: usize,
    max_items: usize,
    max_bytes: usize,
}

impl<T> Ring<T> {
    pub(super) fn new(next: u64, max_items: usize, max_bytes: usize) -> Self {
        Self {
            items: VecDeque::new(),
            next,
            bytes: 0,
            max_items: max_items.max(1),
            max_bytes,
        }
    }

    /// Adds an item of a size. The newest item stays, however large it is.
    pub(super) fn push(&mut self, item: T, bytes: usize) {
        self.items.push_back((item, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.next += 1;
        while self.items.len() > 1
            && (self.items.len() > self.max_items || self.bytes > self.max_bytes)
        {
            if let Some((_, bytes)) = self.items.pop_front() {
                self.bytes = self.bytes.saturating_sub(bytes);
            }
        }
    }

    /// Number of the oldest item that is here.
    pub(super) fn first(&self) -> u64 {
        self.next - self.items.len() as u64
    }

    /// Number of the item that comes next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Items from a number on, which must not be before the first.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = &T> {
        let skip = usize::try_from(number.saturating_sub(self.first())).unwrap_or(usize::MAX);
        let skip = skip.min(self.items.len());
        self.items.range(skip..).map(|(item, _)| item)
    }
}

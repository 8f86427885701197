//! Which objects hold which events.

use super::names::EventsName;

/// An object of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) bytes: u64,
    pub(super) is_merged: bool,
}

impl Piece {
    pub(super) fn name(&self) -> EventsName {
        EventsName {
            first: self.first,
            end: self.is_merged.then_some(self.end),
        }
    }
}

/// The objects that are read, in the order of their events.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) pieces: Vec<Piece>,
    pub(super) next: u64,
}

/// What a listing says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arranged {
    pub(super) pieces: Vec<Piece>,
    /// The last object, if its name leaves open where it ends, and its size.
    pub(super) open: Option<(EventsName, u64)>,
    /// Objects whose events are in a merged one.
    pub(super) shadowed: Vec<EventsName>,
}

/// Sorts out a listing.
pub(super) fn arrange(mut listed: Vec<(EventsName, u64)>) -> Arranged {
    // Of objects that begin together the merged ones come first, the longest in front.
    listed.sort_by_key(|(name, _)| (name.first, std::cmp::Reverse(name.end)));
    let mut arranged = Arranged::default();
    let mut covered = 0;
    let mut rest = listed.iter();
    while let Some((name, bytes)) = rest.next() {
        if name.first < covered && name.end.is_none_or(|end| end <= covered) {
            arranged.shadowed.push(*name);
            continue;
        }
        // An append ends where the next object begins.
        let next = rest.as_slice().iter().map(|(next, _)| next.first);
        let Some(end) = name.end.or_else(|| next.clone().next()) else {
            arranged.open = Some((*name, *bytes));
            break;
        };
        covered = end;
        arranged.pieces.push(Piece {
            first: name.first,
            end,
            bytes: *bytes,
            is_merged: name.end.is_some(),
        });
    }
    arranged
}

impl Layout {
    /// Index of the first piece that ends after an event.
    pub(super) fn position(&self, id: u64) -> usize {
        self.pieces.partition_point(|piece| piece.end <= id)
    }

    /// Takes in what a listing found. Objects at the end that the listing is too old to show stay.
    pub(super) fn install(&mut self, pieces: Vec<Piece>) {
        let next = pieces.last().map_or(0, |last| last.end);
        let known = std::mem::replace(&mut self.pieces, pieces);
        let newer = known.into_iter().filter(|piece| piece.first >= next);
        self.pieces.extend(newer);
        self.next = self.next.max(next);
    }

    /// Adds an append.
    pub(super) fn push(&mut self, piece: Piece) {
        if piece.first >= self.next {
            self.next = piece.end;
            self.pieces.push(piece);
        }
    }

    /// Puts a merged object in the place of those that it holds.
    pub(super) fn merge(&mut self, merged: Piece) {
        self.pieces
            .retain(|piece| piece.first < merged.first || piece.end > merged.end);
        let at = self.position(merged.first);
        self.pieces.insert(at.min(self.pieces.len()), merged);
    }
}

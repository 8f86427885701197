//! Which objects hold which events.

use std::cmp::Reverse;

use super::names::{EventsName, Kind};

/// An object of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) bytes: u64,
    /// The turn that it was appended in, unless it was merged.
    pub(super) turn: Option<u64>,
}

impl Piece {
    pub(super) fn name(&self) -> EventsName {
        EventsName {
            first: self.first,
            kind: self.turn.map_or(Kind::Merged(self.end), Kind::Turn),
        }
    }

    pub(super) fn is_merged(&self) -> bool {
        self.turn.is_none()
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
    /// The last object, if its name leaves open where it ends: first event, turn, size.
    pub(super) open: Option<(u64, u64, u64)>,
    /// Objects whose events are in a merged one.
    pub(super) shadowed: Vec<EventsName>,
}

/// Sorts out a listing.
pub(super) fn arrange(mut listed: Vec<(EventsName, u64)>) -> Arranged {
    // Of objects that begin together the merged ones come first, the longest in front.
    listed.sort_by_key(|(name, _)| match name.kind {
        Kind::Merged(end) => (name.first, 0, Reverse(end), 0),
        Kind::Turn(turn) => (name.first, 1, Reverse(0), turn),
    });
    let mut arranged = Arranged::default();
    let mut covered = 0;
    let mut rest = listed.iter();
    while let Some((name, bytes)) = rest.next() {
        let (first, bytes) = (name.first, *bytes);
        let (end, turn) = match name.kind {
            Kind::Merged(end) if end <= covered => {
                arranged.shadowed.push(*name);
                continue;
            }
            Kind::Merged(end) => (end, None),
            Kind::Turn(turn) => {
                if first < covered {
                    arranged.shadowed.push(*name);
                    continue;
                }
                // An append ends where the next object begins.
                match rest.as_slice().first() {
                    None => {
                        arranged.open = Some((first, turn, bytes));
                        break;
                    }
                    // Not an append but the end of a turn, as the event came in a later one.
                    Some((next, _)) if next.first == first => continue,
                    Some((next, _)) => (next.first, Some(turn)),
                }
            }
        };
        covered = end;
        arranged.pieces.push(Piece {
            first,
            end,
            bytes,
            turn,
        });
    }
    arranged
}

impl Layout {
    /// Index of the first piece that ends after an event.
    pub(super) fn position(&self, id: u64) -> usize {
        self.pieces.partition_point(|piece| piece.end <= id)
    }

    /// Takes in what a listing found. What is known to reach farther stays, as the listing can be
    /// older.
    pub(super) fn install(&mut self, pieces: Vec<Piece>) {
        let next = pieces.last().map_or(0, |last| last.end);
        let mut newer = std::mem::replace(&mut self.pieces, pieces);
        newer.retain(|piece| piece.end > next);
        if let Some(first) = newer.first().map(|piece| piece.first) {
            self.pieces.retain(|piece| piece.first < first);
        }
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
        let holds = |one: &Piece, other: &Piece| one.first <= other.first && one.end >= other.end;
        self.pieces.retain(|piece| !holds(&merged, piece));
        if self.pieces.iter().any(|piece| holds(piece, &merged)) {
            return;
        }
        // Writers that merge differently leave objects that overlap.
        let at = self
            .pieces
            .partition_point(|piece| piece.first < merged.first);
        self.pieces.insert(at, merged);
    }
}

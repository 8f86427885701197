//! Names and listings.

use crate::store::object::layout::{Layout, Piece, arrange};
use crate::store::object::names::{EventsName, Kind};

fn turn(first: u64, turn: u64) -> (EventsName, u64) {
    (EventsName::turn(first, turn), 1)
}

fn merged(first: u64, end: u64) -> (EventsName, u64) {
    let kind = Kind::Merged(end);
    (EventsName { first, kind }, 1)
}

fn ranges(pieces: &[Piece]) -> Vec<(u64, u64)> {
    pieces
        .iter()
        .map(|piece| (piece.first, piece.end))
        .collect()
}

#[test]
fn of_objects_that_overlap_the_one_that_reaches_farther_is_read() {
    let arranged = arrange(vec![
        turn(0, 1),
        turn(3, 1),
        turn(5, 1),
        merged(5, 9),
        turn(7, 1),
        merged(3, 20),
        turn(20, 1),
        turn(22, 1),
    ]);
    assert_eq!(ranges(&arranged.pieces), [(0, 3), (3, 20), (20, 22)]);
    assert_eq!(arranged.open, Some((22, 1, 1)));
    assert_eq!(arranged.shadowed.len(), 4);
}

#[test]
fn a_name_that_stays_taken_is_no_end() {
    // The last object that is listed is in a merged one.
    let arranged = arrange(vec![merged(0, 10), turn(4, 3)]);
    assert_eq!(ranges(&arranged.pieces), [(0, 10)]);
    assert_eq!(arranged.open, None);
}

#[test]
fn the_end_of_a_turn_is_no_append() {
    let arranged = arrange(vec![
        turn(0, 0),
        turn(0, 1),
        turn(2, 1),
        turn(2, 2),
        turn(2, 3),
        turn(4, 3),
    ]);
    assert_eq!(ranges(&arranged.pieces), [(0, 2), (2, 4)]);
    assert_eq!(arranged.pieces[1].turn, Some(3));
    assert_eq!(arranged.open, Some((4, 3, 1)));
}

fn piece(first: u64, end: u64, turn: Option<u64>) -> Piece {
    Piece {
        first,
        end,
        bytes: 1,
        turn,
    }
}

fn layout(pieces: &[Piece]) -> Layout {
    let mut layout = Layout::default();
    layout.install(pieces.to_vec());
    layout
}

#[test]
fn a_listing_that_is_older_than_a_merge_hides_no_event() {
    let appends: Vec<Piece> = (0..5).map(|id| piece(id, id + 1, Some(1))).collect();
    let mut layout = layout(&appends);
    layout.merge(piece(0, 4, None));
    layout.install(appends[..2].to_vec());
    assert_eq!(ranges(&layout.pieces), [(0, 4), (4, 5)]);
    assert_eq!(layout.next, 5);
}

#[test]
fn objects_that_two_writers_merged_differently_hide_no_event() {
    // Another writer merged what this one had not chosen.
    let mut overlapping = layout(&[piece(0, 5, None), piece(5, 6, Some(1))]);
    overlapping.merge(piece(2, 6, None));
    assert_eq!(ranges(&overlapping.pieces), [(0, 5), (2, 6)]);
    assert_eq!(overlapping.position(0), 0);
    // What it merged holds all of what this one merged.
    let mut inside = layout(&[piece(0, 9, None), piece(9, 10, Some(1))]);
    inside.merge(piece(2, 6, None));
    assert_eq!(ranges(&inside.pieces), [(0, 9), (9, 10)]);
}

#[test]
fn only_names_of_this_form_are_events() {
    let parse = EventsName::parse;
    let (first, second) = ("00000000000000000007", "00000000000000000009");
    assert_eq!(parse(&format!("{first}.{second}.log")), Some(turn(7, 9).0));
    assert_eq!(
        parse(&format!("{first}-{second}.log")),
        Some(merged(7, 9).0)
    );
    assert_eq!(parse(&format!("{second}-{first}.log")), None);
    assert_eq!(parse(&format!("{first}-{first}.log")), None);
    for other in ["7.9.log", "log", "00000000000000000007.log", "x-y.log"] {
        assert_eq!(parse(other), None);
    }
}

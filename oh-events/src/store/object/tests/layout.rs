//! Names and listings.

use crate::store::object::layout::{Piece, arrange};
use crate::store::object::names::EventsName;

fn name(first: u64, end: Option<u64>) -> (EventsName, u64) {
    (EventsName { first, end }, 1)
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
        name(0, None),
        name(3, None),
        name(5, None),
        name(5, Some(9)),
        name(7, None),
        name(3, Some(20)),
        name(20, None),
        name(22, None),
    ]);
    assert_eq!(ranges(&arranged.pieces), [(0, 3), (3, 20), (20, 22)]);
    assert_eq!(arranged.open, Some(name(22, None)));
    assert_eq!(arranged.shadowed.len(), 4);
}

#[test]
fn a_name_that_stays_taken_is_no_end() {
    // The last object that is listed is in a merged one.
    let arranged = arrange(vec![name(0, Some(10)), name(4, None)]);
    assert_eq!(ranges(&arranged.pieces), [(0, 10)]);
    assert_eq!(arranged.open, None);
}

#[test]
fn only_names_of_this_form_are_events() {
    let parse = EventsName::parse;
    let first = "00000000000000000007";
    assert_eq!(parse(&format!("{first}.log")), Some(name(7, None).0));
    let merged = format!("{first}-00000000000000000009.log");
    assert_eq!(parse(&merged), Some(name(7, Some(9)).0));
    for other in [
        "7.log",
        "log",
        "0000000000000000000x.log",
        "+0000000000000000007.log",
    ] {
        assert_eq!(parse(other), None);
    }
    assert_eq!(parse(&format!("{first}-{first}.log")), None);
}

use bytes::Bytes;
use oh_core::SessionId;

use super::names::Names;
use super::piece::{Assembly, Batch, Heading, Piece};
use super::place::{End, Place};

fn piece(sequence: u64, first: u64, count: u64, (part, parts): (u64, u64), text: &str) -> Piece {
    Piece {
        sequence,
        heading: Heading {
            first,
            count,
            epoch: 1,
            part,
            parts,
            id: format!("t.{sequence}"),
        },
        payload: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn assemble(pieces: Vec<Piece>) -> Vec<Batch> {
    let mut assembly = Assembly::default();
    pieces
        .into_iter()
        .filter_map(|piece| assembly.push(piece))
        .collect()
}

fn lines(batch: &Batch) -> Vec<(u64, String)> {
    let line = |event: crate::Encoded| {
        let json = String::from_utf8(event.json().to_vec()).unwrap();
        (event.id().0, json)
    };
    batch.events().unwrap().into_iter().map(line).collect()
}

#[test]
fn a_batch_in_parts_is_what_it_was() {
    let batches = assemble(vec![
        piece(4, 7, 2, (1, 3), "{\"a"),
        piece(5, 7, 2, (2, 3), "\":1}\n"),
        piece(6, 7, 2, (3, 3), "{}"),
    ]);
    let [batch] = &batches[..] else {
        panic!("{batches:?}");
    };
    assert_eq!((batch.begin, batch.end), (4, 6));
    let wanted = [(7, "{\"a\":1}".to_owned()), (8, "{}".to_owned())];
    assert_eq!(lines(batch), wanted);
}

#[test]
fn parts_without_the_last_one_are_passed_over() {
    let batches = assemble(vec![
        piece(4, 7, 2, (1, 3), "lost"),
        piece(5, 7, 2, (2, 3), "lost"),
        piece(6, 7, 0, (1, 1), ""),
        piece(7, 7, 1, (1, 2), "{"),
        // A message of someone else lay between the two.
        piece(9, 7, 1, (2, 2), "}"),
        piece(10, 7, 1, (1, 1), "{}"),
    ]);
    let found: Vec<_> = batches
        .iter()
        .map(|batch| (batch.end, batch.count))
        .collect();
    assert_eq!(found, [(6, 0), (10, 1)]);
}

#[test]
fn a_batch_with_other_than_its_lines_is_no_events() {
    let batches = assemble(vec![
        piece(1, 0, 2, (1, 1), "{}"),
        piece(2, 2, 1, (1, 1), "{}\n{}"),
    ]);
    assert!(batches.iter().all(|batch| batch.events().is_none()));
}

#[test]
fn only_the_last_part_moves_the_next_id() {
    assert_eq!(piece(1, 5, 3, (1, 2), "").heading.next(), 5);
    assert_eq!(piece(2, 5, 3, (2, 2), "").heading.next(), 8);
}

#[test]
fn the_nearest_known_places_enclose_an_id() {
    let place = Place::new(End::default());
    place.reach(100, 50);
    let end = place.end();
    assert_eq!(place.around(30, end), ((0, 1), (100, 51)));
    for batch in 0..20_000 {
        place.note(batch * 2, batch + 1);
    }
    for id in [0, 1, 777, 20_001, 39_999] {
        let ((low, begin), (high, _)) = place.around(id, end);
        assert!(
            low <= id && (id < high || high == end.next),
            "{low} {id} {high}"
        );
        assert!(begin <= id / 2 + 1);
    }
}

#[test]
fn the_end_never_goes_back() {
    let place = Place::new(End::default());
    place.reach(8, 4);
    place.reach(5, 2);
    assert_eq!((place.end().next, place.end().sequence), (8, 4));
}

#[test]
fn names_of_sessions_come_back_from_their_subjects() {
    let names = Names::new("oh").unwrap();
    for name in ["demo", "a.b-c_d.", "A"] {
        let session = SessionId::new(name).unwrap();
        let subject = names.record(&session);
        assert_eq!(subject.matches('.').count(), 2, "{subject}");
        assert_eq!(names.session_of(&subject), Some(session));
    }
}

#[test]
fn a_prefix_that_would_split_a_subject_is_refused() {
    for prefix in ["", "a.b", "a-b", "*", ">", "a b", &"x".repeat(33)] {
        assert!(Names::new(prefix).is_err(), "{prefix}");
    }
}

use bytes::Bytes;
use proptest::prelude::*;

use super::{EventTooLarge, SseParser};

type Events = Vec<(String, String)>;

/// Feeds the pieces; `finish` at the end.
fn events<'p>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    max: usize,
) -> Result<Events, EventTooLarge> {
    let mut parser = SseParser::new(max);
    let mut events = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for piece in pieces {
        parser.push(Bytes::copy_from_slice(piece));
        while let Some(event) = parser.next()? {
            events.push((text(event.name), text(event.data)));
        }
    }
    if let Some(event) = parser.finish()? {
        events.push((text(event.name), text(event.data)));
    }
    Ok(events)
}

fn whole(stream: &str) -> Events {
    events([stream.as_bytes()], 1 << 20).unwrap()
}

fn data(stream: &str) -> Vec<String> {
    whole(stream).into_iter().map(|(_, data)| data).collect()
}

#[test]
fn events_are_separated_by_empty_lines_in_any_line_ending() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = ["data: a", "", "data: b", "", ""].join(end);
        assert_eq!(data(&stream), ["a", "b"], "{end:?}");
    }
}

#[test]
fn data_lines_are_joined_and_one_space_is_dropped() {
    assert_eq!(data("data: a\ndata:  b\ndata:c\ndata\n\n"), ["a\n b\nc\n"]);
}

#[test]
fn comments_other_fields_and_events_without_data_are_skipped() {
    let stream =
        ": ping\n\nid: 7\nretry: 5\nevent: lost\n\ndatabase: x\n\nevent: kept\ndata: a\n\n";
    assert_eq!(whole(stream), [("kept".to_owned(), "a".to_owned())]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_only() {
    assert_eq!(
        data("\u{feff}data: a\n\n\u{feff}data: b\n\ndata: c\n\n"),
        ["a", "c"]
    );
}

#[test]
fn an_event_that_the_stream_ends_in_comes_out_at_the_end() {
    assert_eq!(data("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
    assert_eq!(data("data: a\n\ndata: [DONE]\n"), ["a", "[DONE]"]);
}

#[test]
fn an_event_over_the_limit_is_refused_however_it_arrives() {
    let lines = "data: 0123456789\n".repeat(10);
    for stream in [format!("data: {}", "x".repeat(200)), lines] {
        let refused = EventTooLarge { max_bytes: 100 };
        assert_eq!(events([stream.as_bytes()], 100), Err(refused));
        assert_eq!(events(stream.as_bytes().chunks(1), 100), Err(refused));
    }
    // Many small ones are no large one.
    let small = "data: 0123456789\n\n".repeat(50);
    assert_eq!(events(small.as_bytes().chunks(7), 100).unwrap().len(), 50);
}

fn stream() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("data: ".to_owned()),
        Just("event: e".to_owned()),
        Just(": comment".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("\u{feff}".to_owned()),
        "[a-zä-ü€😀: ]{0,6}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_pieces_in_which_a_stream_arrives_change_nothing(
        stream in stream(),
        cuts in proptest::collection::vec(0_usize..200, 0..12),
    ) {
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        let expected = events([bytes], 1 << 20);
        prop_assert_eq!(&events(pieces, 1 << 20), &expected);
        prop_assert_eq!(&events(bytes.chunks(1), 1 << 20), &expected);
    }
}

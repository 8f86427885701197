use proptest::prelude::*;

use super::{TerminalEscaper, TerminalText, escape_for_terminal};

fn flat(bytes: impl AsRef<[u8]>) -> String {
    let mut terminal = TerminalText::new();
    terminal.push(bytes.as_ref());
    terminal.finish()
}

#[test]
fn a_progress_bar_comes_out_once_as_it_was_last() {
    let frames: String = (0..=100).map(|n| format!("\r\x1b[K{n}% done")).collect();
    assert_eq!(
        flat(format!("start\r\n{frames}\r\nend\r\n")),
        "start\n100% done\nend\n"
    );
}

#[test]
fn a_carriage_return_overwrites_only_what_is_written() {
    assert_eq!(flat("abcdef\rXY\r\n"), "XYcdef\n");
    assert_eq!(flat("abcdef\rXY\x1b[K"), "XY");
}

#[test]
fn backspaces_correct_what_was_typed() {
    assert_eq!(flat("helo\x08lo\n"), "hello\n");
    assert_eq!(flat("\x08\x08a"), "a");
}

#[test]
fn a_table_of_several_lines_is_rewritten_in_place() {
    let drawn =
        "a: waiting\r\nb: waiting\r\n\x1b[2A\x1b[2Ka: done\r\x1b[1B\x1b[2Kb: done\r\x1b[1Bend\r\n";
    assert_eq!(flat(drawn), "a: done\nb: done\nend\n");
}

#[test]
fn colours_titles_and_links_are_dropped_and_their_text_is_kept() {
    assert_eq!(
        flat("\x1b]0;title\x07\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n"),
        "red link\n"
    );
    assert_eq!(flat("\x1bPdevice\x1b\\\x1b(Bplain"), "plain");
}

#[test]
fn tabs_stay_tabs_until_something_is_written_over_them() {
    assert_eq!(flat("all:\n\tcc -o a\tb\n"), "all:\n\tcc -o a\tb\n");
    assert_eq!(flat("\tx\rab\n"), "ab      x\n");
    assert_eq!(flat("a\tb\x1b[4G\x1b[K."), "a  .");
}

#[test]
fn a_cleared_screen_shows_only_what_comes_after() {
    assert_eq!(flat("old\r\nold\r\n\x1b[H\x1b[2J\x1b[3Jnew\r\n"), "new\n");
    assert_eq!(flat("one\r\ntwo\r\n\x1b[A\x1b[Jnew"), "one\nnew");
}

#[test]
fn columns_and_lines_can_be_inserted_removed_and_blanked() {
    assert_eq!(flat("abcd\x1b[3D\x1b[2@X"), "aX bcd");
    assert_eq!(flat("abcd\x1b[3D\x1b[2P"), "ad");
    assert_eq!(flat("abcd\x1b[3D\x1b[2X"), "a  d");
    assert_eq!(flat("a\nc\x1b[L\rb"), "a\nb\nc");
    assert_eq!(flat("a\nb\nc\x1b[A\x1b[M"), "a\nc");
    assert_eq!(flat("ab\x1b[3bc"), "abbbbc");
    assert_eq!(flat("abc\x1b[1K"), "");
    assert_eq!(flat("\x1b7abc\x1b8X"), "Xbc");
}

#[test]
fn asking_for_the_size_of_the_screen_writes_nothing() {
    assert_eq!(flat("a\x1b7\x1b[999;999H\x1b[6n\x1b8b\n"), "ab\n");
}

#[test]
fn a_full_screen_program_leaves_no_text() {
    let mut terminal = TerminalText::new();
    terminal.push(b"$ vi\r\n\x1b[?1049h~\r\n~ garbage");
    assert!(terminal.is_alternate_screen());
    terminal.push(b"\x1b[?1049l$ ");
    assert!(!terminal.is_alternate_screen());
    assert_eq!(terminal.finish(), "$ vi\n$ ");
}

#[test]
fn bytes_that_are_no_utf8_are_replaced() {
    assert_eq!(flat(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
    assert_eq!(flat(b"caf\x92"), "caf\u{fffd}");
}

#[test]
fn a_character_cut_in_two_does_not_swallow_the_next() {
    let mut terminal = TerminalText::new();
    terminal.push(b"\xc3");
    terminal.push("\u{e4}b☃".as_bytes().get(1..).unwrap());
    assert_eq!(terminal.finish(), "äb☃");
}

#[test]
fn settled_text_can_be_taken_while_the_last_lines_can_still_change() {
    let mut terminal = TerminalText::new();
    let lines: String = (0..100).map(|n| format!("{n}\r\n")).collect();
    terminal.push(lines.as_bytes());
    let settled = terminal.take_text();
    assert!(
        settled.starts_with("0\n1\n") && settled.ends_with("36\n"),
        "{settled}"
    );
    assert!(terminal.text().starts_with("37\n"));
    assert_eq!(terminal.take_text(), "");
    terminal.push(b"\x1b[A\x1b[2Klast\r\n");
    assert!(terminal.finish().ends_with("98\nlast\n"));
    assert_eq!(terminal.finish(), "");
}

#[test]
fn one_line_without_end_is_complete_and_does_not_pile_up() {
    let mut terminal = TerminalText::new();
    let mut taken = String::new();
    let mut largest = 0;
    for _ in 0..100 {
        terminal.push(&[b'x'; 10_000]);
        taken.push_str(&terminal.take_text());
        largest = largest.max(terminal.text().len());
    }
    taken.push_str(&terminal.finish());
    assert_eq!(taken.len(), 1_000_000);
    assert!(largest <= 16 * 1024);
}

#[test]
fn printable_text_is_safe_and_control_characters_are_shown() {
    assert_eq!(escape_for_terminal("grün\t☃\n".as_bytes()), "grün\t☃\n");
    assert_eq!(escape_for_terminal(b"a\r\nb\rc"), "a\nb\\x0dc");
    assert_eq!(
        escape_for_terminal(b"\x1b]52;c;x\x07\x7f"),
        "\\x1b]52;c;x\\x07\\x7f"
    );
    assert_eq!(
        escape_for_terminal("\u{9b}31m\u{202e}".as_bytes()),
        "\\u{9b}31m\\u{202e}"
    );
    assert_eq!(escape_for_terminal(b"\xff\xc3"), "\\xff\\xc3");
}

/// Text and sequences as programs mix them, and anything else.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-zä☃ \t]{0,6}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "\r", "\n", "\r\n", "\x08", "\x1b7", "\x1b8", "\x1bM", "\x1bc"
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
        ("[0-9]{0,2}(;[0-9])?", "[A-HJKLMPSXGdfbsu@]")
            .prop_map(|(params, action)| format!("\x1b[{params}{action}").into_bytes()),
        "(1049|25)[hl]".prop_map(|mode| format!("\x1b[?{mode}").into_bytes()),
        "[a-z]{0,3}".prop_map(|title| format!("\x1b]0;{title}\x07").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_text(
        bytes in output(),
        cuts in prop::collection::vec(0_usize..5, 0..40),
    ) {
        let mut terminal = TerminalText::new();
        let mut text = String::new();
        let mut rest = &bytes[..];
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            terminal.push(chunk);
            text.push_str(&terminal.take_text());
            rest = after;
        }
        terminal.push(rest);
        text.push_str(&terminal.finish());
        prop_assert_eq!(text, flat(&bytes));
    }

    #[test]
    fn text_comes_out_without_control_characters(bytes in output()) {
        let text = flat(&bytes);
        prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{:?}", text);
    }

    #[test]
    fn plain_lines_pass_unchanged(lines in prop::collection::vec("[ -~\tä☃]{0,30}", 0..100)) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(flat(&text), text.as_str());
        prop_assert_eq!(flat(text.replace('\n', "\r\n")), text);
    }

    #[test]
    fn escaped_text_is_harmless_however_it_is_cut(
        bytes in output(),
        cuts in prop::collection::vec(0_usize..5, 0..40),
    ) {
        let mut escaper = TerminalEscaper::new();
        let mut text = String::new();
        let mut rest = &bytes[..];
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            text.push_str(&escaper.push(chunk));
            rest = after;
        }
        text.push_str(&escaper.push(rest));
        text.push_str(&escaper.finish());
        prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        prop_assert_eq!(text, escape_for_terminal(&bytes));
    }
}

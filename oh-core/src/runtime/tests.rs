use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn head_and_tail_are_the_same_however_the_output_was_cut(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        head in 0usize..30,
        tail in 0usize..30,
    ) {
        let whole: Vec<u8> = chunks.concat();
        let mut capture = Capture::new(CaptureLimit { head_bytes: head, tail_bytes: tail });
        for chunk in &chunks {
            capture.push(chunk);
        }
        let captured = capture.finish();
        let in_head = whole.len().min(head);
        let in_tail = (whole.len() - in_head).min(tail);
        prop_assert_eq!(&captured.head[..], &whole[..in_head]);
        prop_assert_eq!(&captured.tail[..], &whole[whole.len() - in_tail..]);
        prop_assert_eq!(captured.total_bytes, whole.len() as u64);
        prop_assert_eq!(captured.omitted_bytes() as usize, whole.len() - in_head - in_tail);
        prop_assert_eq!(captured.is_complete(), whole.len() <= head + tail);
    }

    #[test]
    fn a_quoted_word_holds_no_unquoted_shell_character(word in ".{0,40}") {
        let quoted = quote(&word);
        if quoted != word {
            prop_assert_eq!(
                quoted.strip_prefix('\'').and_then(|q| q.strip_suffix('\''))
                    .map(|inner| inner.replace(r"'\''", "'")),
                Some(word)
            );
        }
    }
}

#[test]
fn what_was_left_out_is_said_in_the_text() {
    let mut capture = Capture::new(CaptureLimit::each_bytes(3));
    capture.push(b"0123456789");
    let captured = capture.finish();
    assert_eq!(captured.to_text(), "012\n[... 4 bytes left out ...]\n789");
    assert_eq!(captured.to_bytes(), None);
}

#[test]
fn a_lost_stretch_counts_as_produced_and_is_never_complete() {
    let mut capture = Capture::new(CaptureLimit::default());
    capture.push(b"ab");
    capture.gap(Gap {
        stream: OutputStream::Stdout,
        from: 2,
        to: 10,
    });
    let captured = capture.finish();
    assert_eq!(captured.total_bytes, 10);
    assert!(!captured.is_complete());
}

#[test]
fn no_exit_is_a_number_that_nobody_reported() {
    let unknown = [
        Exit::TimedOut,
        Exit::Cancelled,
        Exit::OutOfMemory,
        Exit::Lost,
    ];
    assert!(
        unknown
            .iter()
            .all(|exit| exit.code().is_none() && exit.shell_code().is_none())
    );
    assert_eq!(Exit::Signal(9).shell_code(), Some(137));
}

#[test]
fn a_shell_argument_is_one_word() {
    let command = Command::shell("printf %s").arg("a b'c");
    assert_eq!(command.target.to_string(), r"printf %s 'a b'\''c'");
}

#[test]
fn a_command_in_a_log_of_the_host_shows_no_value_of_a_variable_and_no_input() {
    let input = Stdin::Bytes(bytes::Bytes::from_static(b"hunter23"));
    let command = Command::new("login").env("TOKEN", "hunter22").stdin(input);
    let shown = format!("{command:?}");
    assert!(shown.contains("TOKEN"), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
}

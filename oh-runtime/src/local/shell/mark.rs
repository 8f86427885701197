//! Where the output of one command ends in the stream of a terminal.

use bytes::{Bytes, BytesMut};
use memchr::{memmem::Finder, memrchr};

/// Start of a mark: an operating system command that no terminal knows, so that a mark that
/// reaches a screen by accident shows nothing.
const INTRODUCER: &str = "\x1b]7770;";
const TERMINATOR: &str = "\x07";

/// Finds the mark of one command in a stream that arrives in pieces.
///
/// The mark carries the secret id of the command. Everything else is output, marks with other ids
/// included.
#[derive(Debug)]
pub(super) struct MarkScanner {
    finder: Finder<'static>,
    /// End of the stream so far, if the mark may have begun there.
    held: Bytes,
}

/// What a piece of the stream holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// Output alone. It may be empty, and the end of the piece may be held back.
    Output(Bytes),
    /// The output until the mark, and what came after it.
    Mark { output: Bytes, after: Bytes },
}

impl MarkScanner {
    pub(super) fn new(id: &str) -> Self {
        let mark = format!("{INTRODUCER}{id}{TERMINATOR}");
        Self {
            finder: Finder::new(mark.as_bytes()).into_owned(),
            held: Bytes::new(),
        }
    }

    /// Takes the next piece. Nothing is copied unless the piece before ended like a mark begins.
    pub(super) fn scan(&mut self, piece: Bytes) -> Scanned {
        let mut data = if self.held.is_empty() {
            piece
        } else {
            let mut joined = BytesMut::with_capacity(self.held.len() + piece.len());
            joined.extend_from_slice(&self.held);
            joined.extend_from_slice(&piece);
            self.held = Bytes::new();
            joined.freeze()
        };
        let mark = self.finder.needle();
        if let Some(at) = self.finder.find(&data) {
            let after = data.split_off(at).split_off(mark.len());
            return Scanned::Mark {
                output: data,
                after,
            };
        }
        // Only the first byte of a mark is an escape, so the last escape decides.
        let tail = data.len().saturating_sub(mark.len() - 1);
        let from_tail = data.get(tail..).unwrap_or_default();
        if let Some(at) = memrchr(0x1b, from_tail)
            && mark.starts_with(from_tail.get(at..).unwrap_or_default())
        {
            self.held = data.split_off(tail + at);
        }
        Scanned::Output(data)
    }

    /// Gives up what was held back: no more of a mark came.
    pub(super) fn release(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn mark(id: &str) -> Vec<u8> {
        format!("{INTRODUCER}{id}{TERMINATOR}").into_bytes()
    }

    /// Pieces that a stream may be made of: text, marks of others, and beginnings of the mark.
    fn part() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(mark("ffffffffffffffffffffffffffffffff")),
            Just(mark("")),
            (0..mark(ID).len()).prop_map(|length| mark(ID)[..length].to_vec()),
        ]
    }

    fn run(stream: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut scanner = MarkScanner::new(ID);
        let (mut output, mut after): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
        let mut from = 0;
        for to in cuts.iter().copied().chain([stream.len()]) {
            let to = to.clamp(from, stream.len());
            let piece = Bytes::copy_from_slice(&stream[from..to]);
            from = to;
            match &mut after {
                Some(after) => after.extend_from_slice(&piece),
                None => match scanner.scan(piece) {
                    Scanned::Output(data) => output.extend_from_slice(&data),
                    Scanned::Mark {
                        output: data,
                        after: rest,
                    } => {
                        output.extend_from_slice(&data);
                        after = Some(rest.to_vec());
                    }
                },
            }
        }
        output.extend_from_slice(&scanner.release());
        (output, after)
    }

    proptest! {
        #[test]
        fn output_is_the_same_however_the_stream_is_cut(
            before in proptest::collection::vec(part(), 0..6),
            after in proptest::collection::vec(part(), 0..3),
            mut cuts in proptest::collection::vec(0..400_usize, 0..12),
        ) {
            cuts.sort_unstable();
            let (before, after) = (before.concat(), after.concat());
            let stream = [before.clone(), mark(ID), after.clone()].concat();
            let found = run(&stream, &cuts);
            prop_assert_eq!(found, (before, Some(after)));
        }

        #[test]
        fn a_stream_without_the_mark_comes_out_whole(
            parts in proptest::collection::vec(part(), 0..6),
            mut cuts in proptest::collection::vec(0..300_usize, 0..12),
        ) {
            cuts.sort_unstable();
            let stream = parts.concat();
            prop_assert_eq!(run(&stream, &cuts), (stream, None));
        }
    }

    #[test]
    fn one_byte_at_a_time_works_as_well() {
        let stream = [b"a\x1b]7770;b".to_vec(), mark(ID), b"c".to_vec()].concat();
        let cuts: Vec<usize> = (0..stream.len()).collect();
        let found = run(&stream, &cuts);
        assert_eq!(found, (b"a\x1b]7770;b".to_vec(), Some(b"c".to_vec())));
    }

    #[test]
    fn an_escape_at_the_end_is_held_back_until_it_is_clear_what_it_is() {
        let mut scanner = MarkScanner::new(ID);
        let first = scanner.scan(Bytes::from_static(b"text\x1b"));
        assert_eq!(first, Scanned::Output(Bytes::from_static(b"text")));
        let second = scanner.scan(Bytes::from_static(b"[0m"));
        assert_eq!(second, Scanned::Output(Bytes::from_static(b"\x1b[0m")));
    }
}

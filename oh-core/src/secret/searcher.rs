//! Finds every occurrence of many patterns in one pass.

use std::collections::HashMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, BuildError, MatchKind, dfa, nfa};

use crate::secret::forms::Pattern;

/// Bytes of all patterns up to which the table of a deterministic automaton is built: about 1 KiB
/// of memory for each byte at worst, and three times as fast.
const DETERMINISTIC_BYTES: usize = 64 * 1024;

/// An automaton over the patterns, and how much of the text each of its states must remember.
pub(super) struct Searcher {
    automaton: Kind,
    start: StateID,
    held: HashMap<StateID, usize>,
}

enum Kind {
    Deterministic(Box<dfa::DFA>),
    Compact(Box<nfa::contiguous::NFA>),
}

impl Searcher {
    pub(super) fn new(patterns: &[Pattern]) -> Result<Self, BuildError> {
        let bytes: usize = patterns.iter().map(|pattern| pattern.len()).sum();
        let slices = patterns.iter().map(|pattern| pattern.as_slice());
        // Without a prefilter, a state is special only where something matches.
        if bytes <= DETERMINISTIC_BYTES {
            let automaton = dfa::Builder::new()
                .match_kind(MatchKind::Standard)
                .prefilter(false)
                .build(slices)?;
            let (start, held) = survey(&automaton, patterns);
            Ok(Self {
                automaton: Kind::Deterministic(Box::new(automaton)),
                start,
                held,
            })
        } else {
            let automaton = nfa::contiguous::Builder::new()
                .match_kind(MatchKind::Standard)
                .prefilter(false)
                .build(slices)?;
            let (start, held) = survey(&automaton, patterns);
            Ok(Self {
                automaton: Kind::Compact(Box::new(automaton)),
                start,
                held,
            })
        }
    }

    /// State before the first byte.
    pub(super) fn start(&self) -> StateID {
        self.start
    }

    /// Reads bytes and reports, in order of their ends, the longest pattern that ends at each
    /// position: its length and the position after it. Ends early where the sink says so.
    pub(super) fn read(
        &self,
        state: StateID,
        bytes: &[u8],
        found: impl FnMut(usize, usize) -> Sink,
    ) -> StateID {
        match &self.automaton {
            Kind::Deterministic(automaton) => read(automaton.as_ref(), state, bytes, found),
            Kind::Compact(automaton) => read(automaton.as_ref(), state, bytes, found),
        }
    }

    /// Length of the longest end of the text read so far that a pattern may go on from.
    pub(super) fn held(&self, state: StateID) -> usize {
        self.held.get(&state).copied().unwrap_or(0)
    }
}

/// Whether a search goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    More,
    Enough,
}

#[inline]
fn read<A: Automaton>(
    automaton: &A,
    mut state: StateID,
    bytes: &[u8],
    mut found: impl FnMut(usize, usize) -> Sink,
) -> StateID {
    for (index, byte) in bytes.iter().enumerate() {
        state = automaton.next_state(Anchored::No, state, *byte);
        if automaton.is_special(state) && automaton.is_match(state) {
            let longest = (0..automaton.match_len(state))
                .map(|nth| automaton.pattern_len(automaton.match_pattern(state, nth)))
                .max()
                .unwrap_or(0);
            if found(longest, index + 1) == Sink::Enough {
                break;
            }
        }
    }
    state
}

/// The start state, and for each state what it has to remember.
///
/// The state after the first n bytes of a pattern stands for exactly these n bytes. They have to
/// be held while a pattern may go on from them; at the end of a pattern that is no beginning of
/// another, what remains is its longest end that may go on.
fn survey<A: Automaton>(automaton: &A, patterns: &[Pattern]) -> (StateID, HashMap<StateID, usize>) {
    // An unanchored search is always supported by automata built as above.
    let start = automaton.start_state(Anchored::No).unwrap_or_default();
    let walk = |bytes: &[u8]| {
        bytes.iter().fold(start, |state, byte| {
            automaton.next_state(Anchored::No, state, *byte)
        })
    };
    let mut held = HashMap::new();
    for pattern in patterns {
        let mut state = start;
        let beginnings = pattern.len().saturating_sub(1);
        for (index, byte) in pattern.iter().take(beginnings).enumerate() {
            state = automaton.next_state(Anchored::No, state, *byte);
            held.insert(state, index + 1);
        }
    }
    let mut ends: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_slice()).collect();
    // The rest of a pattern is shorter, so it is known by then.
    ends.sort_unstable_by_key(|end| end.len());
    for end in ends {
        let rest = walk(end.get(1..).unwrap_or_default());
        let rest = held.get(&rest).copied().unwrap_or(0);
        held.entry(walk(end)).or_insert(rest);
    }
    (start, held)
}

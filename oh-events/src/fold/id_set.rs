//! A set of event ids in little memory.

use std::collections::BTreeMap;

use oh_core::EventId;
use serde::{Deserialize, Serialize};

/// Event ids, 64 to a word: even where every event of a long log is in the set, it takes three
/// bits or so of memory for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct IdSet(BTreeMap<u64, u64>);

impl IdSet {
    pub(super) fn insert(&mut self, id: EventId) {
        let (word, bit) = place(id);
        *self.0.entry(word).or_default() |= bit;
    }

    /// Takes an id out; `false` if it was not in.
    pub(super) fn remove(&mut self, id: EventId) -> bool {
        let (word, bit) = place(id);
        let Some(bits) = self.0.get_mut(&word) else {
            return false;
        };
        let was_in = *bits & bit != 0;
        *bits &= !bit;
        if *bits == 0 {
            self.0.remove(&word);
        }
        was_in
    }

    pub(super) fn contains(&self, id: EventId) -> bool {
        let (word, bit) = place(id);
        self.0.get(&word).is_some_and(|bits| bits & bit != 0)
    }

    /// The ids, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = EventId> {
        self.0.iter().flat_map(|(word, bits)| {
            (0..64)
                .filter(move |bit| bits & (1 << bit) != 0)
                .map(move |bit| EventId((word << 6) | bit))
        })
    }
}

fn place(id: EventId) -> (u64, u64) {
    (id.0 >> 6, 1 << (id.0 & 63))
}

//! A state machine as a log recorded it.

use std::collections::VecDeque;

use oh_core::EventId;
use serde::{Deserialize, Serialize};

/// The state that a log recorded last, and the steps on the way that the transition table does
/// not list. They were followed: folding is total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recorded<S> {
    /// The state; the initial one where none was recorded.
    pub present: S,
    /// The event that brought it about, if one did.
    pub since: Option<EventId>,
    /// How many irregular steps the log holds.
    pub irregular: u64,
    /// The latest of them, oldest first; at most [`KEPT`](Self::KEPT).
    pub latest_irregular: VecDeque<IrregularStep<S>>,
}

/// A recorded step that the transition table does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IrregularStep<S> {
    /// The event that recorded it.
    pub event: EventId,
    /// The state before.
    pub from: S,
    /// The state that was recorded.
    pub to: S,
}

impl<S> Recorded<S> {
    /// Largest number of irregular steps that are kept one by one.
    pub const KEPT: usize = 16;
}

impl<S: Copy + PartialEq> Recorded<S> {
    pub(super) fn new(initial: S) -> Self {
        Self {
            present: initial,
            since: None,
            irregular: 0,
            latest_irregular: VecDeque::new(),
        }
    }

    pub(super) fn follow(&mut self, event: EventId, to: S, listed: impl Fn(S, S) -> bool) {
        let from = self.present;
        if from == to {
            return;
        }
        if !listed(from, to) {
            self.irregular += 1;
            if self.latest_irregular.len() == Self::KEPT {
                self.latest_irregular.pop_front();
            }
            self.latest_irregular
                .push_back(IrregularStep { event, from, to });
        }
        self.present = to;
        self.since = Some(event);
    }
}

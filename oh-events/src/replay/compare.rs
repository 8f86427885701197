//! How one log differs from another.

use oh_core::{Event, EventId, Result, codec};

use super::difference::{Difference, compare};
use super::session::{Replay, Step};

/// A step in which a run differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// Number of the step, from 0.
    pub step: usize,
    /// The action in the recorded log.
    pub recorded: Option<EventId>,
    /// The action in the present log.
    pub now: Option<EventId>,
    /// How it differs.
    pub difference: Difference,
}

/// Compares what came of the steps of a recorded log with a log in which they were done again.
/// Steps are compared by their number; a step without a reply in both logs does not differ.
///
/// # Errors
/// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) for an action that cannot be replayed, as
/// for [`Replay::from_events`].
pub fn compare_logs<'e>(
    recorded: impl IntoIterator<Item = &'e Event>,
    now: impl IntoIterator<Item = &'e Event>,
) -> Result<Vec<Divergence>> {
    let (mut recorded, mut now) = (Replay::from_events(recorded)?, Replay::from_events(now)?);
    let mut divergences = Vec::new();
    let steps = recorded.len().max(now.len());
    for step in 0..steps {
        let (was, is) = (recorded.next(), now.next());
        if let Some(difference) = difference(was.as_ref(), is.as_ref()) {
            divergences.push(Divergence {
                step,
                recorded: was.and_then(|step| step.recorded_id),
                now: is.and_then(|step| step.recorded_id),
                difference,
            });
        }
    }
    Ok(divergences)
}

fn difference(recorded: Option<&Step>, now: Option<&Step>) -> Option<Difference> {
    let (was, is) = match (recorded, now) {
        (Some(was), Some(is)) => (was, is),
        (Some(_), None) => return Some(Difference::Missing),
        _ => return Some(Difference::Added),
    };
    if body(was) != body(is) {
        return Some(Difference::Action {
            recorded: was.action.body.kind().to_owned(),
            now: is.action.body.kind().to_owned(),
        });
    }
    match (&was.recorded, &is.recorded) {
        (Some(was), Some(is)) => compare(was, is),
        (Some(_), None) => Some(Difference::Missing),
        (None, Some(_)) => Some(Difference::Added),
        (None, None) => None,
    }
}

fn body(step: &Step) -> Option<String> {
    step.action.body.as_action().map(codec::encode_action)
}

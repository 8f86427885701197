//! What names other events, under the ids that these get.

use std::collections::BTreeMap;

use oh_core::action::{ChangeAgentStateAction, CondensationAction, ConfirmStep};
use oh_core::{Action, AgentState, Draft, EventBody, EventId};

/// Where the events of a file end up, rising, by the ids that they have in it.
#[derive(Clone, Debug, Default)]
pub(super) struct NewIds(BTreeMap<u64, Vec<u64>>);

/// Whether all that an event names was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Found,
    Missing,
}

impl Names {
    fn and(self, other: Self) -> Self {
        match self {
            Self::Found => other,
            Self::Missing => self,
        }
    }
}

impl NewIds {
    pub(super) fn insert(&mut self, old: EventId, new: EventId) {
        self.0.entry(old.0).or_default().push(new.0);
    }

    /// The latest event before `before` that had the id in the file.
    fn find(&self, old: u64, before: EventId) -> Option<EventId> {
        let news = self.0.get(&old)?;
        let found = news.partition_point(|new| *new < before.0).checked_sub(1)?;
        news.get(found).copied().map(EventId)
    }

    /// Gives every reference of an event its new id. One that names nothing before the event is
    /// taken out.
    pub(super) fn renew(&self, draft: &mut Draft, id: EventId) -> Names {
        let mut names = Names::Found;
        if let Some(old) = draft.cause {
            draft.cause = self.find(old.0, id);
            if draft.cause.is_none() {
                names = Names::Missing;
            }
        }
        match &mut draft.body {
            EventBody::Action(Action::Confirm(confirm)) => match self.find(confirm.action.0, id) {
                Some(new) => confirm.action = new,
                None => {
                    // What is left is what OpenHands V0 sees.
                    let state = match confirm.step {
                        ConfirmStep::Approved => AgentState::UserConfirmed,
                        ConfirmStep::Refused => AgentState::UserRejected,
                        _ => AgentState::AwaitingUserConfirmation,
                    };
                    let change = ChangeAgentStateAction::new(state.as_str());
                    draft.body = change.thought(std::mem::take(&mut confirm.thought)).into();
                    names = Names::Missing;
                }
            },
            EventBody::Action(Action::Condensation(condensation)) => {
                names = names.and(self.renew_forgotten(condensation, id));
            }
            _ => {}
        }
        names
    }

    fn renew_forgotten(&self, condensation: &mut CondensationAction, id: EventId) -> Names {
        if let Some(old) = &condensation.forgotten_event_ids {
            let renewed = old.iter().filter_map(|old| {
                let old = u64::try_from(*old).ok()?;
                i64::try_from(self.find(old, id)?.0).ok()
            });
            let renewed: Vec<i64> = renewed.collect();
            let names = match renewed.len() == old.len() {
                true => Names::Found,
                false => Names::Missing,
            };
            condensation.forgotten_event_ids = Some(renewed);
            return names;
        }
        let (first, last) = (
            condensation.forgotten_events_start_id,
            condensation.forgotten_events_end_id,
        );
        let (Some(first), Some(last)) = (first, last) else {
            return Names::Found;
        };
        let inside = self.between(first, last).filter(|new| *new < id.0);
        let ends = inside.fold(None, |ends: Option<(u64, u64)>, new| {
            let (low, high) = ends.unwrap_or((new, new));
            Some((low.min(new), high.max(new)))
        });
        let ends =
            ends.and_then(|(low, high)| i64::try_from(low).ok().zip(i64::try_from(high).ok()));
        condensation.forgotten_events_start_id = ends.map(|(low, _)| low);
        condensation.forgotten_events_end_id = ends.map(|(_, high)| high);
        if ends.is_none() {
            condensation.forgotten_event_ids = Some(Vec::new());
            return Names::Missing;
        }
        Names::Found
    }

    /// The events that had an id from `first` to `last` in the file.
    fn between(&self, first: i64, last: i64) -> impl Iterator<Item = u64> {
        // `BTreeMap::range` panics where the range is empty.
        let ends = u64::try_from(first.max(0))
            .ok()
            .zip(u64::try_from(last).ok());
        let ends = ends.filter(|(first, last)| first <= last);
        ends.into_iter()
            .flat_map(|(first, last)| self.0.range(first..=last))
            .flat_map(|(_, news)| news.iter().copied())
    }
}

//! The actions of a recorded session.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use oh_core::action::ConfirmationState;
use oh_core::{
    Action, Draft, Error, ErrorKind, Event, EventBody, EventId, Observation, RawObject, Result,
    Source, codec,
};

use crate::trajectory::{element_error, split};

use super::difference::{Difference, compare};

const OPERATION: &str = "replay trajectory";

/// The actions of a recorded session that are left to do, in their order.
///
/// ```
/// use oh_events::replay::Replay;
///
/// let mut replay = Replay::from_trajectory(
///     r#"[{"id": 0, "timestamp": "2025-11-20T10:00:00", "source": "agent",
///          "action": "run", "args": {"command": "ls"}}]"#,
/// )?;
/// assert!(replay.next().is_some_and(|step| step.action.body.kind() == "run"));
/// assert!(replay.next().is_none());
/// # Ok::<(), oh_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a replay does nothing by itself; each `next` names the action to do"]
pub struct Replay {
    steps: VecDeque<Step>,
}

/// An action to do again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The action, without id, time, cost and key.
    pub action: Draft,
    /// Its id in the recorded log, if it had one.
    pub recorded_id: Option<EventId>,
    /// What came of it then, if that was recorded.
    pub recorded: Option<Observation>,
}

impl Step {
    /// Tells how what came of the action differs from what was recorded; `None` if it does not,
    /// or if nothing was recorded.
    pub fn compare(&self, now: &Observation) -> Option<Difference> {
        compare(self.recorded.as_ref()?, now)
    }
}

impl Replay {
    /// Reads a trajectory: a JSON array of events.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what is no such array, and for an action that
    /// no one could do: of an unknown kind, or with fields that do not fit. The object is the
    /// number of the element, from 0.
    pub fn from_trajectory(json: impl Into<Bytes>) -> Result<Self> {
        let mut events = Vec::new();
        for (index, element) in split(OPERATION, &json.into())?.iter().enumerate() {
            let bad = |detail: String| element_error(OPERATION, index, detail);
            let draft = codec::decode_draft(element).map_err(|error| bad(error.to_string()))?;
            let top: RawObject = serde_json::from_slice(element).map_err(|e| bad(e.to_string()))?;
            let id = top.value("id").and_then(|id| id.decode().ok());
            if let Some(problem) = problem(&draft) {
                return Err(bad(problem));
            }
            events.push((id, draft));
        }
        Ok(Self::of(events))
    }

    /// Takes events of a log.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for an action that no one could do, as for
    /// [`from_trajectory`](Self::from_trajectory). The object is the id of the event.
    pub fn from_events<'e>(events: impl IntoIterator<Item = &'e Event>) -> Result<Self> {
        let mut all = Vec::new();
        for event in events {
            let mut draft = Draft::new(event.source, event.body.clone());
            draft.cause = event.cause;
            draft.tool.clone_from(&event.tool);
            draft.hidden = event.hidden;
            draft.extra = event.extra.clone();
            if let Some(problem) = problem(&draft) {
                return Err(Error::new(ErrorKind::InvalidInput, OPERATION)
                    .with_object(format!("event {}", event.id))
                    .with_detail(problem));
            }
            all.push((Some(event.id), draft));
        }
        Ok(Self::of(all))
    }

    /// The step that [`next`](Iterator::next) takes.
    pub fn peek(&self) -> Option<&Step> {
        self.steps.front()
    }

    fn of(events: Vec<(Option<EventId>, Draft)>) -> Self {
        let mut replies = HashMap::new();
        for (_, draft) in &events {
            if let (Some(cause), EventBody::Observation(reply)) = (draft.cause, &draft.body) {
                replies.entry(cause).or_insert_with(|| reply.clone());
            }
        }
        let mut kept: Vec<_> = events
            .into_iter()
            .filter(|(_, draft)| is_kept(draft))
            .collect();
        let last = kept.len().saturating_sub(1);
        for (_, draft) in kept.iter_mut().take(last) {
            if let EventBody::Action(Action::Message(message)) = &mut draft.body {
                message.wait_for_response = false;
            }
        }
        let mut steps: VecDeque<Step> = VecDeque::new();
        for (recorded_id, draft) in kept {
            if draft.body.as_action().is_none_or(only_steered) {
                continue;
            }
            let recorded = recorded_id.and_then(|id| replies.remove(&id));
            if answers_the_last(&draft, &steps) {
                steps.pop_back();
            }
            steps.push_back(Step {
                action: draft,
                recorded_id,
                recorded,
            });
        }
        steps.retain(|step| !was_refused(step));
        for step in &mut steps {
            clear(&mut step.action);
        }
        Self { steps }
    }
}

impl Iterator for Replay {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.steps.len(), Some(self.steps.len()))
    }
}

impl ExactSizeIterator for Replay {}

/// Why an action cannot be done again.
fn problem(draft: &Draft) -> Option<String> {
    let EventBody::Action(Action::Custom(custom)) = &draft.body else {
        return None;
    };
    if !is_kept(draft) {
        return None;
    }
    Some(match &custom.problem {
        Some(problem) => format!("action {}: {problem}", custom.kind),
        None => format!("no runtime carries out the action {}", custom.kind),
    })
}

fn is_kept(draft: &Draft) -> bool {
    let is_null = match &draft.body {
        EventBody::Observation(Observation::Null(_)) => true,
        // Null observations in OpenHands V0.
        EventBody::Status(_) | EventBody::Note(_) => true,
        _ => false,
    };
    draft.source != Some(Source::Environment) && !is_null
}

fn only_steered(action: &Action) -> bool {
    matches!(
        action,
        Action::ChangeAgentState(_)
            | Action::Confirm(_)
            | Action::Condensation(_)
            | Action::CondensationRequest(_)
    )
}

fn confirmation(draft: &Draft) -> ConfirmationState {
    draft
        .body
        .as_action()
        .map_or(ConfirmationState::Confirmed, Action::confirmation_state)
}

/// Whether an action is the one before once more, with the answer of the user.
fn answers_the_last(draft: &Draft, steps: &VecDeque<Step>) -> bool {
    let Some(before) = steps.back().map(|step| &step.action) else {
        return false;
    };
    let call = |draft: &Draft| draft.tool.as_ref().map(|tool| tool.tool_call_id.clone());
    confirmation(before) == ConfirmationState::AwaitingConfirmation
        && confirmation(draft) != ConfirmationState::AwaitingConfirmation
        && before.body.kind() == draft.body.kind()
        && call(before) == call(draft)
}

fn was_refused(step: &Step) -> bool {
    matches!(step.recorded, Some(Observation::UserRejected(_)))
        || confirmation(&step.action) == ConfirmationState::Rejected
}

fn clear(draft: &mut Draft) {
    draft.time = None;
    draft.cause = None;
    draft.metrics = None;
    if let EventBody::Action(Action::Run(run)) = &mut draft.body {
        run.options.key = None;
    }
    // What an older version could not decode of the envelope belongs to the recorded log.
    for key in ["id", "cause", "llm_metrics"] {
        draft.extra.remove(key);
    }
}

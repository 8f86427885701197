//! Course of the work: state, tasks, delegation, memory, the end.

use serde::{Deserialize, Serialize};

use crate::codec::DecodeError;
use crate::codec::payload::payload;
use crate::event::RawJson;
use crate::event::text::no_texts;
use crate::id::EventId;

payload! {
    /// Does nothing.
    pub struct NullAction {}
}

payload! {
    /// Ends the task with success.
    pub struct FinishAction {
        optional {
            /// Closing words for the user.
            final_thought: String = String::new(),
            /// Results by name.
            outputs: RawJson = RawJson::object(),
            /// Why, in the agent's words.
            thought: String = String::new(),
        }
    }
}

payload! {
    /// Gives the task back undone.
    pub struct RejectAction {
        optional {
            /// Results by name; `reason` is shown.
            outputs: RawJson = RawJson::object(),
            /// Why, in the agent's words.
            thought: String = String::new(),
        }
    }
}

payload! {
    /// Hands work to another agent.
    pub struct DelegateAction {
        required {
            /// Name of the agent.
            agent: String,
            /// What it is given, as a rule an object.
            inputs: RawJson,
        }
        optional {
            /// Why, in the agent's words.
            thought: String = String::new(),
        }
    }
}

/// What a [`RecallAction`] looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecallKind {
    /// What is known about the workspace.
    #[default]
    WorkspaceContext,
    /// Notes that the query's words call up.
    Knowledge,
}

payload! {
    /// Asks the memory.
    pub struct RecallAction {
        required {
            /// What to look for.
            recall_type: RecallKind,
        }
        optional {
            /// Words to look for.
            query: String = String::new(),
            /// Why, in the agent's words.
            thought: String = String::new(),
        }
    }
}

payload! {
    /// Asks for another state of the agent.
    pub struct ChangeAgentStateAction {
        required {
            /// Name of the state, of [`AgentState`](crate::AgentState) as a rule; logs may hold
            /// others.
            agent_state: String,
        }
        optional {
            /// Why.
            thought: String = String::new(),
        }
    }
}

payload! {
    /// Takes events out of what the model sees.
    ///
    /// Either a list of ids or a range is given, and a summary only together with its place:
    /// [`check`](Self::check) says so, and decoding insists on it.
    pub struct CondensationAction {
        optional {
            /// The events.
            forgotten_event_ids: Option<Vec<i64>> = None,
            /// First event of the range.
            forgotten_events_start_id: Option<i64> = None,
            /// Last event of the range.
            forgotten_events_end_id: Option<i64> = None,
            /// Text in their place.
            summary: Option<String> = None,
            /// Where the text stands in what the model sees.
            summary_offset: Option<i64> = None,
        }
    }
}

impl CondensationAction {
    /// Says which rule of the kind is broken.
    ///
    /// # Errors
    /// Names the rule.
    pub fn check(&self) -> Result<(), DecodeError> {
        let range = (self.forgotten_events_start_id, self.forgotten_events_end_id);
        if !matches!(
            (&self.forgotten_event_ids, range),
            (Some(_), (None, None)) | (None, (Some(_), Some(_)))
        ) {
            return Err(DecodeError::new(
                "give either forgotten_event_ids or both ends of a range",
            ));
        }
        if self.summary.is_some() != self.summary_offset.is_some() {
            return Err(DecodeError::new("summary and summary_offset come together"));
        }
        Ok(())
    }
}

payload! {
    /// Asks for a condensation.
    pub struct CondensationRequestAction {}
}

payload! {
    /// One task of a list.
    pub struct TaskItem {
        optional {
            /// Id within the list.
            id: String = String::new(),
            /// What to do.
            title: String = String::new(),
            /// `todo`, `in_progress` or `done`.
            status: String = "todo".to_owned(),
            /// More about it.
            notes: String = String::new(),
        }
    }
}

payload! {
    /// Shows or replaces the task list.
    pub struct TaskTrackingAction {
        optional {
            /// `view` or `plan`.
            command: String = "view".to_owned(),
            /// The new list (`plan`).
            task_list: Vec<TaskItem> = Vec::new(),
            /// Why, in the agent's words.
            thought: String = String::new(),
        }
    }
}

payload! {
    /// Leads out of a loop: 1 asks the user, 2 tries the last prompt again, 3 stops.
    pub struct LoopRecoveryAction {
        optional {
            /// The way out.
            option: i64 = 1,
        }
    }
}

/// Step of a question to the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConfirmStep {
    /// May the action run?
    #[default]
    Question,
    /// It may.
    Approved,
    /// It may not.
    Refused,
}

no_texts!(RecallKind, ConfirmStep);

payload! {
    /// Asks whether an action may run, or answers that; OpenHands V0 sees a change of state.
    pub struct ConfirmAction {
        required {
            /// The action.
            action: EventId,
            /// Question or answer.
            step: ConfirmStep,
        }
        optional {
            /// Why.
            thought: String = String::new(),
        }
    }
}

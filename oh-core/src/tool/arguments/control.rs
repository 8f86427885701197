//! Course of the work.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{
    Action, CondensationRequestAction, DelegateAction, FinishAction, TaskItem, TaskTrackingAction,
    ThinkAction,
};
use crate::event::RawJson;
use crate::tool::arguments::into_action::{Arguments, Wrong};

/// Notes a thought. Nothing else happens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct Think {
    /// The thought.
    thought: String,
}

impl Arguments for Think {
    const TOOL: &'static str = "think";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(ThinkAction::new().thought(self.thought).into())
    }
}

/// Ends the task, because it is done or because no more can be done.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct Finish {
    /// Closing words for the user: what was done, what was not.
    message: String,
}

impl Arguments for Finish {
    const TOOL: &'static str = "finish";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(FinishAction::new().final_thought(self.message).into())
    }
}

/// Hands a task on the web to an agent that browses.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct DelegateToBrowsingAgent {
    /// The task, with all that the other agent has to know.
    task: String,
}

impl Arguments for DelegateToBrowsingAgent {
    const TOOL: &'static str = "delegate_to_browsing_agent";

    fn into_action(self) -> Result<Action, Wrong> {
        let inputs = serde_json::json!({ "task": self.task });
        Ok(DelegateAction::new("BrowsingAgent", RawJson::from(inputs)).into())
    }
}

/// Asks for the conversation so far to be summed up, to make room.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct RequestCondensation {}

impl Arguments for RequestCondensation {
    const TOOL: &'static str = "request_condensation";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(CondensationRequestAction::new().into())
    }
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum TaskCommand {
    View,
    Plan,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum TaskStatus {
    Todo,
    InProgress,
    Done,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Task {
    /// Id within the list.
    id: String,
    /// What to do.
    title: String,
    /// How far it is.
    status: TaskStatus,
    /// More about it.
    notes: Option<String>,
}

/// Shows the task list (`view`) or replaces it (`plan`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct TaskTracker {
    /// What to do.
    command: TaskCommand,
    /// The whole new list (plan).
    task_list: Option<Vec<Task>>,
}

impl Arguments for TaskTracker {
    const TOOL: &'static str = "task_tracker";

    fn into_action(self) -> Result<Action, Wrong> {
        let command = match self.command {
            TaskCommand::View => "view",
            TaskCommand::Plan if self.task_list.is_none() => {
                return Err(Wrong {
                    argument: "task_list",
                    advice: "plan needs it: send the whole list",
                });
            }
            TaskCommand::Plan => "plan",
        };
        let items = self.task_list.into_iter().flatten().map(|task| {
            let status = match task.status {
                TaskStatus::Todo => "todo",
                TaskStatus::InProgress => "in_progress",
                TaskStatus::Done => "done",
            };
            TaskItem::new()
                .id(task.id)
                .title(task.title)
                .status(status)
                .notes(task.notes.unwrap_or_default())
        });
        Ok(TaskTrackingAction::new()
            .command(command)
            .task_list(items.collect::<Vec<_>>())
            .into())
    }
}

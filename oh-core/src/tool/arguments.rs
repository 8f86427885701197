//! Arguments of the built-in tools. The docs of a struct and its fields are what models read.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::action::{
    Action, BrowseInteractiveAction, CondensationRequestAction, DelegateAction, EditAction,
    EditSource, FileAction, FileOperation, FinishAction, ReadAction, ReadSource, RunAction,
    RunPythonAction, SecurityRisk, TaskItem, TaskTrackingAction, ThinkAction, WriteAction,
};
use crate::event::RawJson;

/// Arguments that become an action.
pub(super) trait Arguments: DeserializeOwned + JsonSchema {
    const TOOL: &'static str;

    /// Makes the action, or says which argument is wrong and what to send instead.
    fn into_action(self) -> Result<Action, Wrong>;
}

pub(super) struct Wrong {
    pub(super) argument: &'static str,
    pub(super) advice: &'static str,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum Risk {
    #[default]
    Unknown,
    Low,
    Medium,
    High,
}

impl From<Risk> for SecurityRisk {
    fn from(risk: Risk) -> Self {
        match risk {
            Risk::Unknown => Self::Unknown,
            Risk::Low => Self::Low,
            Risk::Medium => Self::Medium,
            Risk::High => Self::High,
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Flag {
    True,
    #[default]
    False,
}

/// Runs a command in a persistent bash shell and returns its output and exit code. The working
/// directory and variables stay for the next command. Send one command at a time; join several
/// with && or ;.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecuteBash {
    /// The command. Empty to see new output of a command that still runs; C-c, C-d or C-z to send
    /// that key to it.
    command: String,
    /// "true" if the text is input for the command that still runs.
    is_input: Option<Flag>,
    /// Seconds to wait for the command.
    #[schemars(range(min = 1, max = 86400))]
    timeout: Option<f64>,
    /// How dangerous the command is: LOW reads or changes the workspace, MEDIUM changes something
    /// outside of it, HIGH cannot be undone or sends data away.
    security_risk: Option<Risk>,
}

impl Arguments for ExecuteBash {
    const TOOL: &'static str = "execute_bash";

    fn into_action(self) -> Result<Action, Wrong> {
        let timeout = self
            .timeout
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|_| Wrong {
                argument: "timeout",
                advice: "send a number of seconds from 1 to 86400",
            })?;
        Ok(RunAction::new(self.command)
            .is_input(self.is_input == Some(Flag::True))
            .blocking(timeout.is_some())
            .timeout(timeout)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

/// Runs Python code in a persistent IPython kernel and returns its output.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecuteIpythonCell {
    /// The code. Magic commands as %pip are possible.
    code: String,
    /// How dangerous the code is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for ExecuteIpythonCell {
    const TOOL: &'static str = "execute_ipython_cell";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(RunPythonAction::new(self.code)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum EditorCommand {
    View,
    Create,
    StrReplace,
    Insert,
    UndoEdit,
}

/// Views, creates and changes text files. `view` shows a file with line numbers, or a directory;
/// `create` makes a new file; `str_replace` replaces a text that occurs exactly once; `insert`
/// puts text after a line; `undo_edit` takes back the last change.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StrReplaceEditor {
    /// What to do.
    command: EditorCommand,
    /// Absolute path of the file or directory.
    path: String,
    /// Text of the new file (create).
    file_text: Option<String>,
    /// Text to replace, exactly as it stands in the file, with enough around it to be the only
    /// one (str_replace).
    old_str: Option<String>,
    /// Text in its place, or to put in (str_replace, insert).
    new_str: Option<String>,
    /// Line to insert after; 0 is the top of the file (insert).
    #[schemars(range(min = 0))]
    insert_line: Option<i64>,
    /// First and last line to show, from 1; -1 as the last is the end of the file (view).
    view_range: Option<[i64; 2]>,
    /// How dangerous the change is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for StrReplaceEditor {
    const TOOL: &'static str = "str_replace_editor";

    fn into_action(self) -> Result<Action, Wrong> {
        let need = |given: bool, argument, advice| {
            if given {
                Ok(())
            } else {
                Err(Wrong { argument, advice })
            }
        };
        let risk = self.security_risk.unwrap_or_default();
        let command = match self.command {
            EditorCommand::View => {
                return Ok(ReadAction::new(self.path)
                    .impl_source(ReadSource::OhAci)
                    .view_range(self.view_range.map(|range| range.to_vec()))
                    .security_risk(risk)
                    .into());
            }
            EditorCommand::Create => {
                let advice = "create needs it: send the whole text of the new file";
                need(self.file_text.is_some(), "file_text", advice)?;
                "create"
            }
            EditorCommand::StrReplace => {
                let advice = "str_replace needs it: send the text to replace";
                need(self.old_str.is_some(), "old_str", advice)?;
                "str_replace"
            }
            EditorCommand::Insert => {
                let advice = "insert needs it: send the line number to insert after";
                need(self.insert_line.is_some(), "insert_line", advice)?;
                let advice = "insert needs it: send the text to put in";
                need(self.new_str.is_some(), "new_str", advice)?;
                "insert"
            }
            EditorCommand::UndoEdit => "undo_edit",
        };
        need(
            self.view_range.is_none(),
            "view_range",
            "only view takes it: leave it out",
        )?;
        Ok(EditAction::new(self.path)
            .command(command)
            .file_text(self.file_text)
            .old_str(self.old_str)
            .new_str(self.new_str)
            .insert_line(self.insert_line)
            .security_risk(risk)
            .into())
    }
}

/// Changes a file by a sketch of the new text; a model fills in what the sketch leaves out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EditFile {
    /// Absolute path of the file.
    path: String,
    /// The new text of the lines; a comment may stand for lines that stay.
    content: String,
    /// First line to change, from 1.
    start: Option<i64>,
    /// Last line to change; -1 is the end of the file.
    end: Option<i64>,
    /// How dangerous the change is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for EditFile {
    const TOOL: &'static str = "edit_file";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(EditAction::new(self.path)
            .impl_source(EditSource::LlmBasedEdit)
            .content(self.content)
            .start(self.start.unwrap_or(1))
            .end(self.end.unwrap_or(-1))
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

/// Acts in a web browser by Python calls, as goto('https://example.org') or click('12'), and
/// returns what the page shows.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Browser {
    /// The calls, one per line.
    code: String,
    /// How dangerous the calls are: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for Browser {
    const TOOL: &'static str = "browser";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(BrowseInteractiveAction::new(self.code)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

/// Notes a thought. Nothing else happens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Think {
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
pub(super) struct Finish {
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
pub(super) struct DelegateToBrowsingAgent {
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
pub(super) struct RequestCondensation {}

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
pub(super) struct TaskTracker {
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

/// Reads a text file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadFile {
    /// Path of the file.
    path: String,
}

impl Arguments for ReadFile {
    const TOOL: &'static str = "read_file";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(ReadAction::new(self.path).into())
    }
}

/// Writes a text file; what it held before is gone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteFile {
    /// Path of the file.
    path: String,
    /// The whole text.
    content: String,
    /// How dangerous the change is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for WriteFile {
    const TOOL: &'static str = "write_file";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(WriteAction::new(self.path, self.content)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

/// Lists a directory.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListFiles {
    /// Path of the directory.
    path: String,
    /// Levels to go down; 1 if left out.
    #[schemars(range(min = 1, max = 10))]
    depth: Option<u64>,
}

impl Arguments for ListFiles {
    const TOOL: &'static str = "list_files";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(FileAction::new(FileOperation::List {
            path: self.path,
            depth: self.depth.unwrap_or(1),
        })
        .into())
    }
}

/// Finds files whose paths fit a glob pattern.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Glob {
    /// The pattern, as src/**/*.rs.
    pattern: String,
    /// Directory to start at; the working directory if left out.
    path: Option<String>,
}

impl Arguments for Glob {
    const TOOL: &'static str = "glob";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(FileAction::new(FileOperation::Glob {
            pattern: self.pattern,
            path: self.path.unwrap_or_else(|| ".".to_owned()),
        })
        .into())
    }
}

/// Finds lines that fit a regular expression.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Grep {
    /// The regular expression.
    pattern: String,
    /// File or directory to search; the working directory if left out.
    path: Option<String>,
    /// Only files that fit this glob pattern.
    include: Option<String>,
}

impl Arguments for Grep {
    const TOOL: &'static str = "grep";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(FileAction::new(FileOperation::Grep {
            pattern: self.pattern,
            path: self.path.unwrap_or_else(|| ".".to_owned()),
            include: self.include,
        })
        .into())
    }
}

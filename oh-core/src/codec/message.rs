//! The words for people that stand beside every kind.

use std::borrow::Cow;

use crate::action::{Action, CondensationAction, RecallKind};
use crate::codec::python;
use crate::event::{EventBody, RawObject};
use crate::observation::Observation;

/// Longest list of ids that is spelled out; a range can name any number.
const IDS_SHOWN: usize = 10_000;

/// The text of a V0 kind; `None` for a custom kind, which keeps the text it came with.
pub(crate) fn derive(body: &EventBody) -> Option<Cow<'_, str>> {
    match body {
        EventBody::Action(action) => of_action(action),
        EventBody::Observation(observation) => of_observation(observation),
        EventBody::Status(_) | EventBody::Note(_) => None,
    }
}

fn of_action(action: &Action) -> Option<Cow<'_, str>> {
    let made = match action {
        Action::Run(a) => format!("Running command: {}", a.command),
        Action::RunPython(a) => format!("Running Python code interactively: {}", a.code),
        Action::Browse(a) => format!("I am browsing the URL: {}", a.url),
        Action::BrowseInteractive(a) => format!(
            "I am interacting with the browser:\n```\n{}\n```",
            a.browser_actions
        ),
        Action::Read(a) => format!("Reading file: {}", a.path),
        Action::Write(a) => format!("Writing file: {}", a.path),
        Action::Edit(_) | Action::LoopRecovery(_) => String::new(),
        Action::CallTool(a) => format!(
            "I am interacting with the MCP server with name:\n```\n{}\n```\nand arguments:\n```\n{}\n```",
            a.name,
            python::repr(&a.arguments)
        ),
        Action::Null(_) => "No action".to_owned(),
        Action::Message(a) => return Some(Cow::Borrowed(&a.content)),
        Action::System(a) => return Some(Cow::Borrowed(&a.content)),
        Action::Think(a) => format!("I am thinking...: {}", a.thought),
        Action::Finish(a) if a.thought.is_empty() => {
            "All done! What's next on the agenda?".to_owned()
        }
        Action::Finish(a) => return Some(Cow::Borrowed(&a.thought)),
        Action::Reject(a) => {
            let outputs = a.outputs.decode::<RawObject>().unwrap_or_default();
            let reason = outputs
                .value("reason")
                .map(|reason| format!(" Reason: {}", python::display(reason)));
            format!(
                "Task is rejected by the agent.{}",
                reason.unwrap_or_default()
            )
        }
        Action::Delegate(a) => format!("I'm asking {} for help with this task.", a.agent),
        Action::Recall(a) => {
            let start: String = a.query.chars().take(50).collect();
            format!("Retrieving content for: {start}")
        }
        Action::ChangeAgentState(a) => format!("Agent state changed to {}", a.agent_state),
        Action::Condensation(a) => of_condensation(a),
        Action::CondensationRequest(_) => {
            "Requesting a condensation of the conversation history.".to_owned()
        }
        Action::TaskTracking(a) => match a.task_list.len() {
            0 => "Clearing the task list.".to_owned(),
            1 => "Managing 1 task item.".to_owned(),
            n => format!("Managing {n} task items."),
        },
        Action::File(_) | Action::Confirm(_) | Action::Custom(_) => return None,
    };
    Some(Cow::Owned(made))
}

fn of_condensation(action: &CondensationAction) -> String {
    if let Some(summary) = &action.summary {
        return format!("Summary: {summary}");
    }
    let range = action
        .forgotten_events_start_id
        .zip(action.forgotten_events_end_id);
    let ids: Vec<String> = match (&action.forgotten_event_ids, range) {
        (Some(ids), _) => ids.iter().map(i64::to_string).collect(),
        (None, Some((start, end))) if end.saturating_sub(start) < IDS_SHOWN as i64 => {
            (start..=end).map(|id| id.to_string()).collect()
        }
        (None, Some((start, end))) => vec![start.to_string(), "...".to_owned(), end.to_string()],
        (None, None) => Vec::new(),
    };
    format!("Condenser is dropping the events: [{}].", ids.join(", "))
}

fn of_observation(observation: &Observation) -> Option<Cow<'_, str>> {
    let made = match observation {
        Observation::Run(o) => format!(
            "Command `{}` executed with exit code {}.",
            o.command, o.metadata.exit_code
        ),
        Observation::RunPython(_) => "Code executed in IPython cell.".to_owned(),
        Observation::Read(o) => format!("I read the file {}.", o.path),
        Observation::Write(o) => format!("I wrote to the file {}.", o.path),
        Observation::Edit(o) => format!("I edited the file {}.", o.path),
        Observation::Browse(o) => format!("Visited {}", o.url),
        Observation::Download(o) => {
            format!("Downloaded the file at location: {}", o.file_path)
        }
        Observation::Null(_) => "No observation".to_owned(),
        Observation::AgentStateChanged(_)
        | Observation::Delegate(_)
        | Observation::LoopDetection(_) => String::new(),
        Observation::Recall(o) => match o.recall_type {
            RecallKind::WorkspaceContext => "Added workspace context".to_owned(),
            RecallKind::Knowledge => "Added microagent knowledge".to_owned(),
        },
        Observation::CallTool(_)
        | Observation::Error(_)
        | Observation::Success(_)
        | Observation::UserRejected(_)
        | Observation::Condense(_)
        | Observation::Think(_)
        | Observation::TaskTracking(_) => return Some(Cow::Borrowed(observation.content())),
        Observation::File(_) | Observation::Failure(_) | Observation::Custom(_) => return None,
    };
    Some(Cow::Owned(made))
}

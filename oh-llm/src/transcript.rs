//! From an event log to the messages that a model is sent.

use std::collections::{BTreeMap, BTreeSet};

use oh_core::action::{Action, MessageAction};
use oh_core::event::{Event, EventBody, Source, ToolCallMetadata};
use oh_core::message::{Content, Message, Role};
use oh_core::observation::{Observation, RunObservation};
use oh_core::tool::{ToolCall, ToolResult};
use oh_core::{CallId, EventId};
use serde_json::Value;

/// Turns events into messages.
///
/// Tool calls of one answer stand in one message of the model; each is followed by its result.
/// A call whose action has no observation in the log (the host crashed, or the action still
/// waits) gets a result that says so, since providers refuse a conversation with open calls.
/// Hidden events and events that a model has no use for are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transcript;

impl Transcript {
    /// Messages for the events of one session, in order.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Message> {
        let events: Vec<&Event> = events.into_iter().filter(|event| !event.hidden).collect();
        let mut builder = Builder::new(&events);
        for event in &events {
            match &event.body {
                EventBody::Action(action) => builder.action(event, action),
                EventBody::Observation(observation) => builder.observation(event, observation),
                _ => {}
            }
        }
        builder.messages
    }
}

struct Builder<'a> {
    messages: Vec<Message>,
    /// Results by the action that they answer.
    results: BTreeMap<EventId, &'a Observation>,
    /// Answers of the model whose message is written.
    answers: BTreeSet<(String, String)>,
    /// Actions made from tool calls: their observations are results, not messages.
    called: BTreeSet<EventId>,
    /// The actions of each answer, in the order of the log.
    made_from: BTreeMap<(String, String), Vec<&'a Event>>,
}

impl<'a> Builder<'a> {
    fn new(events: &[&'a Event]) -> Self {
        let mut results = BTreeMap::new();
        let mut called = BTreeSet::new();
        let mut made_from: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
        for event in events {
            match (&event.body, &event.tool, event.cause) {
                (EventBody::Action(_), Some(tool), _) => {
                    called.insert(event.id);
                    made_from.entry(answer_of(tool)).or_default().push(event);
                }
                // A call that could not even be made into an action: its result stands alone.
                (EventBody::Observation(_), Some(tool), None) => {
                    made_from.entry(answer_of(tool)).or_default().push(event);
                }
                // It can name the action that asked for it, and is not what came of that.
                (EventBody::Observation(Observation::AgentStateChanged(_)), _, Some(_)) => {}
                (EventBody::Observation(observation), _, Some(cause)) => {
                    results.entry(cause).or_insert(observation);
                }
                _ => {}
            }
        }
        Self {
            messages: Vec::new(),
            results,
            answers: BTreeSet::new(),
            called,
            made_from,
        }
    }

    fn action(&mut self, event: &'a Event, action: &Action) {
        if let Some(tool) = &event.tool {
            self.answer(tool);
            return;
        }
        match action {
            Action::System(action) => self.messages.push(Message::system(&action.content)),
            Action::Message(action) => {
                let role = match event.source {
                    Source::Agent => Role::Assistant,
                    _ => Role::User,
                };
                self.messages
                    .push(Message::new(role, message_content(action)));
            }
            Action::Finish(action) if !action.final_thought.is_empty() => {
                self.messages
                    .push(Message::assistant(&action.final_thought));
            }
            _ => {}
        }
    }

    /// Writes an answer of the model with all its calls, and after it their results.
    fn answer(&mut self, tool: &ToolCallMetadata) {
        let key = answer_of(tool);
        if !self.answers.insert(key.clone()) {
            return;
        }
        let made = self.made_from.remove(&key).unwrap_or_default();
        let response = tool.model_response.to_value().unwrap_or_default();
        let message = response.pointer("/choices/0/message");
        let text = message
            .and_then(|m| m.get("content"))
            .and_then(Value::as_str)
            .unwrap_or("");
        let mut content = Vec::new();
        if !text.is_empty() {
            content.push(Content::Text(text.to_owned()));
        }
        let mut results = Vec::new();
        for event in made {
            let Some(tool) = &event.tool else { continue };
            let call = ToolCall::new(
                CallId::new(&tool.tool_call_id),
                &tool.function_name,
                arguments(message, &tool.tool_call_id).unwrap_or_else(|| "{}".to_owned()),
            );
            let result = match (&event.body, self.results.get(&event.id)) {
                (EventBody::Observation(observation), _) => result_of(&call, observation),
                (_, Some(observation)) => result_of(&call, observation),
                (EventBody::Action(action), None) if !action.is_runnable() => {
                    ToolResult::text(&call, "done")
                }
                _ => ToolResult::failed(
                    &call,
                    "no result was recorded: the action was interrupted or has not ended, and its \
                     outcome is unknown",
                ),
            };
            content.push(Content::ToolCall(call));
            results.push(Message::tool(result));
        }
        self.messages.push(Message::new(Role::Assistant, content));
        self.messages.append(&mut results);
    }

    fn observation(&mut self, event: &'a Event, observation: &Observation) {
        if let (Some(tool), None) = (&event.tool, event.cause) {
            self.answer(tool);
            return;
        }
        let is_result = event
            .cause
            .is_some_and(|cause| self.called.contains(&cause));
        let says_nothing = matches!(
            observation,
            Observation::Null(_) | Observation::AgentStateChanged(_) | Observation::Recall(_)
        );
        if !is_result && !says_nothing {
            self.messages.push(Message::user(text_of(observation)));
        }
    }
}

/// Tells answers apart: by id, and where a log has none (some servers send an empty one) by the
/// call.
fn answer_of(tool: &ToolCallMetadata) -> (String, String) {
    let response = tool.model_response.to_value().unwrap_or_default();
    match response.get("id").and_then(Value::as_str) {
        Some(id) if !id.is_empty() => (id.to_owned(), String::new()),
        _ => (String::new(), tool.tool_call_id.clone()),
    }
}

fn arguments(message: Option<&Value>, call: &str) -> Option<String> {
    let calls = message?.get("tool_calls")?.as_array()?;
    let call = calls
        .iter()
        .find(|c| c.get("id").and_then(Value::as_str) == Some(call))?;
    call.pointer("/function/arguments")?
        .as_str()
        .map(str::to_owned)
}

fn message_content(action: &MessageAction) -> Vec<Content> {
    let mut content = vec![Content::Text(action.content.clone())];
    content.extend(
        action
            .image_urls
            .iter()
            .flatten()
            .cloned()
            .map(Content::Image),
    );
    content
}

fn result_of(call: &ToolCall, observation: &Observation) -> ToolResult {
    let text = text_of(observation);
    match observation {
        Observation::Error(_) | Observation::Failure(_) => ToolResult::failed(call, text),
        _ => ToolResult::text(call, text),
    }
}

fn text_of(observation: &Observation) -> String {
    match observation {
        Observation::Run(run) => run_text(run),
        other => other.content().to_owned(),
    }
}

/// Output with what stands before and after it, the directory and the exit code, in the order in
/// which OpenHands puts them.
fn run_text(run: &RunObservation) -> String {
    let metadata = &run.metadata;
    let mut text = format!("{}{}{}", metadata.prefix, run.content, metadata.suffix);
    if let Some(directory) = &metadata.working_dir {
        text.push_str(&format!("\n[Current working directory: {directory}]"));
    }
    if let Some(interpreter) = &metadata.py_interpreter_path {
        text.push_str(&format!("\n[Python interpreter: {interpreter}]"));
    }
    if metadata.exit_code != -1 {
        text.push_str(&format!(
            "\n[Command finished with exit code {}]",
            metadata.exit_code
        ));
    }
    text
}

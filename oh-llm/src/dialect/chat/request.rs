//! From a request to the JSON of Chat Completions.

use oh_core::message::{Content, Message, Role};
use oh_core::tool::{ToolCall, ToolResult};
use serde_json::{Map, Value, json};

use crate::request::{ChatRequest, ToolChoice};

/// What the field for the limit of the answer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxTokensField {
    /// `max_completion_tokens`: OpenAI, for all of its models.
    MaxCompletionTokens,
    /// `max_tokens`: most other servers.
    MaxTokens,
}

/// In which points servers differ.
#[derive(Clone, Debug)]
pub(crate) struct Spelling {
    pub(crate) model: String,
    pub(crate) max_tokens: MaxTokensField,
    /// Fields that the host adds to each request; they win.
    pub(crate) extra: Map<String, Value>,
}

/// Whether an answer comes in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Stream,
    Whole,
}

pub(crate) fn encode(request: &ChatRequest, spelling: &Spelling, delivery: Delivery) -> Vec<u8> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("model", spelling.model.as_str().into());
    set("messages", messages(&request.messages));
    if !request.tools.is_empty() {
        set("tools", tools(request));
        set("tool_choice", tool_choice(&request.tool_choice));
    }
    if let Some(limit) = request.max_tokens {
        let name = match spelling.max_tokens {
            MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
            MaxTokensField::MaxTokens => "max_tokens",
        };
        set(name, limit.into());
    }
    if let Some(value) = request.temperature {
        set("temperature", value.into());
    }
    if let Some(value) = request.top_p {
        set("top_p", value.into());
    }
    if !request.stop.is_empty() {
        set("stop", request.stop.clone().into());
    }
    if let Some(seed) = request.seed {
        set("seed", seed.into());
    }
    if let Some(effort) = request.reasoning_effort {
        set("reasoning_effort", effort.as_str().into());
    }
    if let Some(output) = &request.output {
        let schema = json!({"name": output.name, "schema": output.schema, "strict": true});
        set(
            "response_format",
            json!({"type": "json_schema", "json_schema": schema}),
        );
    }
    if delivery == Delivery::Stream {
        set("stream", true.into());
        set("stream_options", json!({"include_usage": true}));
    }
    body.extend(spelling.extra.clone());
    Value::Object(body).to_string().into_bytes()
}

fn tools(request: &ChatRequest) -> Value {
    let tool = |tool: &oh_core::tool::ToolSpec| {
        json!({
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        })
    };
    request.tools.iter().map(tool).collect()
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

/// Results take no pictures here: those of a run of results follow it as a message of the user.
fn messages(messages: &[Message]) -> Value {
    let mut written = Vec::with_capacity(messages.len());
    let mut pictures = Vec::new();
    for message in messages {
        if message.role != Role::Tool && !pictures.is_empty() {
            written.push(json!({"role": "user", "content": std::mem::take(&mut pictures)}));
        }
        match message.role {
            Role::Assistant => written.push(assistant(message)),
            Role::Tool => {
                for part in &message.content {
                    if let Content::ToolResult(result) = part {
                        written.push(tool_result(result, &mut pictures));
                    }
                }
            }
            Role::System => written.push(json!({"role": "system", "content": message.text()})),
            _ => written.push(json!({"role": "user", "content": user_content(&message.content)})),
        }
    }
    if !pictures.is_empty() {
        written.push(json!({"role": "user", "content": pictures}));
    }
    Value::Array(written)
}

/// One text where there is nothing else, since some servers take no parts.
fn user_content(content: &[Content]) -> Value {
    let has_image = content.iter().any(|part| matches!(part, Content::Image(_)));
    if !has_image {
        let texts: Vec<&str> = content.iter().filter_map(Content::as_text).collect();
        return texts.join("\n").into();
    }
    content.iter().filter_map(part).collect()
}

fn part(part: &Content) -> Option<Value> {
    match part {
        Content::Text(text) => Some(json!({"type": "text", "text": text})),
        Content::Image(url) => Some(json!({"type": "image_url", "image_url": {"url": url}})),
        _ => None,
    }
}

fn assistant(message: &Message) -> Value {
    let calls: Vec<Value> = message.tool_calls().map(call).collect();
    let text = message.text();
    let mut fields = Map::new();
    fields.insert("role".to_owned(), "assistant".into());
    let content = match text.is_empty() && !calls.is_empty() {
        true => Value::Null,
        false => text.into(),
    };
    fields.insert("content".to_owned(), content);
    if !calls.is_empty() {
        fields.insert("tool_calls".to_owned(), calls.into());
    }
    Value::Object(fields)
}

fn call(call: &ToolCall) -> Value {
    // Servers refuse empty arguments that they themselves sent.
    let arguments = match call.arguments.trim() {
        "" => "{}",
        _ => &call.arguments,
    };
    json!({
        "id": call.id.as_str(),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    })
}

fn tool_result(result: &ToolResult, pictures: &mut Vec<Value>) -> Value {
    let texts: Vec<&str> = result.content.iter().filter_map(Content::as_text).collect();
    let mut text = texts.join("\n");
    let images = result
        .content
        .iter()
        .filter(|part| matches!(part, Content::Image(_)));
    for image in images {
        if pictures.is_empty() {
            pictures.push(json!({"type": "text", "text": "pictures of the results above:"}));
        }
        pictures.extend(part(image));
        if text.is_empty() {
            text.push_str("the result is a picture, which follows");
        }
    }
    json!({"role": "tool", "tool_call_id": result.call.as_str(), "content": text})
}

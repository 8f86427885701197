//! Tool calls to actions.

use std::fmt;

use serde_json::{Map, Value};

use crate::action::{Action, CallToolAction};
use crate::error::{Error, ErrorKind};
use crate::event::RawJson;
use crate::tool::builtin::BUILTINS;
use crate::tool::{ToolCall, ToolSpec, schema};

/// Says what is wrong with a tool call, in words to send back to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolDecodeError {
    /// Name of the tool that was called.
    pub tool: String,
    /// The argument at fault, if it is one.
    pub argument: Option<String>,
    /// What is wrong and what to send instead.
    pub advice: String,
}

impl fmt::Display for ToolDecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.tool.chars().take(100).collect();
        write!(f, "{}: ", shown.escape_debug())?;
        if let Some(argument) = &self.argument {
            let shown: String = argument.chars().take(100).collect();
            write!(f, "argument `{}`: ", shown.escape_debug())?;
        }
        f.write_str(&self.advice)
    }
}

impl std::error::Error for ToolDecodeError {}

impl From<ToolDecodeError> for Error {
    fn from(error: ToolDecodeError) -> Self {
        Self::new(ErrorKind::InvalidInput, "decode tool call")
            .with_detail(error.to_string())
            .with_source(error)
    }
}

impl Action {
    /// Makes the action that a call of a built-in tool asks for.
    ///
    /// ```
    /// use oh_core::tool::ToolCall;
    /// use oh_core::{Action, CallId};
    ///
    /// let call = ToolCall::new(CallId::new("1"), "execute_bash", r#"{"comand": "ls"}"#);
    /// let error = Action::from_tool_call(&call).unwrap_err();
    /// assert_eq!(error.argument.as_deref(), Some("comand"));
    /// ```
    ///
    /// # Errors
    /// There is no such tool, the arguments are no JSON object, or one of them is missing, unknown,
    /// of the wrong type or out of range. The error is worded for the model.
    pub fn from_tool_call(call: &ToolCall) -> Result<Self, ToolDecodeError> {
        Self::from_tool_call_among(call, &[])
    }

    /// Makes the action that a call asks for, where a call of one of `others` (tools of MCP
    /// servers or of the host) becomes [`Action::CallTool`].
    ///
    /// A name that is both is the built-in tool. Arguments of `others` are checked against the
    /// top level of their schema: that they are there and of the right type.
    ///
    /// # Errors
    /// As [`from_tool_call`](Self::from_tool_call).
    pub fn from_tool_call_among(
        call: &ToolCall,
        others: &[ToolSpec],
    ) -> Result<Self, ToolDecodeError> {
        if let Some(builtin) = BUILTINS
            .iter()
            .find(|builtin| builtin.spec.name == call.name)
        {
            let arguments = arguments(call, &builtin.spec, Unknown::Refused)?;
            return match (builtin.decode)(Value::Object(arguments)) {
                Ok(Ok(action)) => Ok(action),
                Ok(Err(wrong)) => Err(error(call, Some(wrong.argument), wrong.advice)),
                Err(problem) => Err(error(call, None, problem.to_string())),
            };
        }
        if let Some(spec) = others.iter().find(|spec| spec.name == call.name) {
            arguments(call, spec, Unknown::LeftToTheTool)?;
            let text = match call.arguments.trim() {
                "" => "{}",
                text => text,
            };
            let arguments = RawJson::parse(text).map_err(|e| error(call, None, e.to_string()))?;
            return Ok(CallToolAction::new(call.name.as_str())
                .arguments(arguments)
                .into());
        }
        let known: Vec<&str> = BUILTINS
            .iter()
            .map(|builtin| &builtin.spec)
            .chain(others)
            .map(|spec| spec.name.as_str())
            .collect();
        let advice = format!("there is no such tool; call one of: {}", known.join(", "));
        Err(error(call, None, advice))
    }
}

fn error(call: &ToolCall, argument: Option<&str>, advice: impl Into<String>) -> ToolDecodeError {
    ToolDecodeError {
        tool: call.name.clone(),
        argument: argument.map(str::to_owned),
        advice: advice.into(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Unknown {
    Refused,
    LeftToTheTool,
}

/// Parses the arguments and checks them against the spec. Arguments that are `null` count as left
/// out where they may be.
fn arguments(
    call: &ToolCall,
    spec: &ToolSpec,
    unknown: Unknown,
) -> Result<Map<String, Value>, ToolDecodeError> {
    let empty = Map::new();
    let properties = spec
        .parameters
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let required: Vec<&str> = spec
        .parameters
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut given = match call.arguments.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text).map_err(|problem| {
            let advice = format!(
                "the arguments are no JSON object ({problem}); send one with {}",
                listed(properties)
            );
            error(call, None, advice)
        })?,
    };
    given.retain(|name, value| !value.is_null() || required.contains(&name.as_str()));
    for (name, value) in &mut given {
        let Some(schema) = properties.get(name) else {
            if unknown == Unknown::LeftToTheTool {
                continue;
            }
            let advice = format!("is not known; {} takes {}", spec.name, listed(properties));
            return Err(error(call, Some(name), advice));
        };
        // Models send true where a schema asks for "true".
        if let Value::Bool(flag) = value
            && schema.get("enum").is_some()
        {
            *value = Value::from(flag.to_string());
        }
        if let Some(expected) = schema::mismatch(schema, value) {
            let shown: String = value.to_string().chars().take(80).collect();
            let advice = format!("send {expected}, not {shown}");
            return Err(error(call, Some(name), advice));
        }
    }
    for name in required {
        if !given.contains_key(name) {
            let expected = properties
                .get(name)
                .map_or_else(|| "it".to_owned(), schema::expected);
            let advice = format!("is missing; send {expected}");
            return Err(error(call, Some(name), advice));
        }
    }
    Ok(given)
}

fn listed(properties: &Map<String, Value>) -> String {
    if properties.is_empty() {
        return "no arguments".to_owned();
    }
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    names.join(", ")
}

use std::time::Duration;

use serde_json::{Value, json};

use super::{ToolCall, ToolDecodeError, ToolSpec, builtin_spec, builtin_specs};
use crate::action::{Action, EditSource, ReadSource, SecurityRisk};
use crate::error::{Error, ErrorKind};
use crate::id::CallId;

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall::new(CallId::new("call-1"), name, arguments)
}

fn action(name: &str, arguments: impl Into<Value>) -> Action {
    Action::from_tool_call(&call(name, &arguments.into().to_string())).unwrap()
}

fn refusal(name: &str, arguments: &str) -> ToolDecodeError {
    Action::from_tool_call(&call(name, arguments)).unwrap_err()
}

#[test]
fn the_tools_have_the_names_that_agents_of_openhands_know() {
    let names: Vec<&str> = builtin_specs().map(|spec| spec.name.as_str()).collect();
    for name in [
        "execute_bash",
        "execute_ipython_cell",
        "str_replace_editor",
        "edit_file",
        "browser",
        "think",
        "finish",
        "delegate_to_browsing_agent",
        "request_condensation",
        "task_tracker",
    ] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn a_schema_is_plain_enough_for_every_provider() {
    for spec in builtin_specs() {
        assert!(!spec.description.is_empty(), "{}", spec.name);
        assert_eq!(spec.parameters["type"], "object", "{}", spec.name);
        assert_eq!(
            spec.parameters["additionalProperties"], false,
            "{}",
            spec.name
        );
        let text = spec.parameters.to_string();
        for odd in [
            "$ref", "$defs", "anyOf", "oneOf", "null", "format", "default", "\\n",
        ] {
            assert!(!text.contains(odd), "{}: {odd} in {text}", spec.name);
        }
        for (name, property) in spec.parameters["properties"].as_object().unwrap() {
            assert!(
                property["type"].is_string(),
                "{}.{name}: {property}",
                spec.name
            );
            assert!(property["description"].is_string(), "{}.{name}", spec.name);
        }
    }
    let bash = &builtin_spec("execute_bash").unwrap().parameters;
    assert_eq!(bash["required"], json!(["command"]));
    assert_eq!(
        bash["properties"]["is_input"]["enum"],
        json!(["true", "false"])
    );
}

#[test]
fn a_timeout_of_a_command_makes_it_blocking() {
    let Action::Run(run) = action(
        "execute_bash",
        json!({"command": "make", "is_input": "false", "timeout": 2.5, "security_risk": "MEDIUM"}),
    ) else {
        panic!("not a command");
    };
    assert_eq!(run.command, "make");
    assert!(run.blocking && !run.is_input);
    assert_eq!(run.timeout, Some(Duration::from_millis(2500)));
    assert_eq!(run.security_risk, SecurityRisk::Medium);

    let Action::Run(run) = action("execute_bash", json!({"command": "y", "is_input": true})) else {
        panic!("not a command");
    };
    assert!(run.is_input && !run.blocking);
    assert_eq!(run.timeout, None);
}

#[test]
fn view_is_a_read_and_other_editor_commands_are_edits() {
    let arguments = json!({"command": "view", "path": "/a", "view_range": [1, -1]});
    let Action::Read(read) = action("str_replace_editor", arguments) else {
        panic!("not a read");
    };
    assert_eq!(read.impl_source, ReadSource::OhAci);
    assert_eq!(read.view_range, Some(vec![1, -1]));

    let arguments = json!({"command": "insert", "path": "/a", "insert_line": 0, "new_str": "x"});
    let Action::Edit(edit) = action("str_replace_editor", arguments) else {
        panic!("not an edit");
    };
    assert_eq!(
        (edit.command.as_str(), edit.insert_line),
        ("insert", Some(0))
    );

    let Action::Edit(edit) = action("edit_file", json!({"path": "/a", "content": "x"})) else {
        panic!("not an edit");
    };
    assert_eq!(edit.impl_source, EditSource::LlmBasedEdit);
    assert_eq!((edit.start, edit.end), (1, -1));
}

#[test]
fn each_tool_makes_its_kind_of_action() {
    let tasks = json!([{"id": "1", "title": "t", "status": "in_progress"}]);
    for (name, arguments, kind) in [
        ("execute_ipython_cell", json!({"code": "1"}), "run_ipython"),
        ("browser", json!({"code": "noop()"}), "browse_interactive"),
        ("think", json!({"thought": "hm"}), "think"),
        ("finish", json!({"message": "done"}), "finish"),
        (
            "delegate_to_browsing_agent",
            json!({"task": "t"}),
            "delegate",
        ),
        ("request_condensation", json!({}), "condensation_request"),
        ("task_tracker", json!({"command": "view"}), "task_tracking"),
        (
            "task_tracker",
            json!({"command": "plan", "task_list": tasks}),
            "task_tracking",
        ),
        ("read_file", json!({"path": "a"}), "read"),
        ("write_file", json!({"path": "a", "content": ""}), "write"),
        ("list_files", json!({"path": "a", "depth": null}), "file"),
        ("glob", json!({"pattern": "*"}), "file"),
        ("grep", json!({"pattern": "x"}), "file"),
    ] {
        assert_eq!(action(name, arguments).kind(), kind, "{name}");
    }
    assert!(Action::from_tool_call(&call("request_condensation", "")).is_ok());
}

#[test]
fn a_refusal_names_the_argument_and_what_to_send() {
    for (name, arguments, argument, says) in [
        ("bash", "{}", None, "call one of: execute_bash, "),
        (
            "execute_bash",
            "ls",
            None,
            "send one with command, is_input",
        ),
        ("execute_bash", "[1]", None, "no JSON object"),
        (
            "execute_bash",
            "{}",
            Some("command"),
            "is missing; send a string",
        ),
        (
            "execute_bash",
            r#"{"command": null}"#,
            Some("command"),
            "send a string, not null",
        ),
        (
            "execute_bash",
            r#"{"command": "a", "cmd": "b"}"#,
            Some("cmd"),
            "execute_bash takes command",
        ),
        (
            "execute_bash",
            r#"{"command": ["ls"]}"#,
            Some("command"),
            r#"send a string, not ["ls"]"#,
        ),
        (
            "execute_bash",
            r#"{"command": "a", "timeout": 0}"#,
            Some("timeout"),
            "a number from 1",
        ),
        (
            "execute_bash",
            r#"{"command": "a", "security_risk": "low"}"#,
            Some("security_risk"),
            r#"one of "UNKNOWN", "LOW""#,
        ),
        (
            "str_replace_editor",
            r#"{"command": "view", "path": "/a", "view_range": [1]}"#,
            Some("view_range"),
            "a list of 2, each a whole number",
        ),
        (
            "str_replace_editor",
            r#"{"command": "create", "path": "/a"}"#,
            Some("file_text"),
            "create needs it",
        ),
        (
            "task_tracker",
            r#"{"command": "plan"}"#,
            Some("task_list"),
            "whole list",
        ),
    ] {
        let error = refusal(name, arguments);
        assert_eq!(error.argument.as_deref(), argument, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().starts_with(name), "{error}");
        assert_eq!(Error::from(error).kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_tool_of_the_host_keeps_its_arguments_as_the_model_wrote_them() {
    let schema = json!({"properties": {"url": {"type": "string"}}, "required": ["url"]});
    let others = [ToolSpec::new("fetch", "Fetches.", schema)];
    let made = Action::from_tool_call_among(
        &call("fetch", r#"{ "z": 1e400, "url": "u", "a": 2 }"#),
        &others,
    );
    // 1e400 is no number that a tree can hold; a plain one is kept in its place.
    assert!(made.is_err());
    let made =
        Action::from_tool_call_among(&call("fetch", r#"{ "z": 1.50, "url": "u" }"#), &others);
    let Ok(Action::CallTool(tool)) = made else {
        panic!("not a tool call: {made:?}");
    };
    assert_eq!(tool.arguments.as_str(), r#"{"z":1.50,"url":"u"}"#);

    let error = Action::from_tool_call_among(&call("fetch", "{}"), &others).unwrap_err();
    assert_eq!(error.argument.as_deref(), Some("url"));
    let error = Action::from_tool_call_among(&call("fetsh", "{}"), &others).unwrap_err();
    assert!(error.to_string().contains("fetch"), "{error}");
}

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    decode_action, decode_draft, decode_event, decode_observation, encode_action, encode_draft,
    encode_event, encode_observation, event_from_value, event_to_value, python,
};
use crate::action::*;
use crate::error::ErrorKind;
use crate::event::{
    Draft, EventBody, Metrics, Note, RawJson, RawObject, Source, StatusChange, ToolCallMetadata,
};
use crate::id::{EventId, IdempotencyKey, ProcessId, SessionName};
use crate::observation::*;
use crate::runtime::{Exit, Pause, Usage};
use crate::status::RuntimeStatus;
use crate::time::Timestamp;

fn value(draft: &Draft) -> Value {
    serde_json::from_str(&encode_draft(draft)).unwrap()
}

fn action(json: impl Into<Value>) -> Action {
    decode_action(json.into().to_string()).unwrap()
}

#[test]
fn our_own_kinds_look_like_v0_kinds_and_come_back_as_themselves() {
    let operation = FileOperation::Grep {
        pattern: "a'b".to_owned(),
        path: "/w".to_owned(),
        include: Some("*.rs".to_owned()),
    };
    let cases: Vec<(EventBody, &str, &str)> = vec![
        (
            FileAction::new(operation.clone()).thought("t").into(),
            "action",
            "run",
        ),
        (
            ConfirmAction::new(EventId(4), ConfirmStep::Approved).into(),
            "action",
            "change_agent_state",
        ),
        (
            FileObservation::new("a:1: x", operation)
                .result(json!([{"line": 1}]))
                .into(),
            "observation",
            "run",
        ),
        (
            FailureObservation::new("read a: timed out", ErrorKind::Timeout).into(),
            "observation",
            "error",
        ),
        (
            StatusChange::new(RuntimeStatus::Ready, "up").into(),
            "observation",
            "null",
        ),
        (
            Note::new("n").data(json!({"a": 1})).into(),
            "observation",
            "null",
        ),
        (Note::new("n").into(), "observation", "null"),
    ];
    for (body, discriminator, kind) in cases {
        for draft in [
            Draft::new(Source::Environment, body.clone()),
            Draft::new(Source::Environment, body.clone()).hidden(),
        ] {
            let json = value(&draft);
            assert_eq!(json[discriminator], kind, "{json}");
            assert_eq!(json["oh"]["kind"], body.kind(), "{json}");
            assert!(json["message"].is_string(), "{json}");
            assert_eq!(decode_draft(json.to_string()).unwrap(), draft, "{json}");
        }
    }
}

#[test]
fn a_file_operation_is_a_hidden_command_of_the_same_meaning_to_v0() {
    let remove = FileOperation::Remove {
        path: "a b".to_owned(),
        recursive: true,
    };
    let json = value(&Draft::new(Source::Agent, FileAction::new(remove)));
    assert_eq!(json["args"]["command"], "rm -r -- 'a b'");
    assert_eq!(json["args"]["hidden"], true);

    let list = FileOperation::List {
        path: "-delete".to_owned(),
        depth: 1,
    };
    let json = value(&Draft::new(Source::Agent, FileAction::new(list)));
    assert_eq!(json["args"]["command"], "find ./-delete -maxdepth 1");
}

#[test]
fn a_question_and_its_answers_are_states_to_v0() {
    for (step, state) in [
        (ConfirmStep::Question, "awaiting_user_confirmation"),
        (ConfirmStep::Approved, "user_confirmed"),
        (ConfirmStep::Refused, "user_rejected"),
    ] {
        let json = value(&Draft::new(
            Source::User,
            ConfirmAction::new(EventId(4), step),
        ));
        assert_eq!(json["args"]["agent_state"], state);
    }
}

#[test]
fn a_failure_has_an_id_for_v0() {
    let failure = FailureObservation::new("x", ErrorKind::Unsupported);
    assert_eq!(failure.error_id(), "AGENT_ERROR$BAD_ACTION");
    let failure = FailureObservation::new("x", ErrorKind::OutcomeUnknown);
    let json = value(&Draft::new(Source::Environment, failure));
    assert_eq!(json["extras"]["error_id"], "OH$OUTCOME_UNKNOWN");
    assert_eq!(json["oh"]["error"], "outcome_unknown");
}

#[test]
fn what_v0_cannot_hold_of_a_command_goes_under_oh() {
    let mut options = RunOptions::new()
        .session(SessionName::new("main").unwrap())
        .deadline(Duration::from_millis(1500))
        .key(IdempotencyKey::new("k"))
        .stdin("in".to_owned());
    options.env.insert("A".to_owned(), "b".to_owned());
    let run = RunAction::new("ls")
        .options(options)
        .timeout(Duration::from_secs(120));
    let draft = Draft::new(Source::Agent, run);
    let text = encode_draft(&draft);
    assert!(
        text.contains(r#""security_risk":-1},"timeout":120.0,"oh":{"session":"main","#),
        "{text}"
    );
    assert_eq!(decode_draft(&text).unwrap(), draft);

    let mut observation = RunObservation::ended("out", "ls", Exit::Signal(9));
    observation.details.usage = Some(Usage::wall(Duration::from_micros(1_234_567)));
    observation.details.stderr = Some("err".to_owned());
    observation.details.stdout_bytes = Some(3);
    let draft = Draft::new(Source::Environment, observation).cause(EventId(7));
    let json = value(&draft);
    assert_eq!(json["extras"]["metadata"]["exit_code"], 137);
    assert_eq!(json["success"], false);
    assert_eq!(json["oh"]["exit"], json!({"signal": 9}));
    assert_eq!(decode_draft(json.to_string()).unwrap(), draft);

    let lost = RunObservation::ended("", "ls", Exit::Lost);
    assert_eq!(lost.metadata.exit_code, -1);
    let paused = RunObservation::paused("", "ls", ProcessId::new("p"), Pause::Quiet);
    let json: Value = serde_json::from_str(&encode_observation(&paused.into())).unwrap();
    assert_eq!(json["oh"], json!({"pause": "quiet", "process": "p"}));
    assert_eq!(json["extras"]["metadata"]["exit_code"], -1);
}

#[test]
fn a_plain_command_has_no_oh() {
    let text = encode_action(&RunAction::new("ls").into());
    assert_eq!(
        text,
        r#"{"message":"Running command: ls","action":"run","args":{"command":"ls","is_input":false,"thought":"","blocking":false,"is_static":false,"cwd":null,"hidden":false,"confirmation_state":"confirmed","security_risk":-1}}"#
    );
}

#[test]
fn an_event_and_its_body_agree_on_being_hidden() {
    let draft = Draft::new(Source::Agent, RunAction::new("ls")).hidden();
    assert_eq!(value(&draft)["args"]["hidden"], true);
    let draft = Draft::new(Source::Agent, RunAction::new("ls").hidden(true));
    assert!(draft.hidden);
    let draft = Draft::new(Source::Agent, ThinkAction::new()).hidden();
    assert_eq!(value(&draft)["oh"], json!({"hidden": true}));
    assert!(decode_draft(encode_draft(&draft)).unwrap().hidden);
}

#[test]
fn what_is_not_known_of_the_model_call_is_an_object_to_v0() {
    let draft = Draft::new(Source::Agent, RunAction::new("ls"))
        .tool(ToolCallMetadata::new("execute_bash", "call_1"))
        .metrics(Metrics::new());
    let json = value(&draft);
    assert_eq!(json["tool_call_metadata"]["model_response"], json!({}));
    assert!(json["llm_metrics"]["accumulated_token_usage"].is_object());
    assert_eq!(decode_draft(json.to_string()).unwrap(), draft);

    let mut older = json;
    older["llm_metrics"]["accumulated_token_usage"] = Value::Null;
    assert_eq!(decode_draft(older.to_string()).unwrap(), draft);
    older["llm_metrics"]
        .as_object_mut()
        .unwrap()
        .remove("accumulated_token_usage");
    assert_eq!(decode_draft(older.to_string()).unwrap(), draft);
}

#[test]
fn a_timeout_is_a_float_of_seconds() {
    for (millis, text) in [(120_000, "120.0"), (2500, "2.5"), (1, "0.001"), (0, "0.0")] {
        let run = RunAction::new("x").timeout(Duration::from_millis(millis));
        let written = encode_action(&run.clone().into());
        assert!(
            written.ends_with(&format!(r#","timeout":{text}}}"#)),
            "{written}"
        );
        assert_eq!(decode_action(&written).unwrap(), run.into());
    }
    let null = json!({"action": "run", "args": {"command": "x"}, "timeout": null});
    assert_eq!(action(null).timeout(), None);
    let whole = json!({"action": "read", "args": {"path": "x"}, "timeout": 3});
    assert_eq!(action(whole).timeout(), Some(Duration::from_secs(3)));
    for wrong in [json!(-1), json!("3"), json!(1e300)] {
        let json = json!({"action": "run", "args": {"command": "x"}, "timeout": wrong});
        let error = decode_action(json.to_string()).unwrap_err();
        assert!(error.to_string().contains("`timeout`"), "{error}");
    }
}

#[test]
fn every_action_says_in_words_what_it_is() {
    let recalled = format!("Retrieving content for: {}", "é".repeat(50));
    let tasks = |n: usize| vec![TaskItem::new(); n];
    let mut by_ids = CondensationAction::new();
    by_ids.forgotten_event_ids = Some(vec![1, 2]);
    let mut by_range = CondensationAction::new();
    by_range.forgotten_events_start_id = Some(3);
    by_range.forgotten_events_end_id = Some(5);
    let summary = by_range.clone().summary("s".to_owned()).summary_offset(2);
    let mut wide = by_range.clone();
    wide.forgotten_events_end_id = Some(i64::MAX);
    let cases: Vec<(Action, &str)> = vec![
        (
            RunPythonAction::new("1+1").into(),
            "Running Python code interactively: 1+1",
        ),
        (
            BrowseAction::new("http://x").into(),
            "I am browsing the URL: http://x",
        ),
        (
            BrowseInteractiveAction::new("noop()").into(),
            "I am interacting with the browser:\n```\nnoop()\n```",
        ),
        (ReadAction::new("/a").into(), "Reading file: /a"),
        (WriteAction::new("/a", "b").into(), "Writing file: /a"),
        (EditAction::new("/a").into(), ""),
        (
            CallToolAction::new("fetch")
                .arguments(json!({"url": "u"}))
                .into(),
            "I am interacting with the MCP server with name:\n```\nfetch\n```\nand arguments:\n```\n{'url': 'u'}\n```",
        ),
        (NullAction::new().into(), "No action"),
        (MessageAction::new("hi").into(), "hi"),
        (SystemAction::new("sys").into(), "sys"),
        (
            ThinkAction::new().thought("t").into(),
            "I am thinking...: t",
        ),
        (
            FinishAction::new().into(),
            "All done! What's next on the agenda?",
        ),
        (FinishAction::new().thought("t").into(), "t"),
        (RejectAction::new().into(), "Task is rejected by the agent."),
        (
            RejectAction::new().outputs(json!({"reason": "no"})).into(),
            "Task is rejected by the agent. Reason: no",
        ),
        (
            DelegateAction::new("BrowsingAgent", json!({})).into(),
            "I'm asking BrowsingAgent for help with this task.",
        ),
        (
            RecallAction::new(RecallKind::Knowledge)
                .query("é".repeat(60))
                .into(),
            &recalled,
        ),
        (
            ChangeAgentStateAction::new("running").into(),
            "Agent state changed to running",
        ),
        (by_ids.into(), "Condenser is dropping the events: [1, 2]."),
        (
            by_range.into(),
            "Condenser is dropping the events: [3, 4, 5].",
        ),
        (
            wide.into(),
            "Condenser is dropping the events: [3, ..., 9223372036854775807].",
        ),
        (summary.into(), "Summary: s"),
        (
            CondensationRequestAction::new().into(),
            "Requesting a condensation of the conversation history.",
        ),
        (TaskTrackingAction::new().into(), "Clearing the task list."),
        (
            TaskTrackingAction::new().task_list(tasks(1)).into(),
            "Managing 1 task item.",
        ),
        (
            TaskTrackingAction::new().task_list(tasks(3)).into(),
            "Managing 3 task items.",
        ),
        (LoopRecoveryAction::new().into(), ""),
    ];
    for (action, message) in cases {
        let json: Value = serde_json::from_str(&encode_action(&action)).unwrap();
        assert_eq!(json["message"], message, "{action:?}");
    }
}

#[test]
fn every_observation_says_in_words_what_it_is() {
    let cases: Vec<(Observation, &str)> = vec![
        (
            RunObservation::ended("out", "ls", Exit::Code(0)).into(),
            "Command `ls` executed with exit code 0.",
        ),
        (
            RunPythonObservation::new("o", "c").into(),
            "Code executed in IPython cell.",
        ),
        (
            ReadObservation::new("c", "/a").into(),
            "I read the file /a.",
        ),
        (
            WriteObservation::new("", "/a").into(),
            "I wrote to the file /a.",
        ),
        (
            EditObservation::new("c").path("/a").into(),
            "I edited the file /a.",
        ),
        (
            BrowseObservation::new("c", "u", "browse").into(),
            "Visited u",
        ),
        (
            DownloadObservation::new("c", "/a").into(),
            "Downloaded the file at location: /a",
        ),
        (CallToolObservation::new("c").into(), "c"),
        (ErrorObservation::new("e").into(), "e"),
        (SuccessObservation::new("ok").into(), "ok"),
        (NullObservation::new("").into(), "No observation"),
        (UserRejectedObservation::new("r").into(), "r"),
        (AgentStateChangedObservation::new("", "running").into(), ""),
        (DelegateObservation::new("c", json!({})).into(), ""),
        (CondenseObservation::new("s").into(), "s"),
        (ThinkObservation::new("t").into(), "t"),
        (
            RecallObservation::new("c", RecallKind::Knowledge).into(),
            "Added microagent knowledge",
        ),
        (
            RecallObservation::new("c", RecallKind::WorkspaceContext).into(),
            "Added workspace context",
        ),
        (TaskTrackingObservation::new("c").into(), "c"),
        (LoopDetectionObservation::new("c").into(), ""),
    ];
    for (observation, message) in cases {
        let json: Value = serde_json::from_str(&encode_observation(&observation)).unwrap();
        assert_eq!(json["message"], message, "{observation:?}");
    }
}

#[test]
fn old_spellings_of_arguments_are_understood() {
    let Action::Run(run) = action(json!({"action": "run", "args": {
        "command": "ls", "is_confirmed": "rejected", "keep_prompt": false,
        "security_risk": "HIGH", "timestamp": "2024-01-02T03:04:05",
    }})) else {
        panic!("not a command");
    };
    assert_eq!(run.confirmation_state, ConfirmationState::Rejected);
    assert_eq!(run.security_risk, SecurityRisk::Unknown);
    assert!(run.extra.is_empty(), "{:?}", run.extra);

    let draft = decode_draft(r#"{"action":"null","args":{"timestamp":"2024-01-02T03:04:05"}}"#);
    assert_eq!(draft.unwrap().time.unwrap().as_str(), "2024-01-02T03:04:05");

    let Action::Message(message) = action(json!({"action": "message", "args": {
        "content": "hi", "images_urls": ["u"], "security_risk": 2.0,
    }})) else {
        panic!("not a message");
    };
    assert_eq!(message.image_urls, Some(vec!["u".to_owned()]));
    assert_eq!(message.security_risk, SecurityRisk::High);

    let Action::Finish(finish) = action(json!({"action": "finish", "args": {
        "task_completed": "true",
    }})) else {
        panic!("not the end");
    };
    assert!(finish.extra.is_empty());

    let Action::Edit(edit) = action(json!({"action": "edit", "args": {
        "path": "/a", "command": "insert", "insert_line": " 12 ", "new_str": "x",
    }})) else {
        panic!("not an edit");
    };
    assert_eq!(edit.insert_line, Some(12));
}

#[test]
fn an_editor_call_recorded_as_python_code_is_understood() {
    let code = r#"print(file_editor(**{'command': 'create', 'path': '/w/it\'s', 'file_text': "a\n\té\x41", 'insert_line': None}))"#;
    let Action::Edit(edit) = action(json!({"action": "edit", "args": {
        "path": "", "translated_ipython_code": code,
    }})) else {
        panic!("not an edit");
    };
    assert_eq!(
        (edit.command.as_str(), edit.path.as_str()),
        ("create", "/w/it's")
    );
    assert_eq!(edit.file_text.as_deref(), Some("a\n\téA"));

    let code = "print(file_editor(**{'command': 'view', 'path': '/w/a', 'view_range': [1, 20]}))";
    let Action::Read(read) = action(json!({"action": "read", "args": {
        "path": "", "impl_source": "oh_aci", "translated_ipython_code": code,
    }})) else {
        panic!("not a read");
    };
    assert_eq!(
        (read.path.as_str(), read.view_range),
        ("/w/a", Some(vec![1, 20]))
    );
    assert!(read.extra.is_empty());

    for code in [
        "",
        "print(1)",
        "print(file_editor(**{'path': f()}))",
        "print(file_editor(**{1: 2}))",
    ] {
        let Action::Read(read) = action(json!({"action": "read", "args": {
            "path": "/b", "translated_ipython_code": code,
        }})) else {
            panic!("not a read");
        };
        assert_eq!(read.path, "/b", "{code}");
        assert!(read.extra.is_empty());
    }
}

#[test]
fn old_spellings_of_extras_are_understood() {
    let old = json!({"observation": "run", "content": "c", "extras": {
        "command": "ls", "exit_code": 2, "command_id": 7, "formatted_output_and_error": "x",
        "unheard_of": 1,
    }});
    let Observation::Run(run) = decode_observation(old.to_string()).unwrap() else {
        panic!("not a command");
    };
    assert_eq!((run.metadata.exit_code, run.metadata.pid), (2, 7));
    assert_eq!(run.extra.len(), 1);

    let bare = json!({"observation": "run", "extras": {"command": "ls"}});
    let Observation::Run(run) = decode_observation(bare.to_string()).unwrap() else {
        panic!("not a command");
    };
    assert_eq!(run.metadata, CommandMetadata::default());
    assert_eq!(run.content, "");
}

#[test]
fn what_has_no_class_is_kept_as_it_was() {
    for text in [
        r#"{"message":"m","action":"push","args":{"z":1,"a":[1.50,1e400]},"timeout":"x"}"#,
        r#"{"observation":"chat","content":{"z":1,"a":2},"extras":5}"#,
        r#"{"action":"start"}"#,
    ] {
        let draft = decode_draft(text).unwrap();
        let custom = matches!(
            draft.body,
            EventBody::Action(Action::Custom(CustomAction { problem: None, .. }))
                | EventBody::Observation(Observation::Custom(CustomObservation {
                    problem: None,
                    ..
                }))
        );
        assert!(custom, "{draft:?}");
        let keys = |text: &str| -> RawObject { serde_json::from_str(text).unwrap() };
        assert_eq!(keys(&encode_draft(&draft)), keys(text));
    }
    assert!(
        encode_draft(&decode_draft(r#"{"action":"push","args":{"z":1,"a":1.50}}"#).unwrap())
            .contains(r#""args":{"z":1,"a":1.50}"#)
    );
}

#[test]
fn a_known_kind_with_wrong_fields_is_kept_in_a_log_and_refused_for_execution() {
    for (text, field) in [
        (r#"{"action":"run","args":{"command":5}}"#, "args.command"),
        (r#"{"action":"run","args":{}}"#, "args.command"),
        (r#"{"action":"run"}"#, "args.command"),
        (r#"{"action":"run","args":[]}"#, "args"),
        (
            r#"{"action":"read","args":{"path":"a","view_range":"x"}}"#,
            "args.view_range",
        ),
        (r#"{"action":"condensation","args":{}}"#, "args"),
        (
            r#"{"action":"condensation","args":{"forgotten_event_ids":[],"summary":"s"}}"#,
            "args",
        ),
    ] {
        let draft = decode_draft(text).unwrap();
        let written = encode_draft(&draft);
        assert_eq!(
            serde_json::from_str::<Value>(&written).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
        let error = decode_action(text).unwrap_err();
        assert!(error.to_string().contains(&format!("`{field}`")), "{error}");
    }
    let text = r#"{"observation":"read","content":null,"extras":{"path":"a"}}"#;
    assert!(decode_observation(text).is_err());
    assert_eq!(decode_draft(text).unwrap().body.kind(), "read");
}

#[test]
fn what_cannot_be_an_event_is_refused_by_name_of_the_field() {
    for (text, field) in [
        ("", None),
        ("[]", None),
        ("{}", None),
        (r#"{"id":1,"args":{}}"#, None),
        (r#"{"action":5}"#, Some("action")),
        (r#"{"action":null,"observation":"run"}"#, Some("action")),
        (
            r#"{"action":"run","args":{"command":"a","action":"write"}}"#,
            Some("args.action"),
        ),
        (r#"{"action":"null","source":null}"#, Some("source")),
        (r#"{"action":"null","source":"ghost"}"#, Some("source")),
        (r#"{"action":"null","id":-2}"#, Some("id")),
        (r#"{"action":"null","id":"1"}"#, Some("id")),
        (r#"{"action":"null","timestamp":5}"#, Some("timestamp")),
    ] {
        let error = decode_draft(text).unwrap_err();
        assert_eq!(error.field(), field, "{text}: {error}");
    }
    let error = decode_event(r#"{"action":"null","timestamp":"x"}"#).unwrap_err();
    assert_eq!(error.field(), Some("id"));
    let error = decode_event(r#"{"id":1,"action":"null"}"#).unwrap_err();
    assert_eq!(error.field(), Some("timestamp"));
}

#[test]
fn an_action_wins_over_an_observation_of_the_same_event() {
    let draft = decode_draft(r#"{"observation":"run","action":"null"}"#).unwrap();
    assert_eq!(draft.body, NullAction::new().into());
}

#[test]
fn unknown_fields_keep_their_order_and_the_spelling_of_their_numbers() {
    let text = r#"{"id":3,"timestamp":"t","source":"user","zz":{"b":1.10,"a":12345678901234567890123},"action":"null","args":{"y":[1.0,2.50],"x":1}}"#;
    let written = encode_event(&decode_event(text).unwrap());
    assert!(
        written.contains(r#""args":{"y":[1.0,2.50],"x":1}"#),
        "{written}"
    );
    assert!(
        written.contains(r#""zz":{"b":1.10,"a":12345678901234567890123}"#),
        "{written}"
    );
}

#[test]
fn pretty_printed_json_becomes_one_line_and_strings_keep_their_spaces() {
    let text = "{\n \"action\": \"call_tool_mcp\",\n \"args\": {\n  \"name\": \"f\",\n  \"arguments\": {\n   \"b\": [ 1, 2 ],\n   \"a\": \"x  \\\" y\"\n  }\n }\n}";
    let written = encode_draft(&decode_draft(text).unwrap());
    assert!(
        written.contains(r#""arguments":{"b":[1,2],"a":"x  \" y"}"#),
        "{written}"
    );
}

#[test]
fn json_of_any_depth_is_kept_without_exhausting_the_stack() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let text = format!(r#"{{"action":"null","args":{{}},"x":{deep}}}"#);
    let mut draft = decode_draft(&text).unwrap();
    assert!(encode_draft(&draft).contains(&deep));
    draft.body.visit_text_mut(&mut |_| {});
    assert!(draft.extra.value("x").unwrap().to_value().is_err());
    let text = format!(r#"{{"action":"delegate","args":{{"agent":"a","inputs":{deep}}}}}"#);
    assert!(decode_action(&text).is_ok());
}

#[test]
fn half_of_a_surrogate_pair_does_not_make_an_event_unreadable() {
    let text = r#"{"id":1,"timestamp":"t","observation":"error","content":"a \ud83d b SECRET","extras":{}}"#;
    let mut event = decode_event(text).unwrap();
    assert!(encode_event(&event).contains(r"a \ud83d b"));
    event.visit_text_mut(&mut |text| *text = text.replace("SECRET", "***"));
    let written = encode_event(&event);
    assert!(written.contains("a \u{fffd} b ***"), "{written}");
}

#[test]
fn an_event_without_a_source_is_the_environments() {
    let event = decode_event(r#"{"id":1,"timestamp":"t","action":"null"}"#).unwrap();
    assert_eq!(event.source, Source::Environment);
}

#[test]
fn an_event_becomes_a_tree_and_back() {
    let event = Draft::new(Source::User, MessageAction::new("hi"))
        .into_event(EventId(0), Timestamp::from_micros(1));
    let tree = event_to_value(&event);
    assert_eq!(tree["timestamp"], "1970-01-01T00:00:00.000001");
    assert_eq!(event_from_value(&tree).unwrap(), event);
}

#[test]
fn plain_values_are_spelled_as_python_does() {
    for (json, python) in [
        ("{}", "{}"),
        (
            r#"{"b":[1,-2,null],"a":{"t":true,"f":false}}"#,
            "{'b': [1, -2, None], 'a': {'t': True, 'f': False}}",
        ),
        (r#""it's""#, r#""it's""#),
        (r#""it's \"q\"""#, r#"'it\'s "q"'"#),
        (
            r#""a\n\t\\\u0000\u0007\u00a0\u200b😀é\u0301""#,
            "'a\\n\\t\\\\\\x00\\x07\\xa0\\u200b😀é\u{301}'",
        ),
        ("1.0", "1.0"),
        ("0.0001", "0.0001"),
        ("1e-5", "1e-05"),
        ("1e15", "1000000000000000.0"),
        ("1E16", "1e+16"),
        ("1.5e300", "1.5e+300"),
        ("1e999", "inf"),
        ("12345678901234567890123", "12345678901234567890123"),
    ] {
        assert_eq!(python::repr(&RawJson::parse(json).unwrap()), python);
    }
}

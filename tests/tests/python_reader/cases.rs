//! Events to be read by Python.

use std::fs;
use std::path::Path;
use std::time::Duration;

use oh_core::action::*;
use oh_core::codec::decode_event;
use oh_core::event::{BlobRef, Cost, Metrics, Note, StatusChange, TokenUsage, ToolCallMetadata};
use oh_core::message::Content;
use oh_core::observation::*;
use oh_core::runtime::{Exit, Pause, SpawnError, SpawnErrorKind, Usage};
use oh_core::tool::ToolCall;
use oh_core::{
    AgentState, CallId, Draft, ErrorKind, Event, EventBody, EventId, IdempotencyKey, ProcessId,
    RawJson, RuntimeStatus, SessionName, Source, Timestamp,
};
use oh_llm::{Completion, FinishReason, ModelId};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const TEXT: &str = "C:\\t\n\t\"q\" 'p' `b` 東京 🙂 \u{0} \u{a0} </x>";

/// An event in the log with this body and nothing else.
pub(crate) fn event(body: impl Into<EventBody>) -> Event {
    Draft::new(Source::Agent, body).into_event(EventId(7), Timestamp::from_micros(1_500_000))
}

fn condensation() -> CondensationAction {
    let mut condensation = CondensationAction::new();
    condensation.forgotten_event_ids = Some(vec![1, 2]);
    condensation
}

fn stat() -> FileOperation {
    FileOperation::Stat {
        path: "a b".to_owned(),
    }
}

/// Every kind, without anything optional.
pub(crate) fn minimal() -> Vec<Event> {
    let bodies: Vec<EventBody> = vec![
        RunAction::new("ls").into(),
        RunPythonAction::new("1").into(),
        BrowseAction::new("http://x").into(),
        BrowseInteractiveAction::new("noop()").into(),
        ReadAction::new("/a").into(),
        WriteAction::new("/a", "b").into(),
        EditAction::new("/a").into(),
        CallToolAction::new("fetch").into(),
        NullAction::new().into(),
        MessageAction::new("hi").into(),
        SystemAction::new("sys").into(),
        ThinkAction::new().into(),
        FinishAction::new().into(),
        RejectAction::new().into(),
        DelegateAction::new("A", json!({})).into(),
        RecallAction::new(RecallKind::Knowledge).into(),
        ChangeAgentStateAction::new("running").into(),
        condensation().into(),
        CondensationRequestAction::new().into(),
        TaskTrackingAction::new().into(),
        LoopRecoveryAction::new().into(),
        FileAction::new(stat()).into(),
        ConfirmAction::new(EventId(4), ConfirmStep::Question).into(),
        RunObservation::new("", "ls").into(),
        RunPythonObservation::new("", "1").into(),
        ReadObservation::new("", "/a").into(),
        WriteObservation::new("", "/a").into(),
        EditObservation::new("").into(),
        BrowseObservation::new("", "http://x", "browse").into(),
        DownloadObservation::new("", "/a").into(),
        CallToolObservation::new("").into(),
        ErrorObservation::new("").into(),
        SuccessObservation::new("").into(),
        NullObservation::new("").into(),
        UserRejectedObservation::new("").into(),
        AgentStateChangedObservation::new("", "running").into(),
        DelegateObservation::new("", json!({})).into(),
        CondenseObservation::new("").into(),
        ThinkObservation::new("").into(),
        RecallObservation::new("", RecallKind::Knowledge).into(),
        TaskTrackingObservation::new("").into(),
        LoopDetectionObservation::new("").into(),
        FileObservation::new("", stat()).into(),
        FailureObservation::new("", ErrorKind::Timeout).into(),
        StatusChange::new(RuntimeStatus::Ready, "").into(),
        Note::new("").into(),
    ];
    bodies.into_iter().map(event).collect()
}

/// What V0 has no field for, in every form; all of it once more with a full envelope.
pub(crate) fn full() -> Vec<Event> {
    let mut bodies = commands();
    bodies.extend(file_operations());
    for step in [
        ConfirmStep::Question,
        ConfirmStep::Approved,
        ConfirmStep::Refused,
    ] {
        bodies.push(ConfirmAction::new(EventId(4), step).thought(TEXT).into());
    }
    for kind in ErrorKind::ALL {
        bodies.push(FailureObservation::new(TEXT, kind).into());
    }
    for status in RuntimeStatus::ALL {
        bodies.push(StatusChange::new(*status, TEXT).into());
    }
    for state in AgentState::ALL {
        bodies.push(ChangeAgentStateAction::new(state.as_str()).into());
        let changed = AgentStateChangedObservation::new("", state.as_str()).reason(TEXT);
        bodies.push(changed.into());
    }
    bodies.push(Note::new(TEXT).data(json!({"a": [TEXT, 1.5]})).into());
    bodies.extend(minimal().into_iter().map(|event| event.body));
    let bare = bodies.clone().into_iter().map(event);
    let enveloped = bodies.into_iter().flat_map(|body| {
        [Source::User, Source::Environment].map(|source| {
            Draft::new(source, body.clone())
                .cause(EventId(3))
                .tool(tool())
                .metrics(metrics())
                .hidden()
                .into_event(EventId(8), Timestamp::from_micros(2_000_000))
        })
    });
    bare.chain(enveloped).collect()
}

fn tool() -> ToolCallMetadata {
    let response = json!({"id": "r", "model": "m", "created": 3, "choices": []});
    ToolCallMetadata::new("execute_bash", "call_1")
        .model_response(response)
        .total_calls_in_response(2)
}

/// A call as `oh-llm` records it.
pub(crate) fn answered() -> ToolCallMetadata {
    let call = ToolCall::new(CallId::new("call_1"), "execute_bash", r#"{"command":"ls"}"#);
    let content = vec![
        Content::Text(TEXT.to_owned()),
        Content::ToolCall(call.clone()),
    ];
    Completion::new("r", ModelId::new("m"), content, FinishReason::ToolCalls).tool_metadata(&call)
}

fn metrics() -> Metrics {
    let usage = TokenUsage::new().model("m".to_owned()).prompt_tokens(3);
    Metrics::new()
        .accumulated_cost(0.25)
        .max_budget_per_task(4.0)
        .accumulated_token_usage(usage.clone())
        .costs(vec![Cost::new("m".to_owned(), 0.25).timestamp(1.5)])
        .token_usages(vec![usage])
}

fn commands() -> Vec<EventBody> {
    let mut options = RunOptions::new()
        .session(SessionName::new("main").unwrap())
        .deadline(Duration::from_millis(1500))
        .key(IdempotencyKey::new("k"))
        .stdin(TEXT.to_owned());
    options.env.insert("A".to_owned(), TEXT.to_owned());
    let run = RunAction::new(TEXT)
        .is_input(true)
        .blocking(true)
        .cwd("/w".to_owned())
        .confirmation_state(ConfirmationState::AwaitingConfirmation)
        .security_risk(SecurityRisk::High)
        .timeout(Duration::from_millis(2500))
        .options(options);
    let mut bodies = vec![run.into()];
    let missing = SpawnError::new(SpawnErrorKind::NotFound, "x", "no such file");
    for exit in [
        Exit::Code(0),
        Exit::Code(3),
        Exit::Signal(9),
        Exit::TimedOut,
        Exit::Cancelled,
        Exit::OutOfMemory,
        Exit::SpawnFailed(missing),
        Exit::Lost,
    ] {
        let mut ended = RunObservation::ended(TEXT, TEXT, exit);
        let details = &mut ended.details;
        details.usage = Some(Usage::wall(Duration::from_micros(1_234_567)));
        details.stderr = Some(TEXT.to_owned());
        details.stdout_bytes = Some(3);
        details.stderr_bytes = Some(4);
        details.stdout_blob = Some(BlobRef::new("out", 3, "00"));
        details.stderr_blob = Some(BlobRef::new("err", 4, "ff").incomplete());
        bodies.push(ended.into());
    }
    for why in [Pause::Quiet, Pause::Elapsed] {
        let paused = RunObservation::paused(TEXT, "ls", ProcessId::new("p"), why);
        bodies.push(paused.into());
    }
    bodies
}

fn file_operations() -> Vec<EventBody> {
    let path = || TEXT.to_owned();
    let grep = |include| FileOperation::Grep {
        pattern: "a'b".to_owned(),
        path: path(),
        include,
    };
    let operations = [
        stat(),
        grep(None),
        grep(Some("*.rs".to_owned())),
        FileOperation::List {
            path: path(),
            depth: 2,
        },
        FileOperation::Glob {
            pattern: "*.rs".to_owned(),
            path: path(),
        },
        FileOperation::Remove {
            path: path(),
            recursive: true,
        },
        FileOperation::Rename {
            from: path(),
            to: path(),
        },
        FileOperation::MakeDir { path: path() },
    ];
    operations
        .into_iter()
        .flat_map(|operation| {
            let action = FileAction::new(operation.clone())
                .thought(TEXT)
                .confirmation_state(ConfirmationState::Rejected)
                .security_risk(SecurityRisk::Low)
                .timeout(Duration::from_secs(120));
            let long = "x".repeat(40_000);
            let observation =
                FileObservation::new(long, operation).result(json!([{"line": 1, "text": TEXT}]));
            [EventBody::from(action), observation.into()]
        })
        .collect()
}

/// Every kind as Python wrote it, minimal and full, and a stored conversation.
pub(crate) fn recorded() -> Vec<Event> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/openhands-v0");
    let folders = ["actions", "observations", "store/sessions/session-1/events"];
    let files = folders.map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let events: Vec<Event> = files
        .into_iter()
        .flatten()
        .map(|file| decode_event(fs::read(file.unwrap().path()).unwrap()).unwrap())
        .collect();
    assert!(events.len() > 100);
    events
}

/// Values and texts that a model may have written, where they become words.
pub(crate) fn generated() -> Vec<Event> {
    let mut runner = TestRunner::deterministic();
    let mut next =
        |strategy: &BoxedStrategy<Value>| strategy.new_tree(&mut runner).unwrap().current();
    let (text, json) = (text().prop_map(Value::from).boxed(), json());
    let mut events = Vec::new();
    for _ in 0..200 {
        let arguments = json!({"a": next(&json), "b": next(&text)});
        let words = next(&text).as_str().unwrap_or_default().to_owned();
        let outputs = json!({"reason": next(&text), "more": next(&json)});
        events.push(event(CallToolAction::new("f").arguments(arguments)));
        events.push(event(RejectAction::new().outputs(outputs)));
        events.push(event(RunAction::new(words.as_str())));
        events.push(event(
            RecallAction::new(RecallKind::Knowledge).query(words.repeat(3)),
        ));
        events.push(event(
            Note::new(words.as_str()).data(RawJson::from(next(&json))),
        ));
    }
    events
}

/// Of blocks that Unicode has not added to lately: which characters Python prints as they are
/// depends on its version of Unicode.
fn text() -> BoxedStrategy<String> {
    let ranges = [
        '\0'..='\u{36f}',
        '\u{2000}'..='\u{206f}',
        '\u{4e00}'..='\u{4eff}',
        '\u{e000}'..='\u{e0ff}',
        '\u{fff0}'..='\u{ffff}',
        '\u{1f600}'..='\u{1f64f}',
        '\u{e0000}'..='\u{e007f}',
        '\u{10ff00}'..='\u{10ffff}',
    ];
    let char = prop::char::ranges(ranges.to_vec().into());
    prop::collection::vec(char, 0..20)
        .prop_map(String::from_iter)
        .boxed()
}

fn json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-9999.0..9999.0).prop_map(Value::from),
        text().prop_map(Value::from),
        "[a'\"\\\\\n]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
    .boxed()
}

//! What hosts rely on of the scripted model and of gathering an answer.
#![allow(missing_docs, clippy::unwrap_used)]

use oh_core::CallId;
use oh_core::message::Message;
use oh_llm::{
    Accumulator, ChatModel, ChatRequest, Delta, ErrorKind, FinishReason, ModelId, Script,
    ScriptedModel, Usage,
};

const SCRIPT: &str = r#"{"turns": [
    {"text": "First I look.", "calls": [
        {"name": "execute_bash", "arguments": {"command": "ls"}},
        {"name": "think", "arguments": "not json"}
    ]},
    {"expect": "a.txt", "text": "Done."}
]}"#;

fn asked(text: &str) -> ChatRequest {
    ChatRequest::new(vec![Message::user(text)])
}

#[tokio::test]
async fn turns_are_played_in_order_with_their_calls() {
    let model = ScriptedModel::new(Script::from_json(SCRIPT).unwrap());
    let first = model.complete(&asked("go")).await.unwrap();
    assert_eq!(first.text(), "First I look.");
    assert_eq!(first.finish, FinishReason::ToolCalls);
    let calls: Vec<_> = first.tool_calls().collect();
    assert_eq!(calls[0].arguments, r#"{"command":"ls"}"#);
    assert_eq!(
        calls[1].arguments, "not json",
        "a string is sent as it is, valid or not"
    );
    assert_ne!(calls[0].id, calls[1].id);
    let second = model.complete(&asked("found a.txt")).await.unwrap();
    assert_eq!(
        (second.text().as_str(), second.finish),
        ("Done.", FinishReason::Stop)
    );
}

#[tokio::test]
async fn a_script_does_not_go_on_when_what_it_expects_did_not_happen() {
    let model = ScriptedModel::new(Script::from_json(SCRIPT).unwrap());
    model.complete(&asked("go")).await.unwrap();
    let error = model.complete(&asked("nothing found")).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::BadRequest);
    assert!(error.to_string().contains("a.txt"), "{error}");
    model
        .complete(&asked("a.txt"))
        .await
        .expect("the turn is still to be played");
}

#[tokio::test]
async fn a_script_that_is_over_says_so() {
    let model = ScriptedModel::new(Script::default());
    let error = model.complete(&asked("go")).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Exhausted);
}

#[test]
fn a_malformed_script_names_the_place() {
    let error = Script::from_json("{\"turns\": [{\"txt\": \"\"}]}").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Decode);
    assert!(error.to_string().contains("txt"), "{error}");
}

#[test]
fn interleaved_tool_calls_are_gathered_by_index() {
    let piece = |index, name: Option<&str>, arguments: &str| Delta::ToolCall {
        index,
        id: name.map(|name| CallId::new(format!("id-{name}"))),
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
    };
    let mut gathered = Accumulator::new(ModelId::new("m"));
    for delta in [
        Delta::Id("r1".into()),
        Delta::Text("He".into()),
        Delta::Text("llo".into()),
        piece(0, Some("a"), "{\"x\""),
        piece(1, Some("b"), "{}"),
        piece(0, None, ":1}"),
        Delta::Usage(Usage::default()),
        Delta::Finish(FinishReason::ToolCalls),
    ] {
        gathered.push(delta);
    }
    let completion = gathered.finish().unwrap();
    assert_eq!(completion.text(), "Hello");
    let calls: Vec<_> = completion
        .tool_calls()
        .map(|call| (call.name.as_str(), call.arguments.as_str()))
        .collect();
    assert_eq!(calls, [("a", "{\"x\":1}"), ("b", "{}")]);
    assert!(completion.usage.is_some());
}

#[test]
fn an_answer_that_breaks_off_is_an_error() {
    let mut gathered = Accumulator::new(ModelId::new("m"));
    gathered.push(Delta::Text("He".into()));
    assert_eq!(
        gathered.finish().unwrap_err().kind(),
        &ErrorKind::Interrupted
    );
}

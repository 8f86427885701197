//! Events as we write them, read by OpenHands V0's own Python loader.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod cases;
mod folder;
mod histories;
mod python;
mod trajectories;

use std::collections::BTreeSet;

use oh_core::action::{CustomAction, RunAction};
use oh_core::codec::{decode_event, encode_event};
use oh_core::event::{Metrics, ToolCallMetadata};
use oh_core::{Action, Event, EventBody, Observation, RawJson};
use serde_json::{Value, json};

use python::Answer;

/// Feeds every event to Python; `None` if Python cannot be asked here.
fn ask(events: &[Event]) -> Option<Vec<Answer>> {
    let lines: Vec<String> = events.iter().map(encode_event).collect();
    python::read(&lines)
}

/// Python read the event, words it as we do, and writes it as we do but for what is named here.
fn assert_read(event: &Event, answer: &Answer) {
    let line = encode_event(event);
    let Answer::Read {
        class,
        message,
        event: theirs,
    } = answer
    else {
        panic!("{line}\n{answer:?}");
    };
    if let Some(nearest) = nearest_class(&event.body) {
        assert_eq!(class, nearest, "{line}");
    }
    let ours: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(*message, ours["message"], "{line}");
    let (mut theirs, oh) = same_but_for_oh(theirs, &line);

    // What Python wrote is of a kind that has a struct, and with `oh` it is what it was.
    let nearest = decode_event(theirs.to_string()).unwrap();
    assert!(!is_custom(&nearest.body), "{theirs}");
    if let Some(oh) = oh {
        theirs["oh"] = oh;
    }
    assert_eq!(decode_event(theirs.to_string()).unwrap(), *event, "{line}");
}

/// What Python wrote is what we wrote, but for `oh`, which is returned. What Python adds to it is
/// taken out.
fn same_but_for_oh(theirs: &Value, line: &str) -> (Value, Option<Value>) {
    let mut ours: Value = serde_json::from_str(line).unwrap();
    // Python drops `oh`.
    let oh = ours.as_object_mut().unwrap().remove("oh");
    // Python fills in what litellm thinks that a model's answer has.
    let mut theirs = theirs.clone();
    if let Some(filled) = theirs.pointer_mut("/tool_call_metadata/model_response") {
        let given = &ours["tool_call_metadata"]["model_response"];
        assert!(holds(filled, given), "{filled}\n{given}");
        *filled = given.clone();
    }
    assert_eq!(theirs, ours, "{line}");
    (theirs, oh)
}

/// The Python class that our own kinds are read as.
fn nearest_class(body: &EventBody) -> Option<&'static str> {
    Some(match body {
        EventBody::Action(Action::File(_)) => "CmdRunAction",
        EventBody::Action(Action::Confirm(_)) => "ChangeAgentStateAction",
        EventBody::Observation(Observation::File(_)) => "CmdOutputObservation",
        EventBody::Observation(Observation::Failure(_)) => "ErrorObservation",
        EventBody::Status(_) | EventBody::Note(_) => "NullObservation",
        _ => return None,
    })
}

/// True if `all` is `part` but for further keys of its objects.
fn holds(all: &Value, part: &Value) -> bool {
    match (all, part) {
        (Value::Object(all), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| all.get(key).is_some_and(|found| holds(found, value))),
        (Value::Array(all), Value::Array(part)) => {
            all.len() == part.len() && all.iter().zip(part).all(|(all, part)| holds(all, part))
        }
        (all, part) => all == part,
    }
}

fn is_custom(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::Action(Action::Custom(_)) | EventBody::Observation(Observation::Custom(_))
    )
}

fn assert_all_read(events: &[Event]) {
    let Some(answers) = ask(events) else { return };
    assert_eq!(answers.len(), events.len());
    for (event, answer) in events.iter().zip(&answers) {
        assert_read(event, answer);
    }
}

#[test]
fn every_kind_with_nothing_but_what_it_must_have_is_read_by_python() {
    let events = cases::minimal();
    let kinds: BTreeSet<(bool, &str)> = events
        .iter()
        .map(|event| (event.body.as_action().is_some(), event.body.kind()))
        .collect();
    let native = 6;
    let known = Action::V0_KINDS.len() + Observation::V0_KINDS.len();
    assert_eq!(kinds.len(), known + native, "{kinds:?}");
    assert_all_read(&events);
}

#[test]
fn every_field_and_every_state_of_our_own_kinds_is_read_by_python_as_the_nearest_of_its_kinds() {
    assert_all_read(&cases::full());
}

#[test]
fn what_python_once_wrote_and_we_wrote_again_is_read_by_python() {
    assert_all_read(&cases::recorded());
}

#[test]
fn python_words_any_value_as_we_do() {
    assert_all_read(&cases::generated());
}

#[test]
fn python_refuses_kinds_and_arguments_that_it_does_not_know() {
    let mut extra = RunAction::new("ls");
    extra.extra.insert("colour", RawJson::from("red"));
    let events = [
        cases::event(CustomAction::new("paint", json!({}))),
        cases::event(extra),
    ];
    let Some(answers) = ask(&events) else { return };
    for (answer, name) in answers.iter().zip(["paint", "colour"]) {
        assert!(
            matches!(answer, Answer::Refused(error) if error.contains(name)),
            "{answer:?}"
        );
    }
}

#[test]
fn python_reads_what_is_known_of_the_model_call_however_little_it_is() {
    let call = || ToolCallMetadata::new("execute_bash", "call_1");
    let mut without_response = cases::event(RunAction::new("ls"));
    without_response.tool = Some(call());
    let mut without_tokens = cases::event(RunAction::new("ls"));
    without_tokens.metrics = Some(Metrics::new().accumulated_cost(0.5));
    let mut answered = cases::event(RunAction::new("ls"));
    answered.tool = Some(cases::answered());
    assert_all_read(&[without_response, without_tokens, answered]);
}

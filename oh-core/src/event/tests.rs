use proptest::prelude::*;
use serde_json::json;

use super::{Draft, OUTPUT_LIMIT_CHARS, RawJson, Source, TRUNCATION_MARK, truncate_middle};
use crate::action::{Action, MessageAction, RunAction};
use crate::event::ToolCallMetadata;
use crate::id::EventId;
use crate::observation::{RunObservation, RunPythonObservation};
use crate::runtime::{Exit, SpawnError, SpawnErrorKind};
use crate::time::Timestamp;

fn texts(draft: Draft) -> Vec<String> {
    let mut texts = Vec::new();
    draft
        .into_event(EventId(0), Timestamp::from_micros(0))
        .visit_text(&mut |text| texts.push(text.to_owned()));
    texts
}

#[test]
fn pictures_are_not_visited_and_texts_in_disguise_are() {
    let picture = "data:image/png;base64,iVBORw0KGgo=";
    let cell = RunPythonObservation::new("out", "code").image_urls(vec![picture.to_owned()]);
    assert_eq!(
        texts(Draft::new(Source::Environment, cell)),
        ["out", "code"]
    );
    for disguise in [
        "data:text/plain;base64,c2VjcmV0",
        "data:image/svg+xml;base64,c2VjcmV0",
        "data:image/png;base64,secret with spaces",
        "see data:image/png;base64,iVBORw0KGgo=",
    ] {
        let message = MessageAction::new(disguise);
        assert_eq!(texts(Draft::new(Source::User, message)), [disguise]);
    }
}

#[test]
fn texts_beside_the_fields_of_v0_are_visited() {
    let tool = ToolCallMetadata::new("execute_bash", "call-1")
        .model_response(json!({"choices": [{"text": "deep"}]}));
    let mut run = RunAction::new("ls");
    run.options.env.insert("KEY".to_owned(), "value".to_owned());
    run.options.stdin = Some("input".to_owned());
    let mut draft = Draft::new(Source::Agent, run).tool(tool);
    draft.extra.insert("unknown", json!(["listed"]));
    let seen = texts(draft);
    for text in [
        "ls",
        "KEY",
        "value",
        "input",
        "deep",
        "unknown",
        "listed",
        "execute_bash",
    ] {
        assert!(seen.iter().any(|seen| seen == text), "{text} in {seen:?}");
    }

    let error = SpawnError::new(SpawnErrorKind::NotFound, "program", "no such file");
    let mut observation = RunObservation::ended("out", "ls", Exit::SpawnFailed(error));
    observation.details.stderr = Some("err".to_owned());
    let seen = texts(Draft::new(Source::Environment, observation));
    for text in ["out", "err", "program", "no such file"] {
        assert!(seen.iter().any(|seen| seen == text), "{text} in {seen:?}");
    }
}

#[test]
fn names_of_variables_are_texts_that_can_be_changed() {
    let mut run = RunAction::new("ls");
    for name in ["A", "SECRET", "Z"] {
        run.options.env.insert(name.to_owned(), name.to_lowercase());
    }
    let mut event =
        Draft::new(Source::Agent, run).into_event(EventId(0), Timestamp::from_micros(0));
    event.visit_text_mut(&mut |text| *text = text.replace("SECRET", "***"));
    let Some(Action::Run(run)) = event.body.as_action() else {
        panic!("{event:?}");
    };
    let names = [("***", "secret"), ("A", "a"), ("Z", "z")];
    assert!(run.options.env.iter().map(|(k, v)| (&**k, &**v)).eq(names));
}

#[test]
fn a_long_output_is_cut_as_openhands_cuts_it() {
    let long = "é".repeat(OUTPUT_LIMIT_CHARS + 1);
    let cut = truncate_middle(&long, OUTPUT_LIMIT_CHARS);
    assert_eq!(cut.chars().count(), 30_047);
    assert!(cut.starts_with(&"é".repeat(15_000)));
    assert!(cut.ends_with(&"é".repeat(15_000)));
    assert!(cut.contains(TRUNCATION_MARK));
    let whole = "é".repeat(OUTPUT_LIMIT_CHARS);
    assert_eq!(truncate_middle(&whole, OUTPUT_LIMIT_CHARS), whole);
    let observation = RunObservation::new(long.as_str(), "x").truncated(OUTPUT_LIMIT_CHARS);
    assert_eq!(observation.content, cut);
}

proptest! {
    #[test]
    fn a_cut_text_is_its_head_and_tail_and_is_not_cut_deeper(
        text in "[aé😀]{0,60}", limit in 0_usize..50
    ) {
        let cut = truncate_middle(&text, limit);
        let length = text.chars().count();
        if length <= limit {
            prop_assert_eq!(&cut, &text);
        } else {
            let half = limit / 2;
            let head: String = text.chars().take(half).collect();
            let tail: String = text.chars().skip(length - half).collect();
            prop_assert_eq!(&cut, &format!("{head}{TRUNCATION_MARK}{tail}"));
            if limit % 2 == 0 {
                let again = truncate_middle(&cut, limit);
                prop_assert_eq!(again, cut.clone());
            }
        }
    }
}

#[test]
fn raw_json_is_equal_by_meaning_and_keeps_its_text() {
    let a = RawJson::parse(r#"{ "b": 1, "a": "x y" }"#).unwrap();
    let b = RawJson::parse(r#"{"a":"x y","b":1}"#).unwrap();
    assert_eq!(a, b);
    assert_eq!(a.as_str(), r#"{"b":1,"a":"x y"}"#);
    assert_ne!(a, RawJson::object());
    assert!(RawJson::parse("{").is_err());
    assert_eq!(RawJson::from("text").as_str(), r#""text""#);
}

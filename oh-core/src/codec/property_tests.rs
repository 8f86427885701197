//! What holds for any JSON.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Map, Value};

use crate::action::Action;
use crate::codec::{decode_draft, decode_event, encode_draft, encode_event};
use crate::event::{Event, EventBody, RawObject};
use crate::id::EventId;
use crate::observation::Observation;
use crate::status::RuntimeStatus;
use crate::time::Timestamp;

const SECRET: &str = "hunter2-\u{e9}";

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("C:\\tmp\n\"q\" 東京".to_owned()),
        Just(format!("a {SECRET} b{SECRET}")),
        Just("confirmed".to_owned()),
        Just("default".to_owned()),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// An object whose keys are known to some kind, old spellings among them, or to none.
fn fields() -> impl Strategy<Value = Map<String, Value>> {
    let key = prop::sample::select(vec![
        "command",
        "code",
        "url",
        "path",
        "content",
        "name",
        "arguments",
        "agent",
        "inputs",
        "outputs",
        "thought",
        "hidden",
        "security_risk",
        "confirmation_state",
        "is_confirmed",
        "images_urls",
        "image_urls",
        "keep_prompt",
        "start",
        "end",
        "insert_line",
        "view_range",
        "timestamp",
        "metadata",
        "exit_code",
        "command_id",
        "recall_type",
        "query",
        "agent_state",
        "task_list",
        "option",
        "summary",
        "summary_offset",
        "forgotten_event_ids",
        "translated_ipython_code",
        "trigger_by_action",
        "browser_actions",
        "error_id",
        "cwd",
        "impl_source",
        "x_one",
        "x_two",
    ]);
    let fields = prop::collection::btree_map(key.prop_map(str::to_owned), json(), 0..8);
    // Half of the objects have what kinds insist on, so that they are read as those kinds.
    (fields, any::<bool>(), text()).prop_map(|(mut fields, fits, text)| {
        if fits {
            fields.retain(|key, _| key.starts_with("x_") || key.len() % 2 == 0);
            fields.retain(|_, value| value.is_string() || value.is_object());
            for key in [
                "command",
                "code",
                "url",
                "path",
                "content",
                "name",
                "agent",
                "inputs",
                "outputs",
                "agent_state",
                "trigger_by_action",
                "browser_actions",
                "file_path",
                "thought",
            ] {
                fields.insert(key.to_owned(), text.clone().into());
            }
            fields.insert("recall_type".to_owned(), "knowledge".into());
            fields.insert("forgotten_event_ids".to_owned(), serde_json::json!([1]));
        }
        fields.into_iter().collect()
    })
}

fn oh_of(kind: &'static str) -> BoxedStrategy<Value> {
    (json(), any::<bool>())
        .prop_map(move |(more, hidden)| {
            serde_json::json!({
                "kind": kind, "operation": {"stat": {"path": SECRET}}, "hidden": hidden,
                "action": 3, "step": "approved", "error": "timeout", "status": RuntimeStatus::Ready,
                "data": {"x": [SECRET]}, "more": more,
            })
        })
        .boxed()
}

fn oh_of_a_command() -> BoxedStrategy<Value> {
    json()
        .prop_map(|more| {
            serde_json::json!({
                "session": "main", "env": {"A": SECRET}, "exit": {"signal": 9}, "pause": "quiet",
                "stderr": SECRET, "more": more,
            })
        })
        .boxed()
}

/// A discriminator, a kind, and something to go under `oh`.
fn head() -> impl Strategy<Value = (&'static str, &'static str, Option<Value>)> {
    let mut kinds = Action::V0_KINDS.to_vec();
    kinds.extend_from_slice(Observation::V0_KINDS);
    kinds.extend(["start", "chat", ""]);
    let discriminator = prop::sample::select(vec!["action", "observation"]);
    let any_oh = prop_oneof![
        Just(None),
        json().prop_map(Some),
        oh_of("other").prop_map(Some),
        oh_of("note").prop_map(Some),
        oh_of_a_command().prop_map(Some),
    ];
    let ours = |discriminator, v0_kind, kind| {
        oh_of(kind).prop_map(move |oh| (discriminator, v0_kind, Some(oh)))
    };
    prop_oneof![
        8 => (discriminator, prop::sample::select(kinds), any_oh),
        1 => ours("action", "run", "file"),
        1 => ours("action", "change_agent_state", "confirm"),
        1 => ours("observation", "run", "file"),
        1 => ours("observation", "error", "failure"),
        1 => ours("observation", "null", "status"),
        1 => ours("observation", "null", "note"),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    (
        head(),
        fields(),
        any::<bool>(),
        text(),
        prop::collection::vec(prop::option::of(json()), 7),
        any::<bool>(),
    )
        .prop_map(
            |((discriminator, kind, oh), fields, is_bare, content, more, is_text)| {
                let mut top = Map::new();
                top.insert("timestamp".to_owned(), "2025-11-20T10:00:00".into());
                top.insert(discriminator.to_owned(), kind.into());
                if !is_bare || !matches!(kind, "null" | "error") {
                    top.insert("args".to_owned(), fields.clone().into());
                    top.insert("extras".to_owned(), fields.into());
                }
                if is_text {
                    top.insert("content".to_owned(), content.into());
                }
                let keys = [
                    "message",
                    "cause",
                    "timeout",
                    "success",
                    "llm_metrics",
                    "tool_call_metadata",
                    "x_top",
                ];
                for (key, value) in keys.into_iter().zip(more) {
                    top.extend(value.map(|value| (key.to_owned(), value)));
                }
                top.extend(oh.map(|oh| ("oh".to_owned(), oh)));
                Value::Object(top)
            },
        )
}

fn stored(json: &Value) -> Option<Event> {
    let draft = decode_draft(json.to_string()).ok()?;
    Some(draft.into_event(EventId(3), Timestamp::from_micros(0)))
}

#[test]
fn the_generated_events_are_of_every_kind() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds = std::collections::BTreeSet::new();
    for _ in 0..3000 {
        let json = event().new_tree(&mut runner).unwrap().current();
        let body = decode_draft(json.to_string()).unwrap().body;
        let custom = matches!(
            body,
            EventBody::Action(Action::Custom(_)) | EventBody::Observation(Observation::Custom(_))
        );
        if !custom {
            kinds.insert((body.as_action().is_some(), body.kind().to_owned()));
        }
    }
    let native = 6;
    let known = Action::V0_KINDS.len() + Observation::V0_KINDS.len();
    assert_eq!(kinds.len(), known + native, "{kinds:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_was_read_once_is_written_and_read_the_same_for_ever(json in event()) {
        let draft = decode_draft(json.to_string()).unwrap();
        let written = encode_draft(&draft);
        prop_assert!(!written.contains('\n'));
        let again = decode_draft(&written).unwrap();
        prop_assert_eq!(&again, &draft, "{}", written);
        prop_assert_eq!(encode_draft(&again), written);
    }

    #[test]
    fn fields_that_nobody_knows_are_kept(json in event()) {
        let draft = decode_draft(json.to_string()).unwrap();
        let written: Value = serde_json::from_str(&encode_draft(&draft)).unwrap();
        prop_assert_eq!(&written["x_top"], &json["x_top"]);
        let part = if json.get("action").is_some() { "args" } else { "extras" };
        for key in ["x_one", "x_two"] {
            prop_assert_eq!(&written[part][key], &json[part][key]);
        }
    }

    #[test]
    fn the_serde_form_of_an_event_is_the_same_json(json in event()) {
        let event = stored(&json).unwrap();
        let text = encode_event(&event);
        prop_assert_eq!(&serde_json::to_string(&event).unwrap(), &text);
        prop_assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), &event);
        prop_assert_eq!(&decode_event(&text).unwrap(), &event);
    }

    #[test]
    fn a_secret_that_is_replaced_in_every_text_is_nowhere_in_the_json(json in event()) {
        let mut event = stored(&json).unwrap();
        event.visit_text_mut(&mut |text| *text = text.replace(SECRET, "***"));
        let written = encode_event(&event);
        let value: Value = serde_json::from_str(&written).unwrap();
        prop_assert!(!value.to_string().contains(SECRET), "{}", value);
        let mut seen = false;
        event.visit_text(&mut |text| seen |= text.contains(SECRET));
        prop_assert!(!seen);
    }

    #[test]
    fn the_two_visits_see_the_same_texts(json in event()) {
        let mut event = stored(&json).unwrap();
        let (mut read, mut written) = (Vec::new(), Vec::new());
        event.visit_text(&mut |text| read.push(text.to_owned()));
        let before = event.clone();
        event.visit_text_mut(&mut |text| written.push(text.clone()));
        prop_assert_eq!(read, written);
        prop_assert_eq!(before, event);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_draft(&bytes);
    }

    #[test]
    fn no_damage_to_an_event_makes_the_reader_panic(
        json in event(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
    ) {
        let mut bytes = json.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        let _ = decode_draft(&bytes);
    }

    #[test]
    fn an_object_keeps_its_order_and_its_last_values(
        entries in prop::collection::vec(("[a-d]{1,2}", json()), 0..8)
    ) {
        let text = entries
            .iter()
            .map(|(key, value)| format!(" {key:?}\n:\t{value} "))
            .collect::<Vec<_>>()
            .join(",");
        let object: RawObject = serde_json::from_str(&format!("{{{text}}}")).unwrap();
        let mut expected = Vec::<(&str, &Value)>::new();
        for (key, value) in &entries {
            match expected.iter_mut().find(|(k, _)| k == key) {
                Some(entry) => entry.1 = value,
                None => expected.push((key, value)),
            }
        }
        let read: Vec<(&str, Value)> =
            object.iter().map(|(key, value)| (key, value.to_value().unwrap())).collect();
        prop_assert_eq!(read.len(), expected.len());
        for ((key, value), (expected_key, expected_value)) in read.iter().zip(&expected) {
            prop_assert_eq!(key, expected_key);
            prop_assert_eq!(value, *expected_value);
        }
    }
}

//! Trajectories, written here and read by OpenHands V0, and the other way round.

use std::sync::Arc;

use oh_core::codec::encode_event;
use oh_core::{Event, SessionId};
use oh_events::trajectory::{ExportOptions, ImportOptions, Screenshots, import};
use oh_events::{EventViewer, MemoryStore, Query};
use serde_json::{Value, json};

use crate::{cases, python};

/// Gives events ids in their order, as a log has them.
fn renumbered(events: &[Event]) -> Vec<Value> {
    let mut values = Vec::new();
    for (id, event) in events.iter().enumerate() {
        let mut value: Value = serde_json::from_str(&encode_event(event)).unwrap();
        value["id"] = json!(id);
        value.as_object_mut().unwrap().remove("cause");
        if id > 0 && value.get("observation").is_some() {
            value["cause"] = json!(id - 1);
        }
        // The samples name events that are not among them.
        let args = &mut value["args"];
        if args["forgotten_event_ids"].is_array() {
            args["forgotten_event_ids"] = json!([0, 2]);
        } else if args["forgotten_events_start_id"].is_number() {
            args["forgotten_events_start_id"] = json!(0);
            args["forgotten_events_end_id"] = json!(2);
        }
        if args.is_null() {
            value.as_object_mut().unwrap().remove("args");
        }
        values.push(value);
    }
    values
}

async fn exported(events: &[Value], screenshots: Screenshots) -> Vec<Value> {
    let (store, session) = (MemoryStore::new(), SessionId::new("a").unwrap());
    let file = Value::from(events.to_vec()).to_string();
    let imported = import(
        store.clone(),
        session.clone(),
        file,
        ImportOptions::default(),
    );
    assert_eq!(imported.await.unwrap().events, events.len() as u64);
    let viewer = EventViewer::open(&store, &session).await.unwrap();
    let options = ExportOptions::default().screenshots(screenshots);
    let mut export = viewer.export(Query::default(), Default::default(), options);
    let mut text = Vec::new();
    while let Some(piece) = export.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    serde_json::from_slice(&text).unwrap()
}

#[tokio::test]
async fn what_we_export_is_what_openhands_exports_and_loads() {
    let events = renumbered(&cases::recorded());
    for screenshots in [Screenshots::LeftOut, Screenshots::Kept] {
        let question = json!({
            "trajectory": events,
            "screenshots": screenshots == Screenshots::Kept,
        });
        let Some(answer) = python::ask("history_v0.py", &[question.to_string()]) else {
            return;
        };
        let theirs: Vec<Value> = serde_json::from_str(&answer).unwrap();
        let ours = exported(&events, screenshots).await;
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let mut theirs = theirs.clone();
            // Python fills in what its model library thinks that a model's answer has.
            if let Some(filled) = theirs.pointer_mut("/tool_call_metadata/model_response") {
                *filled = ours["tool_call_metadata"]["model_response"].clone();
            }
            assert_eq!(*ours, theirs);
        }
        let lines: Vec<String> = ours.iter().map(Value::to_string).collect();
        let read = python::read(&lines).unwrap_or_default();
        let is_read = |answer: &python::Answer| matches!(answer, python::Answer::Read { .. });
        assert!(read.iter().all(is_read), "{read:?}");
    }
}

#[tokio::test]
async fn what_openhands_exports_opens_here_as_the_events_that_it_was() {
    let events = renumbered(&cases::recorded());
    let question = json!({"trajectory": events, "screenshots": true});
    let Some(file) = python::ask("history_v0.py", &[question.to_string()]) else {
        return;
    };
    let (store, session) = (MemoryStore::new(), SessionId::new("a").unwrap());
    let imported = import(
        store.clone(),
        session.clone(),
        file,
        ImportOptions::default(),
    );
    assert_eq!(imported.await.unwrap().unresolved, []);
    let viewer = EventViewer::open(&store, &session).await.unwrap();
    let read: Vec<Arc<Event>> = viewer.read(Query::default()).await.unwrap();
    assert_eq!(read.len(), events.len());
    for (event, was) in read.iter().zip(&events) {
        assert_eq!(event.id.0, was["id"]);
        assert_eq!(event.time.as_str(), was["timestamp"].as_str().unwrap());
        assert_eq!(
            event.cause.map(|cause| json!(cause)).as_ref(),
            was.get("cause")
        );
        assert_eq!(
            event.body.kind(),
            was["action"]
                .as_str()
                .or(was["observation"].as_str())
                .unwrap()
        );
    }
}

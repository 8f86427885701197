use std::sync::{Arc, Mutex};

use oh_core::action::{ConfirmAction, ConfirmStep, CustomAction, MessageAction, RunAction};
use oh_core::observation::{BrowseObservation, RunObservation};
use oh_core::secret::{Masker, Secret};
use oh_core::{
    Action, BlobRef, Draft, ErrorKind, Event, EventBody, EventId, Exit, Observation, SessionId,
    Source, Timestamp, codec,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    EventLog, EventStore, EventStream, EventViewer, Filter, MemoryStore, Query, SegmentStore,
};

fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

async fn open(store: &MemoryStore, name: &str) -> EventStream {
    EventStream::builder(store.clone(), session(name))
        .open()
        .await
        .unwrap()
}

async fn file(mut export: Export) -> String {
    let mut text = Vec::new();
    while let Some(piece) = export.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(text).unwrap()
}

async fn read(store: &dyn EventStore, name: &str) -> Vec<Arc<Event>> {
    let viewer = EventViewer::open(store, &session(name)).await.unwrap();
    viewer.read(Query::default()).await.unwrap()
}

async fn import_json(store: &MemoryStore, name: &str, json: &Value) -> oh_core::Result<Imported> {
    import(
        store.clone(),
        session(name),
        json.to_string(),
        ImportOptions::default(),
    )
    .await
}

fn run(content: &str) -> RunObservation {
    RunObservation::ended(content, "ls", Exit::Code(0))
}

#[tokio::test]
async fn a_session_survives_the_way_through_a_file() {
    let store = MemoryStore::new();
    let stream = open(&store, "a").await;
    let action = stream
        .append(Source::Agent, RunAction::new("ls"))
        .await
        .unwrap();
    let question = ConfirmAction::new(action, ConfirmStep::Question);
    stream.append(Source::Environment, question).await.unwrap();
    stream
        .reply(action, run("\u{1f600} \"quoted\"\n"))
        .await
        .unwrap();
    let custom = CustomAction::new("paint", json!({"b": 1, "a": [1.50]}));
    stream.append(Source::Agent, custom).await.unwrap();
    let json = file(stream.export(Query::default(), ExportOptions::default())).await;
    assert_eq!(json.lines().count(), 4 + 2);
    stream.close().await.unwrap();

    let imported = import(
        store.clone(),
        session("b"),
        json.clone(),
        ImportOptions::default(),
    )
    .await;
    assert_eq!(imported.unwrap().events, 4);
    assert_eq!(read(&store, "a").await, read(&store, "b").await);
    let again = open(&store, "b").await;
    assert_eq!(
        file(again.export(Query::default(), ExportOptions::default())).await,
        json
    );
}

#[tokio::test]
async fn an_export_is_an_array_also_of_nothing_and_of_a_part() {
    let store = MemoryStore::new();
    let stream = open(&store, "a").await;
    let export = |query| file(stream.export(query, ExportOptions::default()));
    assert_eq!(export(Query::default()).await, "[]\n");
    for text in ["one", "two", "three"] {
        stream
            .append(Source::User, MessageAction::new(text))
            .await
            .unwrap();
    }
    let part = Query::default().filter(Filter::new().text("two"));
    let json: Value = serde_json::from_str(&export(part).await).unwrap();
    assert_eq!(
        (&json[0]["id"], json.as_array().map(Vec::len)),
        (&json!(1), Some(1))
    );
}

#[tokio::test]
async fn a_secret_that_became_known_after_the_event_was_written_does_not_leave() {
    let store = MemoryStore::new();
    let stream = open(&store, "a").await;
    let action = RunAction::new("curl -H hunter22 x").thought("use hunter22");
    stream.append(Source::Agent, action).await.unwrap();
    let mut export = stream.export(Query::default(), ExportOptions::default());
    stream.add_secret("token", Secret::new("hunter22")).unwrap();
    let first = String::from_utf8(export.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(!first.contains("hunter22"), "{first}");
    assert!(first.contains("\"message\":\"Running command: curl -H <secret_hidden> x\""));

    let viewer = EventViewer::open(&store, &session("a")).await.unwrap();
    let masker = Masker::new([("token", Secret::new("hunter22"))]).unwrap();
    let seen = viewer.export(Query::default(), masker, ExportOptions::default());
    assert!(!file(seen).await.contains("hunter22"));
    let log = codec::encode_event(&read(&store, "a").await[0]);
    assert!(
        log.contains("hunter22"),
        "the log itself is as it was written"
    );
}

#[tokio::test]
async fn what_a_browser_shows_is_left_out_at_any_depth_and_pictures_unless_asked_for() {
    let store = MemoryStore::new();
    let stream = open(&store, "a").await;
    let mut page = BrowseObservation::new("dom_object", "http://x", "browse");
    page.screenshot = "data:image/png;base64,AAAA".to_owned();
    page.dom_object = json!({"a": 1}).into();
    page.extra
        .insert("more", json!([{"axtree_object": 1, "kept": 2}]));
    stream
        .append(Source::Agent, Observation::from(page))
        .await
        .unwrap();
    let said = MessageAction::new("\"screenshot\"");
    stream.append(Source::User, said).await.unwrap();

    let options = ExportOptions::default();
    let bare: Value =
        serde_json::from_str(&file(stream.export(Query::default(), options.clone())).await)
            .unwrap();
    let extras = &bare[0]["extras"];
    for gone in [
        "dom_object",
        "last_browser_action",
        "focused_element_bid",
        "screenshot",
        "set_of_marks",
    ] {
        assert_eq!(extras.get(gone), None, "{gone}");
    }
    assert_eq!(extras["more"], json!([{"kept": 2}]));
    assert_eq!(extras["url"], "http://x");
    assert_eq!(bare[0]["content"], "dom_object");
    assert_eq!(bare[1]["args"]["content"], "\"screenshot\"");
    let options = options.screenshots(Screenshots::Kept);
    let kept: Value =
        serde_json::from_str(&file(stream.export(Query::default(), options)).await).unwrap();
    assert_eq!(
        kept[0]["extras"]["screenshot"],
        "data:image/png;base64,AAAA"
    );
    assert_eq!(kept[0]["extras"].get("dom_object"), None);
}

#[tokio::test]
async fn ids_become_dense_and_whatever_names_an_event_names_it_still() {
    let event = |id: u64, body: Value| {
        let mut event = json!({"id": id, "timestamp": "2025-11-20T10:00:00.5", "source": "agent"});
        event
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        event
    };
    let forget = |fields: Value| json!({"action": "condensation", "args": fields});
    let file = json!([
        event(40, json!({"action": "run", "args": {"command": "ls"}})),
        event(
            44,
            json!({"action": "change_agent_state",
            "args": {"agent_state": "user_confirmed"},
            "oh": {"kind": "confirm", "action": 40, "step": "approved"}})
        ),
        event(
            45,
            json!({"observation": "run", "content": "", "cause": 40,
            "extras": {"command": "ls"}, "colour": "red"})
        ),
        event(50, forget(json!({"forgotten_event_ids": [40, 45]}))),
        event(
            51,
            forget(json!({"forgotten_events_start_id": 41, "forgotten_events_end_id": 49}))
        ),
    ]);
    let store = MemoryStore::new();
    let imported = import_json(&store, "a", &file).await.unwrap();
    assert_eq!((imported.events, imported.unresolved), (5, vec![]));
    let events = read(&store, "a").await;
    let ids: Vec<u64> = events.iter().map(|event| event.id.0).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4]);
    assert_eq!(events[2].cause, Some(EventId(0)));
    assert_eq!(
        events[2]
            .extra
            .value("colour")
            .map(oh_core::RawJson::as_str),
        Some("\"red\"")
    );
    assert!(
        events
            .iter()
            .all(|event| event.time.as_str() == "2025-11-20T10:00:00.5")
    );
    let EventBody::Action(Action::Confirm(confirm)) = &events[1].body else {
        panic!("{:?}", events[1]);
    };
    assert_eq!(confirm.action, EventId(0));
    let forgotten = |event: &Event| match &event.body {
        EventBody::Action(Action::Condensation(c)) => (
            c.forgotten_event_ids.clone(),
            c.forgotten_events_start_id.zip(c.forgotten_events_end_id),
        ),
        _ => panic!("{event:?}"),
    };
    assert_eq!(forgotten(&events[3]), (Some(vec![0, 2]), None));
    assert_eq!(forgotten(&events[4]), (None, Some((1, 2))));
}

#[tokio::test]
async fn names_of_events_that_the_file_does_not_hold_are_taken_out_and_told() {
    let file = json!([
        {"id": 7, "source": "agent", "observation": "run", "content": "", "cause": 3,
         "extras": {"command": "ls"}},
        {"id": 8, "source": "user", "action": "change_agent_state",
         "args": {"agent_state": "user_rejected", "thought": "no"},
         "oh": {"kind": "confirm", "action": 3, "step": "refused"}},
        {"id": 9, "source": "agent", "action": "condensation",
         "args": {"forgotten_event_ids": [1, 7]}},
        {"id": 10, "source": "agent", "action": "condensation",
         "args": {"forgotten_events_start_id": 1, "forgotten_events_end_id": 3}},
        {"id": 11, "timestamp": "2025-11-20T10:00:00", "source": "agent", "action": "null"},
        {"source": "agent", "observation": "null", "content": "", "cause": 12},
    ]);
    let store = MemoryStore::new();
    let imported = import_json(&store, "a", &file).await.unwrap();
    assert_eq!(imported.unresolved, [0, 1, 2, 3, 5].map(EventId));
    let events = read(&store, "a").await;
    assert_eq!(events[0].cause, None);
    assert_eq!(events[1].body.kind(), "change_agent_state");
    assert!(
        events[3]
            .body
            .as_action()
            .is_some_and(|action| match action {
                Action::Condensation(c) =>
                    c.forgotten_event_ids == Some(vec![]) && c.check().is_ok(),
                _ => false,
            })
    );
    let times: Vec<&str> = events.iter().map(|event| event.time.as_str()).collect();
    assert_eq!(times, ["2025-11-20T10:00:00"; 6], "the nearest one known");
}

#[tokio::test]
async fn a_course_of_events_that_no_live_session_takes_is_imported_and_opens() {
    let file = json!([
        {"id": 0, "source": "agent", "action": "run", "args": {"command": "ls"}},
        {"id": 1, "source": "agent", "observation": "run", "content": "1", "cause": 0,
         "extras": {"command": "ls"}},
        {"id": 2, "source": "agent", "observation": "run", "content": "2", "cause": 0,
         "extras": {"command": "ls"}},
        {"id": 3, "source": "environment", "observation": "agent_state_changed", "content": "",
         "extras": {"agent_state": "user_confirmed"}},
        {"id": 4, "source": "environment", "observation": "agent_state_changed", "content": "",
         "extras": {"agent_state": "loading"}},
        {"id": 4, "source": "agent", "action": "run", "args": {}},
        {"id": 9, "source": "agent", "action": "unheard-of", "args": {"x": 1}},
    ]);
    let store = MemoryStore::new();
    assert_eq!(import_json(&store, "a", &file).await.unwrap().events, 7);
    let stream = open(&store, "a").await;
    assert!(stream.next() >= EventId(7));
    stream
        .append(Source::User, MessageAction::new("go on"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_bad_element_is_named_and_nothing_is_imported() {
    let good = json!({"id": 0, "source": "agent", "action": "run", "args": {"command": "ls"}});
    let store = MemoryStore::new();
    for (bad, text) in [
        (json!(3), "element 1"),
        (json!({"id": 1, "source": "agent"}), "element 1"),
        (
            json!({"id": 1, "source": "moon", "action": "null"}),
            "element 1",
        ),
        (
            json!({"id": "x", "source": "agent", "action": "null"}),
            "element 1",
        ),
        (
            json!({"id": 1, "source": "agent", "action": "run", "args": {"action": "x", "command": ""}}),
            "element 1",
        ),
    ] {
        let error = import_json(&store, "a", &json!([good, bad]))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
        assert_eq!(error.object(), Some(text), "{bad}: {error}");
    }
    for text in ["", "{}", "[{", "[] []", "\u{feff}[]"] {
        let error = import(store.clone(), session("a"), text, ImportOptions::default()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
    }
    assert_eq!(store.sessions(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_import_begins_a_session_and_never_adds_to_one() {
    let store = MemoryStore::new();
    let stream = open(&store, "a").await;
    stream
        .append(Source::User, MessageAction::new("here"))
        .await
        .unwrap();
    for is_open in [true, false] {
        let error = import_json(&store, "a", &json!([])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "open: {is_open}");
        stream.close().await.unwrap();
    }
    assert_eq!(read(&store, "a").await.len(), 1);
    assert_eq!(
        import_json(&store, "b", &json!([])).await.unwrap().events,
        0
    );
}

#[tokio::test]
async fn secrets_in_a_file_do_not_get_into_the_log() {
    let file = json!([{"id": 0, "source": "user", "action": "message",
        "args": {"content": "it is hunter22"}, "note": ["hunter22"]}]);
    let store = MemoryStore::new();
    let masker = Masker::new([("token", Secret::new("hunter22"))]).unwrap();
    let options = ImportOptions::default().masker(masker);
    import(store.clone(), session("a"), file.to_string(), options)
        .await
        .unwrap();
    let log = codec::encode_event(&read(&store, "a").await[0]);
    assert!(!log.contains("hunter22"), "{log}");
}

#[tokio::test]
async fn a_blob_that_is_not_in_the_file_is_not_taken_for_another_one() {
    let store = MemoryStore::new();
    let mut output = run("head ... tail");
    output.details.stdout_blob = Some(BlobRef::new("1-0", 9000, "ab"));
    let event = Draft::new(Source::Environment, Observation::from(output))
        .into_event(EventId(0), Timestamp::from_micros(0));
    let file = format!("[{}]", codec::encode_event(&event));
    let imported = import(store.clone(), session("a"), file, ImportOptions::default())
        .await
        .unwrap();
    assert_eq!(imported.without_blobs, [EventId(0)]);
    let events = read(&store, "a").await;
    let EventBody::Observation(Observation::Run(run)) = &events[0].body else {
        panic!("{events:?}");
    };
    let blob = run.details.stdout_blob.as_ref().unwrap();
    assert_eq!(
        (blob.id.as_str(), blob.len, blob.complete),
        ("", 9000, false)
    );
}

#[tokio::test]
async fn a_long_trajectory_is_written_in_parts_and_read_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    let events: Vec<Value> = (0..700)
        .map(|id| {
            json!({"id": id * 3, "source": "agent", "observation": "think", "content": "x".repeat(3000),
                "cause": (id > 0).then_some((id - 1) * 3)})
        })
        .collect();
    let file = Value::from(events).to_string();
    let imported = import(store.clone(), session("a"), file, ImportOptions::default())
        .await
        .unwrap();
    assert_eq!((imported.events, imported.unresolved.len()), (700, 0));
    let events = read(&store, "a").await;
    assert!(
        events
            .iter()
            .skip(1)
            .all(|event| event.cause.map(|c| c.0 + 1) == Some(event.id.0))
    );
}

#[test]
fn an_import_needs_no_runtime_where_the_store_needs_none() {
    let store = MemoryStore::new();
    let file = json!([{"source": "user", "action": "message", "args": {"content": "hi"}}]);
    let imported = futures::executor::block_on(import_json(&store, "a", &file)).unwrap();
    assert_eq!(imported.events, 1);
    let events = futures::executor::block_on(read(&store, "a"));
    assert_eq!(events[0].time, Timestamp::from_micros(0));
}

/// A store whose logs take a few events and no more.
#[derive(Clone, Debug, Default)]
struct SmallStore(Arc<Mutex<MemoryStore>>);

#[derive(Debug)]
struct SmallLog(Box<dyn EventLog>);

impl SmallStore {
    fn inner(&self) -> MemoryStore {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl EventStore for SmallStore {
    async fn open(
        &self,
        session: &SessionId,
        writer: crate::Writer,
    ) -> oh_core::Result<Box<dyn EventLog>> {
        let log = self.inner().open(session, writer).await?;
        Ok(Box::new(SmallLog(log)))
    }

    async fn view(&self, session: &SessionId) -> oh_core::Result<Arc<dyn crate::EventReader>> {
        self.inner().view(session).await
    }

    async fn sessions(
        &self,
        after: Option<&SessionId>,
        limit: usize,
    ) -> oh_core::Result<Vec<SessionId>> {
        EventStore::sessions(&self.inner(), after, limit).await
    }

    async fn remove(&self, _: &SessionId) -> oh_core::Result<()> {
        *self.0.lock().unwrap() = MemoryStore::new();
        Ok(())
    }
}

#[async_trait::async_trait]
impl EventLog for SmallLog {
    fn report(&self) -> &crate::OpenReport {
        self.0.report()
    }

    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    fn next(&self) -> EventId {
        self.0.next()
    }

    fn reader(&self) -> Arc<dyn crate::EventReader> {
        self.0.reader()
    }

    async fn append(
        &self,
        expected: EventId,
        epoch: u64,
        batch: &[crate::Encoded],
    ) -> oh_core::Result<()> {
        if expected.0 + batch.len() as u64 > 300 {
            return Err(oh_core::Error::new(ErrorKind::NoSpace, "append"));
        }
        self.0.append(expected, epoch, batch).await
    }

    async fn sync(&self) -> oh_core::Result<EventId> {
        self.0.sync().await
    }

    async fn close(&self) -> oh_core::Result<()> {
        self.0.close().await
    }
}

#[tokio::test]
async fn an_import_that_fails_half_way_leaves_nothing() {
    let store = SmallStore::default();
    let event = json!({"source": "user", "action": "message", "args": {"content": "hi"}});
    let start = |count| {
        let file = Value::from(vec![event.clone(); count]).to_string();
        import(store.clone(), session("a"), file, ImportOptions::default())
    };
    let error = start(400).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert_eq!(store.sessions(None, 10).await.unwrap(), []);
    assert_eq!(start(300).await.unwrap().events, 300);
}

#[tokio::test]
async fn a_file_that_carries_the_value_of_a_chain_makes_no_chained_log() {
    let store = MemoryStore::new();
    let value = format!("hmac-sha256:{}", "0".repeat(64));
    let file = json!([{"id": 0, "source": "user", "action": "message",
        "args": {"content": "c"}, "oh_chain": value}]);
    import_json(&store, "a", &file).await.unwrap();
    let stream = open(&store, "a").await;
    assert_eq!(stream.audit_head(), None);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_without_its_secrets() {
    let masker = Masker::new([("token", Secret::new("hunter22"))]).unwrap();
    let bad = [
        json!([{"id": 0, "source": "hunter22", "action": "null"}]),
        json!([{"id": "hunter22", "source": "agent", "action": "null"}]),
        json!([{"id": 0, "source": "agent", "action": "null", "timestamp": {"hunter22": 1}}]),
        json!("hunter22"),
    ];
    for file in bad {
        let options = ImportOptions::default().masker(masker.clone());
        let store = MemoryStore::new();
        let error = import(store, session("a"), file.to_string(), options).await;
        let error = error.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter22"), "{text}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

//! Conversations in a folder that OpenHands V0 and we write by turns.

use std::path::Path;

use oh_core::codec::{decode_event, encode_event};
use oh_core::{Event, EventId, SessionId};
use oh_events::{
    Cursor, Encoded, EventLog, EventStore, EventStream, EventViewer, OpenHandsStore, Query,
    ReadRange, Writer,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{cases, python, same_but_for_oh};

struct Conversation {
    folder: TempDir,
    user: Option<&'static str>,
}

impl Conversation {
    fn new(user: Option<&'static str>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            user,
        }
    }

    fn store(&self) -> OpenHandsStore {
        let store = OpenHandsStore::new(self.folder.path());
        match self.user {
            Some(user) => store.user(user).unwrap(),
            None => store,
        }
    }

    fn session() -> SessionId {
        SessionId::new("0f3c_conversation.1").unwrap()
    }

    /// Has Python add this many events, and read the conversation.
    fn python(&self, added: usize) -> Option<Value> {
        let root = self.folder.path().display().to_string();
        let session = Self::session();
        let user = self.user.unwrap_or("-");
        let arguments = [&root, session.as_str(), user, &added.to_string()];
        let answer = python::run("stream_v0.py", &arguments, "")?;
        Some(serde_json::from_str(&answer).unwrap())
    }

    async fn open(&self) -> Box<dyn EventLog> {
        let store = self.store();
        store
            .open(&Self::session(), Writer::new("test"))
            .await
            .unwrap()
    }

    fn file(&self, id: u64) -> Vec<u8> {
        let folder = self.store().directory(&Self::session());
        std::fs::read(folder.join(format!("events/{id}.json"))).unwrap()
    }

    fn pages(&self) -> Vec<String> {
        let folder = self.store().directory(&Self::session()).join("event_cache");
        let mut names: Vec<_> = match folder.read_dir() {
            Ok(entries) => entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect(),
            Err(_) => Vec::new(),
        };
        names.sort();
        names
    }
}

/// Every kind of event that we write and V0 can load, with the id of its place.
fn every_kind() -> Vec<Event> {
    let mut events = cases::minimal();
    events.extend(cases::full());
    for (event, id) in events.iter_mut().zip(0..) {
        event.id = EventId(id);
    }
    events
}

fn encoded(event: &Event, id: u64) -> Encoded {
    let mut event = event.clone();
    event.id = EventId(id);
    Encoded::new(event.id, encode_event(&event)).unwrap()
}

async fn append(log: &dyn EventLog, events: &[Encoded]) {
    // Batches of any size.
    for (at, batch) in events.chunks(7).enumerate() {
        let (one, rest) = batch.split_at(at % 2);
        for batch in [one, rest] {
            log.append(log.next(), log.epoch(), batch).await.unwrap();
        }
    }
}

async fn read_all(conversation: &Conversation) -> Vec<Encoded> {
    let reader = conversation
        .store()
        .view(&Conversation::session())
        .await
        .unwrap();
    let mut all: Vec<Encoded> = Vec::new();
    loop {
        let from = EventId(all.len() as u64);
        let page = reader
            .read(ReadRange::new(from, EventId(u64::MAX)))
            .await
            .unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Python sees these events, in both directions and in a part.
fn assert_python_sees(found: &Value, events: &[Encoded]) {
    assert_eq!(found["next"], events.len());
    let seen = found["events"].as_array().unwrap();
    assert_eq!(seen.len(), events.len());
    for (theirs, ours) in seen.iter().zip(events) {
        same_but_for_oh(theirs, std::str::from_utf8(ours.json()).unwrap());
    }
    let mut reverse = found["reverse"].as_array().unwrap().clone();
    reverse.reverse();
    assert_eq!(&reverse, seen);
    let part: Vec<_> = (7..events.len().min(61)).collect();
    assert_eq!(found["from_7_to_60"], serde_json::to_value(part).unwrap());
}

/// What is read are the bytes that are in the files.
fn assert_files(conversation: &Conversation, events: &[Encoded]) {
    for (event, id) in events.iter().zip(0..) {
        assert_eq!(event.id(), EventId(id));
        assert_eq!(event.json()[..], conversation.file(id), "event {id}");
        decode_event(event.json()).unwrap();
    }
}

#[tokio::test]
async fn a_conversation_that_we_wrote_is_read_by_python() {
    let conversation = Conversation::new(None);
    let log = conversation.open().await;
    let events = every_kind();
    let encoded: Vec<_> = events
        .iter()
        .zip(0..)
        .map(|(event, id)| encoded(event, id))
        .collect();
    append(&*log, &encoded).await;
    // Also while we hold it.
    let Some(found) = conversation.python(0) else {
        return;
    };
    assert!(encoded.len() > 75 && conversation.pages().len() == encoded.len() / 25);
    assert_python_sees(&found, &encoded);
    log.close().await.unwrap();
    assert_files(&conversation, &read_all(&conversation).await);
}

async fn we_and_python_go_on_by_turns(user: Option<&'static str>) {
    let conversation = Conversation::new(user);
    let kinds = every_kind();
    let mut known: Vec<Encoded> = Vec::new();
    for round in 0..2 {
        let log = conversation.open().await;
        let next = known.len() as u64;
        assert_eq!(log.next(), EventId(next));
        let ours: Vec<_> = kinds
            .iter()
            .skip(round * 17)
            .zip(next..next + 17)
            .map(|(event, id)| encoded(event, id))
            .collect();
        append(&*log, &ours).await;
        known.extend(ours);
        log.close().await.unwrap();

        let Some(found) = conversation.python(29) else {
            return;
        };
        let next = known.len() as u64;
        let wanted: Vec<_> = (next..next + 29).collect();
        assert_eq!(found["added"], serde_json::to_value(wanted).unwrap());
        let all = read_all(&conversation).await;
        assert_eq!(all.len(), known.len() + 29);
        assert_eq!(all[..known.len()], known);
        assert_files(&conversation, &all);
        assert_python_sees(&found, &all);
        known = all;
    }
    // Python's own pages begin wherever it was started; those that it reads are ours.
    let pages = conversation.pages();
    assert!(pages.contains(&"17-42.json".to_owned()), "{pages:?}");
    let log = conversation.open().await;
    let next = known.len() as u64;
    let ours: Vec<_> = (next..next + 9).map(|id| encoded(&kinds[0], id)).collect();
    append(&*log, &ours).await;
    let pages = conversation.pages();
    assert!(pages.contains(&"75-100.json".to_owned()), "{pages:?}");
    let found = conversation.python(0).unwrap();
    assert_python_sees(&found, &read_all(&conversation).await);
}

#[tokio::test]
async fn python_and_we_continue_each_others_conversation() {
    we_and_python_go_on_by_turns(None).await;
}

#[tokio::test]
async fn python_and_we_continue_each_others_conversation_of_a_user() {
    we_and_python_go_on_by_turns(Some("user-7")).await;
}

#[tokio::test]
async fn a_stream_goes_on_where_python_stopped() {
    let conversation = Conversation::new(None);
    if conversation.python(40).is_none() {
        return;
    }
    let count = 40;
    let stream = EventStream::builder(conversation.store(), Conversation::session())
        .open()
        .await
        .unwrap();
    let past = stream.read(Query::default()).await.unwrap();
    assert_eq!(past.len() as u64, count);
    assert_eq!(past[2].cause, Some(EventId(1)));
    let mut events = stream.subscribe(Cursor::Start);
    for id in 0..count {
        assert_eq!(events.next().await.unwrap().unwrap().id, EventId(id));
    }
    let kind = cases::minimal().remove(0);
    let id = stream.append(kind.source, kind.body).await.unwrap();
    assert_eq!(id, EventId(count));
    assert_eq!(events.next().await.unwrap().unwrap().id, id);
    stream.close().await.unwrap();
}

#[tokio::test]
async fn a_viewer_follows_a_conversation_that_python_writes() {
    let conversation = Conversation::new(None);
    if conversation.python(3).is_none() {
        return;
    }
    let store = conversation.store();
    let viewer = EventViewer::open(&store, &Conversation::session())
        .await
        .unwrap();
    let mut events = viewer.subscribe(Cursor::Start);
    for id in 0..3 {
        assert_eq!(events.next().await.unwrap().unwrap().id, EventId(id));
    }
    let follower = tokio::spawn(async move {
        for id in 3..33 {
            assert_eq!(events.next().await.unwrap().unwrap().id, EventId(id));
        }
    });
    let root = conversation.folder.path().to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let place = [path(&root), Conversation::session().as_str().to_owned()];
        python::run("stream_v0.py", &[&place[0], &place[1], "-", "30"], "")
    });
    follower.await.unwrap();
    assert!(written.await.unwrap().is_some());
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

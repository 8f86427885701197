//! Processes that race for one session.

use std::collections::BTreeMap;
use std::env;
use std::process::{Child, Command, Stdio};

use oh_core::{ErrorKind, EventId, SessionId};
use oh_events::store::object::ObjectEventStore;
use oh_events::{Encoded, EventStore, ReadRange, Writer};

const FOLDER: &str = "OH_TEST_OBJECT_FOLDER";
const NAME: &str = "OH_TEST_OBJECT_NAME";
const EVENTS: u64 = 60;

fn event(id: u64, name: &str) -> Encoded {
    Encoded::new(EventId(id), format!(r#"{{"id":{id},"name":"{name}"}}"#)).unwrap()
}

/// Not a test of its own: what the processes do.
#[tokio::test(flavor = "multi_thread")]
async fn writes_as_one_of_several_processes() {
    let (Ok(folder), Ok(name)) = (env::var(FOLDER), env::var(NAME)) else {
        return;
    };
    let session = SessionId::new("one").unwrap();
    let store = ObjectEventStore::local(folder).unwrap().merge_appends(3);
    let mut written = 0;
    let mut epochs = 0;
    while written < EVENTS {
        // Rudely, so that several hold the log at a time.
        let log = match store.take_over(&session, Writer::new(&name)).await {
            Ok(log) => log,
            Err(error) if error.kind() == ErrorKind::Conflict => continue,
            Err(error) => panic!("{error:?}"),
        };
        epochs += 1;
        assert!(epochs < 10_000, "no progress");
        loop {
            let next = log.next();
            match log.append(next, log.epoch(), &[event(next.0, &name)]).await {
                Ok(()) => {
                    println!("wrote {next}");
                    written += 1;
                    if written == EVENTS {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Conflict => break,
                Err(error) => panic!("{error:?}"),
            }
        }
        log.close().await.unwrap();
    }
}

fn spawn(folder: &std::path::Path, name: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["race::writes_as_one_of_several_processes", "--exact"])
        .args(["--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_race_for_a_session_write_one_history() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"];
    let children: Vec<_> = names
        .iter()
        .map(|name| spawn(folder.path(), name))
        .collect();
    // What each process was told that it wrote.
    let mut told = BTreeMap::new();
    for (name, child) in names.iter().zip(children) {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        let ids = text.lines().filter_map(|line| {
            let (_, id) = line.split_once("wrote ")?;
            id.parse::<u64>().ok()
        });
        for id in ids {
            assert_eq!(told.insert(id, *name), None, "event {id} was written twice");
        }
    }
    assert_eq!(told.len() as u64, EVENTS * names.len() as u64);
    let store = ObjectEventStore::local(folder.path()).unwrap();
    let viewer = store.view(&SessionId::new("one").unwrap()).await.unwrap();
    let all = ReadRange::default().limit(usize::MAX);
    let found = viewer.read(all).await.unwrap();
    let expected: Vec<_> = told.iter().map(|(id, name)| event(*id, name)).collect();
    assert_eq!(found, expected);
}

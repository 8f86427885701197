//! A process that dies in the middle of writing loses nothing that it was told is written.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oh_core::action::MessageAction;
use oh_core::{Action, ErrorKind, EventBody, EventId, SessionId, Source};
use oh_events::{Durability, EventStream, Holder, Query, SegmentStore};

const FOLDER: &str = "OH_EVENTS_CRASH_FOLDER";
const POLICY: &str = "OH_EVENTS_CRASH_POLICY";

fn builder(folder: &Path) -> oh_events::EventStreamBuilder {
    let store = SegmentStore::new(folder).segment_bytes(200_000);
    EventStream::builder(store, SessionId::new("crash").unwrap()).name("child")
}

/// What an appender of a child writes.
fn text(appender: usize, number: usize) -> String {
    // Now and then a large one, in the middle of whose write a process can die.
    let size = match (number * 7 + appender) % 50 {
        0 => 300_000,
        n => n * 40,
    };
    format!("{appender}/{number}/{}", "x".repeat(size))
}

/// Not a test of its own: the process that is killed. It appends until then, and prints each id
/// that was acknowledged.
#[test]
fn child_appends_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let durability = match std::env::var(POLICY).as_deref() {
        Ok("group") => Durability::Group,
        _ => Durability::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = builder(Path::new(&folder))
            .durability(durability)
            .open()
            .await
            .unwrap();
        let appenders: Vec<_> = (0..3)
            .map(|appender| {
                let stream = stream.clone();
                tokio::spawn(async move {
                    for number in 0.. {
                        let message = MessageAction::new(text(appender, number));
                        let id = stream.append(Source::Agent, message).await.unwrap();
                        writeln!(std::io::stdout(), "ack {id} {appender} {number}").unwrap();
                    }
                })
            })
            .collect();
        for appender in appenders {
            appender.await.unwrap();
        }
    });
}

fn spawn_child(folder: &Path, policy: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(POLICY, policy)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

struct Ack {
    id: usize,
    appender: usize,
    number: usize,
}

fn ack(line: &str) -> Option<Ack> {
    // The harness prints lines of its own, also before the first one on the same line.
    let (_, line) = line.split_once("ack ")?;
    let mut numbers = line.split(' ');
    Some(Ack {
        id: numbers.next()?.parse().ok()?,
        appender: numbers.next()?.parse().ok()?,
        number: numbers.next()?.parse().ok()?,
    })
}

#[tokio::test]
async fn a_killed_writer_leaves_a_dense_log_with_every_acknowledged_event() {
    let mut folder = tempfile::tempdir().unwrap();
    let mut known: Vec<Ack> = Vec::new();
    for round in 0_usize..12 {
        if round % 4 == 0 {
            folder = tempfile::tempdir().unwrap();
            known.clear();
        }
        let policy = if round % 3 == 0 { "group" } else { "interval" };
        let mut child = spawn_child(folder.path(), policy);
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        // A different place of the log in each round.
        let wanted = 1 + round * 37 % 150;
        let mut acks = Vec::new();
        while acks.len() < wanted {
            acks.extend(ack(&output.next().expect("the child lives").unwrap()));
            if acks.len() == 1 {
                let error = builder(folder.path()).open().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Conflict);
                assert_eq!(Holder::of(&error).unwrap().pid, child.id());
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still written to the pipe; the last line can be cut.
        let mut rest: Vec<String> = output.map(|line| line.unwrap()).collect();
        rest.pop();
        acks.extend(rest.iter().filter_map(|line| ack(line)));
        known.extend(acks);

        let stream = builder(folder.path()).open().await.unwrap();
        let events = stream.read(Query::default()).await.unwrap();
        let dense = events
            .iter()
            .zip(0..)
            .all(|(event, id)| event.id == EventId(id));
        assert!(dense && stream.next() == EventId(events.len() as u64));
        for ack in &known {
            let event = events.get(ack.id).expect("what was acknowledged is there");
            let EventBody::Action(Action::Message(message)) = &event.body else {
                panic!("event {} is no message", ack.id);
            };
            let same = message.content == text(ack.appender, ack.number);
            assert!(same, "event {} is another one", ack.id);
        }
        assert!(events.len() >= known.len() && known.len() >= wanted);
        stream.close().await.unwrap();
    }
}

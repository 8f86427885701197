//! A writer that dies.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use oh_core::action::MessageAction;
use oh_core::{ErrorKind, EventId, Source};
use oh_events::store::NatsStore;
use oh_events::{EventStream, Holder, Query};

use crate::server::{Server, connect};
use crate::session;

const PORT: &str = "OH_EVENTS_NATS_PORT";
const LEASE: Duration = Duration::from_millis(600);

async fn open(port: u16, name: &str) -> oh_core::Result<EventStream> {
    let context = async_nats::jetstream::new(connect(port).await);
    let store = NatsStore::new(context).lease(LEASE);
    let builder = EventStream::builder(store, session("crash")).name(name);
    builder.open().await
}

/// Not a test of its own: the process that is killed. It appends until then, and prints each id
/// that was acknowledged.
#[tokio::test]
async fn child_appends_until_it_is_killed() {
    let Ok(port) = std::env::var(PORT) else {
        return;
    };
    let stream = open(port.parse().unwrap(), "child").await.unwrap();
    for number in 0_u64.. {
        let message = MessageAction::new(format!("{number}"));
        let id = stream.append(Source::Agent, message).await.unwrap();
        println!("acknowledged {id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_writer_was_killed_another_goes_on_once_its_lease_is_over() {
    let Some(server) = Server::new().await else {
        return;
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "takeover::child_appends_until_it_is_killed"])
        .arg("--nocapture")
        .env(PORT, server.port().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = 0;
    let mut read = |line: std::io::Result<String>| {
        let line = line.unwrap();
        if let Some((_, id)) = line.split_once("acknowledged ") {
            acknowledged = id.parse::<u64>().unwrap() + 1;
        }
        acknowledged
    };
    while read(lines.next().unwrap()) < 200 {}
    let held = open(server.port(), "next").await.unwrap_err();
    assert_eq!(held.kind(), ErrorKind::Conflict);
    assert_eq!(Holder::of(&held).unwrap().pid, child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        read(line);
    }

    let stream = loop {
        match open(server.port(), "next").await {
            Ok(stream) => break stream,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    };
    // What was acknowledged, and at most the one that was under way.
    let next = stream.next().0;
    assert!(
        (acknowledged..=acknowledged + 1).contains(&next),
        "{acknowledged} {next}"
    );
    let events = stream.read(Query::default()).await.unwrap();
    assert_eq!(events.len() as u64, next);
    let id = stream.append(Source::Agent, MessageAction::new("on"));
    assert_eq!(id.await.unwrap(), EventId(next));
}

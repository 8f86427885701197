//! A process that dies while it forks leaves each fork as a whole or not at all.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oh_core::action::MessageAction;
use oh_core::{EventId, SessionId, Source};
use oh_events::{Durability, EventStore, EventStream, EventViewer, Lineage, Query, SegmentStore};

const FOLDER: &str = "OH_EVENTS_FORK_CRASH_FOLDER";
const EVENTS: u64 = 120;
const ROUNDS: usize = 30;

fn parent() -> SessionId {
    SessionId::new("parent").unwrap()
}

fn store(folder: &Path) -> SegmentStore {
    SegmentStore::new(folder.join("here")).segment_bytes(5000)
}

/// Where forks are copied to.
fn other_store(folder: &Path) -> SegmentStore {
    SegmentStore::new(folder.join("elsewhere")).segment_bytes(5000)
}

/// Which part of the past a fork takes.
fn at(number: u64) -> EventId {
    EventId(number * 37 % (EVENTS + 1))
}

/// Not a test of its own: the process that is killed. It forks until then, and prints each fork
/// that was made.
#[test]
fn child_forks_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let builder = EventStream::builder(store(folder), parent());
        let stream = builder.durability(Durability::Never).open().await.unwrap();
        while stream.next() < EventId(EVENTS) {
            let text = format!("{} {}", stream.next(), "x".repeat(100));
            let message = MessageAction::new(text);
            stream.append(Source::User, message).await.unwrap();
        }
        let first: u64 = std::process::id().into();
        for number in first * 1000.. {
            let name = SessionId::new(format!("fork-{number}")).unwrap();
            let mut fork = stream.fork(at(number), name);
            if number % 2 == 0 {
                fork = fork.store(other_store(folder));
            }
            fork.open().await.unwrap().close().await.unwrap();
            writeln!(std::io::stdout(), "made {number}.").unwrap();
        }
    });
}

fn spawn_child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_forks_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn made(line: &str) -> Option<u64> {
    let (_, number) = line.split_once("made ")?;
    number.strip_suffix('.')?.parse().ok()
}

/// Checks every fork of a store.
async fn check(store: SegmentStore, past: &[std::sync::Arc<oh_core::Event>], known: &[u64]) {
    let sessions = store.sessions(None, usize::MAX).await.unwrap();
    for session in &sessions {
        let Some(Ok(number)) = session.as_str().strip_prefix("fork-").map(str::parse) else {
            // A copy that was not complete has a name of its own.
            assert!(*session == parent() || session.as_str().contains(".fork-"));
            continue;
        };
        let at = at(number);
        let fork = EventViewer::open(&store, session).await.unwrap();
        let events = fork.read(Query::default()).await.unwrap();
        let taken = usize::try_from(at.0).unwrap();
        let same = events.iter().zip(past).take(taken);
        assert!(events.len() >= taken, "{session}");
        assert!(same.clone().all(|(one, other)| one == other), "{session}");
        if known.contains(&number) {
            let lineage = events.get(taken).and_then(|note| Lineage::of(note));
            assert_eq!(lineage, Some(Lineage::new(parent(), at)));
        }
        // It can be written to.
        let stream = EventStream::builder(store.clone(), session.clone());
        let stream = stream.open().await.unwrap();
        assert_eq!(stream.report().cut_bytes, 0);
        stream.close().await.unwrap();
        store.remove(session).await.unwrap();
    }
    for number in known {
        let session = SessionId::new(format!("fork-{number}")).unwrap();
        assert!(sessions.contains(&session), "{session} was made");
    }
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_forks_leaves_whole_forks_only() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let mut child = spawn_child(folder.path());
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut known = Vec::new();
        while known.len() < 1 + round % 3 {
            known.extend(made(&output.next().expect("the child lives").unwrap()));
        }
        // A different place of the next fork in each round.
        for _ in 0..round * 80 {
            std::fs::metadata(folder.path()).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest: Vec<String> = output.map(|line| line.unwrap()).collect();
        rest.pop();
        known.extend(rest.iter().filter_map(|line| made(line)));
        let viewer = EventViewer::open(&store(folder.path()), &parent())
            .await
            .unwrap();
        let past = viewer.read(Query::default()).await.unwrap();
        assert_eq!(past.len() as u64, EVENTS);
        let (here, elsewhere) = known.into_iter().partition::<Vec<_>, _>(|n| n % 2 == 1);
        check(store(folder.path()), &past, &here).await;
        check(other_store(folder.path()), &past, &elsewhere).await;
    }
}

//! A process that dies while it writes into a folder of OpenHands V0 leaves whole events only, and
//! every one that was acknowledged.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oh_core::{EventId, SessionId};
use oh_events::{Durability, Encoded, EventStore, OpenHandsStore, ReadRange, Writer};

const FOLDER: &str = "OH_EVENTS_V0_CRASH_FOLDER";

const KILLS: u64 = 40;

fn session() -> SessionId {
    SessionId::new("crash").unwrap()
}

fn event(id: u64) -> Encoded {
    // Many large ones, in the middle of whose write a process can die.
    let size = if id.is_multiple_of(3) {
        400_000
    } else {
        id as usize % 90
    };
    let text = "x".repeat(size);
    let json = format!(r#"{{"id":{id},"source":"user","action":"null","args":{{"x":"{text}"}}}}"#);
    Encoded::new(EventId(id), json).unwrap()
}

/// Not a test of its own: the process that is killed. It appends batches until then, and prints
/// the next id after each that was acknowledged.
#[test]
fn child_appends_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = OpenHandsStore::new(folder);
        let writer = Writer::new("child").durability(Durability::Never);
        let log = store.open(&session(), writer).await.unwrap();
        loop {
            let next = log.next();
            let batch: Vec<_> = (next.0..next.0 + 1 + next.0 % 6).map(event).collect();
            log.append(next, log.epoch(), &batch).await.unwrap();
            writeln!(std::io::stdout(), "next {}", log.next()).unwrap();
        }
    });
}

/// Kills a writer a moment after some acknowledgements, and returns the last of all.
fn kill_a_writer(folder: &Path, acknowledgements: u64, moment: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_appends_until_it_is_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next_of = |count: u64| {
        let numbers = lines.by_ref().filter_map(|line| {
            let line = line.unwrap();
            line.strip_prefix("next ")
                .map(|next| next.parse::<u64>().unwrap())
        });
        numbers.take(count as usize).last()
    };
    let mut last = next_of(acknowledgements).unwrap();
    // Somewhere within the next appends.
    let begun = Instant::now();
    while begun.elapsed() < moment {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    last = next_of(u64::MAX).unwrap_or(last);
    child.wait().unwrap();
    last
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_killed_writer_leaves_whole_events_and_every_acknowledged_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = OpenHandsStore::new(folder.path());
    let base = store.directory(&session());
    let mut seen = 0;
    for round in 0..KILLS {
        let acknowledged = kill_a_writer(
            folder.path(),
            1 + round * 7 % 5,
            Duration::from_micros(round * 611 % 4000),
        );
        assert!(acknowledged > seen);
        let log = store.open(&session(), Writer::new("parent")).await.unwrap();
        let next = log.next().0;
        assert!(next >= acknowledged, "{next} after {acknowledged}");
        let reader = log.reader();
        let mut at = seen;
        while at < next {
            let page = reader
                .read(ReadRange::new(EventId(at), EventId(next)))
                .await
                .unwrap();
            for found in page {
                assert_eq!(found, event(at));
                at += 1;
            }
        }
        seen = next;
        let mut events = names(&base.join("events"));
        events.sort_by_key(|name| name.trim_end_matches(".json").parse::<u64>().unwrap());
        let wanted: Vec<_> = (0..next).map(|id| format!("{id}.json")).collect();
        assert_eq!(events, wanted);
        for page in names(&base.join("event_cache")) {
            let text = std::fs::read(base.join("event_cache").join(&page)).unwrap();
            let events: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
            assert_eq!(events.len(), 25, "{page}");
        }
        assert_eq!(names(&base.join("oh/new")), Vec::<String>::new());
    }
    assert!(!names(&base.join("event_cache")).is_empty());
    println!("{KILLS} kills, {seen} events");
}

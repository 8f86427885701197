//! A log that was cut at any byte opens up to its last whole event and goes on from there,
//! whatever the files beside it still say.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oh_core::action::MessageAction;
use oh_core::{
    Action, AgentState, AgentTrigger, Event, EventBody, EventId, Observation, SessionId, Source,
};
use oh_events::{
    Direction, Durability, Encoded, EventReader, EventStore, EventStream, Query, ReadRange,
    SegmentStore, Writer,
};
use tempfile::TempDir;

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

/// A folder in memory, if there is that: thousands of logs are cut, and each cut is synced.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(work)
}

/// The files of a session, by name.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files_of(directory: &Path) -> Files {
    let entries = directory
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file())
        .map(|path| {
            (
                path.file_name().unwrap().into(),
                std::fs::read(path).unwrap(),
            )
        })
        .collect()
}

struct Log {
    root: TempDir,
    segment_bytes: u64,
    whole: Files,
    events: Vec<Event>,
}

impl Log {
    /// Writes a log that ends with three small events, the middle one a change of state.
    async fn write(segment_bytes: u64) -> Self {
        let root = folder();
        let mut log = Self {
            root,
            segment_bytes,
            whole: Files::new(),
            events: Vec::new(),
        };
        let stream = log.open().await;
        for size in [10, 40, 50] {
            let message = MessageAction::new("x".repeat(size));
            stream.append(Source::User, message).await.unwrap();
        }
        stream.set_state(AgentTrigger::Loaded).await.unwrap();
        let message = MessageAction::new("penultimate");
        stream.append(Source::User, message).await.unwrap();
        stream.set_state(AgentTrigger::UserMessage).await.unwrap();
        let events = stream.read(Query::default()).await.unwrap();
        log.events = events.iter().map(|event| Event::clone(event)).collect();
        stream.close().await.unwrap();
        drop(stream);
        log.whole = files_of(&log.directory());
        log
    }

    fn store(&self) -> SegmentStore {
        SegmentStore::new(self.root.path()).segment_bytes(self.segment_bytes)
    }

    fn directory(&self) -> PathBuf {
        self.store().directory(&session())
    }

    async fn open(&self) -> EventStream {
        let builder = EventStream::builder(self.store(), session());
        builder.durability(Durability::Never).open().await.unwrap()
    }

    /// The segments in their order, with the offset of their first byte in the log.
    fn segments(&self) -> Vec<(PathBuf, usize)> {
        let mut offset = 0;
        let is_segment = |path: &Path| path.extension().is_some_and(|end| end == "log");
        let segments = self.whole.iter().filter(|(path, _)| is_segment(path));
        segments
            .map(|(path, bytes)| {
                offset += bytes.len();
                (path.clone(), offset - bytes.len())
            })
            .collect()
    }

    /// All bytes of all segments.
    fn bytes(&self) -> Vec<u8> {
        let segments = self.segments();
        segments
            .iter()
            .flat_map(|(path, _)| self.whole[path].clone())
            .collect()
    }

    /// Puts the files back as they were, but for segments that end at an offset of the log.
    fn cut(&self, at: usize) {
        let directory = self.directory();
        std::fs::remove_dir_all(&directory).unwrap();
        std::fs::create_dir(&directory).unwrap();
        for (name, bytes) in &self.whole {
            std::fs::write(directory.join(name), bytes).unwrap();
        }
        for (name, offset) in self.segments() {
            let path = directory.join(&name);
            if offset > at {
                std::fs::remove_file(path).unwrap();
            } else {
                let kept = (at - offset).min(self.whole[&name].len());
                std::fs::write(path, &self.whole[&name][..kept]).unwrap();
            }
        }
    }
}

fn state_after(events: &[Event]) -> AgentState {
    let mut states = events.iter().rev().filter_map(|event| match &event.body {
        EventBody::Observation(Observation::AgentStateChanged(change)) => {
            change.agent_state.parse().ok()
        }
        _ => None,
    });
    states.next().unwrap_or(AgentState::INITIAL)
}

fn text(event: &Event) -> &str {
    match &event.body {
        EventBody::Action(Action::Message(message)) => &message.content,
        _ => "",
    }
}

/// The log holds these events and goes on behind them.
async fn check(log: &Log, kept: usize, cut: usize) {
    let place = format!("cut at {cut}: {kept} events");
    let stream = log.open().await;
    assert_eq!(stream.next(), EventId(kept as u64), "{place}");
    assert_eq!(stream.state(), state_after(&log.events[..kept]), "{place}");
    let events = stream.read(Query::default()).await.unwrap();
    assert!(
        events.iter().map(|event| &**event).eq(&log.events[..kept]),
        "{place}"
    );
    drop(stream);
    let stream = log.open().await;
    assert_eq!(stream.report().cut_bytes, 0, "{place}: it was cut off");
    // Enough to roll into segments of the names that were there before.
    for number in 0..4 {
        let message = MessageAction::new(format!("fresh {number}"));
        let id = stream.append(Source::User, message).await.unwrap();
        assert_eq!(id, EventId((kept + number) as u64), "{place}");
    }
    drop(stream);
    let stream = log.open().await;
    assert_eq!(stream.report().cut_bytes, 0, "{place}");
    for direction in [Direction::Forward, Direction::Reverse] {
        let query = Query::default().direction(direction);
        let mut events = stream.read(query).await.unwrap();
        if direction == Direction::Reverse {
            events.reverse();
        }
        let (old, fresh) = events.split_at(kept);
        assert!(
            old.iter().map(|event| &**event).eq(&log.events[..kept]),
            "{place}"
        );
        let fresh: Vec<&str> = fresh.iter().map(|event| text(event)).collect();
        assert_eq!(
            fresh,
            ["fresh 0", "fresh 1", "fresh 2", "fresh 3"],
            "{place}"
        );
    }
}

async fn cut_everywhere(log: &Log) {
    let bytes = log.bytes();
    let ends: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at] == b'\n')
        .map(|at| at + 1)
        .collect();
    assert_eq!(ends.len(), log.events.len());
    for cut in ends[ends.len() - 4]..=bytes.len() {
        log.cut(cut);
        let kept = ends.iter().filter(|end| **end <= cut).count();
        check(log, kept, cut).await;
    }
}

#[test]
fn a_log_cut_at_any_byte_across_segments_goes_on_after_the_last_whole_event() {
    let log = block_on(Log::write(500));
    assert!(
        log.segments().len() >= 3,
        "the last events are in several segments"
    );
    block_on(cut_everywhere(&log));
}

#[test]
fn a_log_cut_at_any_byte_of_its_last_events_goes_on_after_the_last_whole_one() {
    block_on(async {
        let mut log = Log::write(1 << 30).await;
        // A checkpoint for each of the last three events, as if they had been far apart: it is left
        // behind, and points behind the cut.
        let bytes = log.bytes();
        let starts: Vec<usize> = std::iter::once(0)
            .chain(
                (0..bytes.len())
                    .filter(|at| bytes[*at] == b'\n')
                    .map(|at| at + 1),
            )
            .collect();
        let mut index = Vec::new();
        for (id, start) in starts
            .iter()
            .enumerate()
            .take(log.events.len())
            .skip(log.events.len() - 3)
        {
            let numbers = format!("{id:016x} {start:016x} ");
            let crc = crc32fast::hash(numbers.as_bytes());
            index.extend_from_slice(format!("{numbers}{crc:08x}\n").as_bytes());
        }
        log.whole.insert("00000000000000000000.idx".into(), index);
        cut_everywhere(&log).await;
    });
}

#[test]
fn an_index_cut_or_changed_at_any_byte_hides_no_event() {
    const EVENTS: u64 = 60;
    let root = folder();
    let store = SegmentStore::new(root.path());
    let writer = Writer::new("w").durability(Durability::Never);
    let fill = "x".repeat(4_000);
    block_on(async {
        let log = store.open(&session(), writer.clone()).await.unwrap();
        for id in (0..EVENTS).map(EventId) {
            let json = format!("{{\"id\":{id},\"text\":\"{fill}\"}}");
            let event = Encoded::new(id, json).unwrap();
            log.append(id, log.epoch(), &[event]).await.unwrap();
        }
        log.close().await.unwrap();
        drop(log);
        let index = store.directory(&session()).join("00000000000000000000.idx");
        let stored = std::fs::read(&index).unwrap();
        assert!(stored.len() >= 3 * 43, "there are checkpoints");
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            for bytes in [&stored[..at], &changed] {
                std::fs::write(&index, bytes).unwrap();
                let viewer = store.view(&session()).await.unwrap();
                read_some(&viewer, EVENTS, at).await;
                let log = store.open(&session(), writer.clone()).await.unwrap();
                read_some(&log.reader(), EVENTS, at).await;
                assert_eq!(log.report().cut_bytes, 0);
            }
        }
    });
}

async fn read_some(reader: &std::sync::Arc<dyn EventReader>, events: u64, at: usize) {
    assert_eq!(reader.next(), EventId(events), "byte {at}");
    for from in [0, 15, 17, 33, events - 1] {
        let range = ReadRange::new(EventId(from), EventId(from + 1));
        let page = reader.read(range).await.unwrap();
        assert_eq!(page[0].id(), EventId(from), "byte {at}");
    }
}

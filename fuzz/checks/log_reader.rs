//! What must hold for a log whose files hold any bytes.
//!
//! An input names files and their contents:
//!
//! ```text
//! === 0.log         bytes of the segment that begins with event 0, up to the next such line
//! === 0.idx         bytes of its checkpoints
//! === 0.json        a JSON text on each line: a segment whose checksums and lengths are right
//! === 0.places      an id and an offset on each line: checkpoints whose checksums are right
//! === holder.json   any other file of the session, one of `OTHERS`
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oh_core::action::MessageAction;
use oh_core::{ErrorKind, EventId, SessionId, Source};
use oh_events::{
    Cursor, Damage, Direction, Durability, Encoded, EventLog, EventReader, EventStore, EventStream,
    Query, ReadRange, SegmentStore, Writer,
};

/// Files beside the segments that a session can hold.
const OTHERS: [&str; 3] = ["holder.json", "snapshot", "snapshot.json"];

/// Reads and continues the log that the input describes: no panic, no endless walk, every event
/// or its damage once, the same in both directions; and what is appended is there afterwards.
pub(crate) fn check(input: &[u8]) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    // Memory is enough: this is about bytes, not about disks.
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let root = tempfile::Builder::new()
        .prefix("oh-fuzz-")
        .tempdir_in(parent)
        .unwrap();
    let session = SessionId::new("s").unwrap();
    let store = SegmentStore::new(root.path()).segment_bytes(300);
    let folder = store.directory(&session);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("lock"), "").unwrap();
    write_files(&folder, input);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let seen = match store.view(&session).await {
                Ok(reader) => Some(whole_walk(&reader).await),
                Err(error) => refused(&error),
            };
            let written = append(&store, &session).await;
            if let (Some(seen), Some((before, ids))) = (seen, written) {
                // A viewer takes the same bytes for events as a writer that cuts the torn end.
                assert_eq!(seen, before, "viewer and writer agree");
                let reader = store.view(&session).await.unwrap();
                let after = whole_walk(&reader).await;
                assert!(
                    ids.iter().all(|id| after.events.contains(id)),
                    "{ids:?} in {after:?}"
                );
                let kept = after.events.iter().filter(|id| !ids.contains(id));
                assert!(kept.eq(&before.events), "{before:?} then {after:?}");
            }
            read_as_stream(store.clone(), session.clone()).await;
        });
    });
}

/// How the lines of an input become bytes of a file.
#[derive(Clone, Copy)]
enum Form {
    Bytes,
    Json,
    Places,
}

fn write_files(folder: &Path, input: &[u8]) {
    let mut file: Option<(PathBuf, Form)> = None;
    let mut contents: Vec<u8> = Vec::new();
    let marker: &[u8] = b"=== \n";
    for line in input.split_inclusive(|byte| *byte == b'\n').chain([marker]) {
        if let Some(name) = line.strip_prefix(b"=== ") {
            if let Some((path, _)) = &file {
                std::fs::write(path, &contents).unwrap();
            }
            contents.clear();
            file = std::str::from_utf8(name)
                .ok()
                .and_then(|name| named(folder, name.trim()));
            continue;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        match file {
            Some((_, Form::Bytes)) => contents.extend_from_slice(line),
            Some((_, Form::Json)) => {
                let header = format!("{:08x} {:08x} ", crc32(text), text.len());
                contents.extend_from_slice(header.as_bytes());
                contents.extend_from_slice(text);
                contents.push(b'\n');
            }
            Some((_, Form::Places)) => contents.extend(place(text).unwrap_or_default().bytes()),
            None => {}
        }
    }
}

/// The path of a file, and the form of its lines.
fn named(folder: &Path, name: &str) -> Option<(PathBuf, Form)> {
    if OTHERS.contains(&name) {
        return Some((folder.join(name), Form::Bytes));
    }
    let (first, end) = name.split_once('.')?;
    let first: u64 = first.parse().ok()?;
    let stem = folder.join(format!("{first:020}"));
    match end {
        "log" => Some((stem.with_extension("log"), Form::Bytes)),
        "json" => Some((stem.with_extension("log"), Form::Json)),
        "idx" => Some((stem.with_extension("idx"), Form::Bytes)),
        "places" => Some((stem.with_extension("idx"), Form::Places)),
        _ => None,
    }
}

fn place(line: &[u8]) -> Option<String> {
    let (id, offset) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let numbers = format!(
        "{:016x} {:016x} ",
        id.parse::<u64>().ok()?,
        offset.parse::<u64>().ok()?
    );
    let crc = crc32(numbers.as_bytes());
    Some(format!("{numbers}{crc:08x}\n"))
}

/// The checksum of a line, written out so that the check does not lean on what it checks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

/// Only an error that says what is wrong with the log counts as an answer.
fn refused<T>(error: &oh_core::Error) -> Option<T> {
    let known = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge);
    assert!(known, "an unexpected error: {error}");
    None
}

/// What a walk over a log met.
#[derive(Debug, PartialEq)]
struct Walked {
    first: u64,
    next: u64,
    events: Vec<u64>,
    /// First id, and the one after the last; neighbours are put together.
    damages: Vec<(u64, u64)>,
}

/// Walks in both directions, which must meet the same.
async fn whole_walk(reader: &Arc<dyn EventReader>) -> Walked {
    let forward = walk(reader, Direction::Forward).await;
    let reverse = walk(reader, Direction::Reverse).await;
    assert_eq!(forward, reverse, "both directions meet the same");
    forward
}

async fn walk(reader: &Arc<dyn EventReader>, direction: Direction) -> Walked {
    let (first, next) = (reader.first().0, reader.next().0);
    assert!(
        first <= next,
        "the log begins at {first} and ends before {next}"
    );
    let (mut from, mut to) = (first, next);
    let (mut events, mut damages) = (Vec::new(), Vec::new());
    while from < to {
        let range = ReadRange::new(EventId(from), EventId(to))
            .direction(direction)
            .limit(3);
        let (low, high) = match reader.read(range).await {
            Ok(page) => {
                let ids: Vec<u64> = page.iter().map(|event| event.id().0).collect();
                assert!(!ids.is_empty() && ids.len() <= 3, "{range:?}");
                for event in &page {
                    named_in_json(event);
                }
                let (low, high) = (ids.iter().min().unwrap(), ids.iter().max().unwrap() + 1);
                assert_eq!(high - low, ids.len() as u64, "a page is dense: {ids:?}");
                let rises = ids.is_sorted();
                let falls = ids.is_sorted_by(|a, b| a > b);
                assert!(if direction == Direction::Forward {
                    rises
                } else {
                    falls
                });
                events.extend(ids.iter().copied());
                (*low, high)
            }
            Err(error) => match Damage::of(&error) {
                Some(damage) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    assert!(damage.from < damage.to, "{damage}");
                    damages.push((damage.from.0.max(from), damage.to.0.min(to)));
                    (damage.from.0, damage.to.0)
                }
                None => panic!("an unexpected error: {error}"),
            },
        };
        // Each answer says something about the end that was asked for, so that a walk ends.
        if direction == Direction::Forward {
            assert!(low <= from && from < high, "{low}..{high} of {range:?}");
            from = high;
        } else {
            assert!(low < to && to <= high, "{low}..{high} of {range:?}");
            to = low;
        }
    }
    events.sort_unstable();
    damages.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in damages {
        match joined.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    let damaged: u64 = joined.iter().map(|(from, to)| to - from).sum();
    assert_eq!(
        events.len() as u64 + damaged,
        next - first,
        "every id is met once"
    );
    Walked {
        first,
        next,
        events,
        damages: joined,
    }
}

/// An event that names an id names its own.
fn named_in_json(event: &Encoded) {
    if let Ok(decoded) = oh_core::codec::decode_event(event.json()) {
        assert_eq!(decoded.id, event.id());
    }
}

/// Appends as a writer, two events at a time; returns what it found and the ids it wrote.
async fn append(store: &SegmentStore, session: &SessionId) -> Option<(Walked, Vec<u64>)> {
    let log = match open(store, session).await {
        Ok(log) => log,
        Err(error) => return refused(&error),
    };
    let found = whole_walk(&log.reader()).await;
    assert_eq!(log.report().next, log.next());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let next = log.next();
        let batch: Vec<_> = [next, next.next()]
            .map(|id| Encoded::new(id, format!("{{\"id\":{id},\"text\":\"appended\"}}")).unwrap())
            .into();
        match log.append(next, log.epoch(), &batch).await {
            Ok(()) => ids.extend([next.0, next.next().0]),
            // Only the end of all ids is a reason.
            Err(error) => assert!(next.0 > u64::MAX - 4, "{error}"),
        }
    }
    log.close().await.unwrap();
    Some((found, ids))
}

async fn open(store: &SegmentStore, session: &SessionId) -> oh_core::Result<Box<dyn EventLog>> {
    store
        .open(session, Writer::new("check").durability(Durability::Never))
        .await
}

/// The events as a host sees them: rising, each once, and the log can be continued.
async fn read_as_stream(store: SegmentStore, session: SessionId) {
    let builder = EventStream::builder(store, session).durability(Durability::Never);
    let stream = match builder.open().await {
        Ok(stream) => stream,
        Err(error) => return refused(&error).unwrap_or_default(),
    };
    let appended = stream
        .append(Source::User, MessageAction::new("appended"))
        .await;
    if let Ok(id) = appended {
        assert_eq!(id.next(), stream.next());
    }
    let ids = async |mut events: oh_events::Events| {
        let mut ids = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => ids.push(event.id.0),
                Err(error) => drop(refused::<()>(&error)),
            }
        }
        ids
    };
    let forward = ids(stream.events(Query::default())).await;
    let mut reverse = ids(stream.events(Query::default().direction(Direction::Reverse))).await;
    reverse.reverse();
    assert!(forward.is_sorted_by(|a, b| a < b));
    assert_eq!(forward, reverse);
    let mut follower = stream.subscribe(Cursor::Start);
    stream.close().await.unwrap();
    let mut followed = Vec::new();
    while let Some(event) = follower.next().await {
        followed.extend(event.ok().map(|event| event.id.0));
    }
    assert_eq!(followed, forward);
}

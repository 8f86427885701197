use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use oh_core::{ByteRange, ErrorKind, EventId};
use tempfile::TempDir;

use super::limits::Limits;
use super::log::SegmentLog;
use super::tests::{Failing, event, ids, read_all, session};
use super::{Retention, SegmentStore};
use crate::store::{
    Encoded, EventLog, EventReader, EventStore, ReadRange, Snapshot, Writer, segment::files,
};

/// A store of small segments in a folder of its own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> SegmentStore {
        SegmentStore::new(self.0.path()).segment_bytes(1000)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.store().directory(&session()).join(name)
    }

    /// First events of the segments.
    fn segments(&self) -> Vec<u64> {
        let segments = files::list(&self.store().directory(&session())).unwrap();
        segments.iter().map(|segment| segment.first).collect()
    }
}

async fn open(store: &SegmentStore) -> Box<dyn EventLog> {
    store.open(&session(), Writer::new("test")).await.unwrap()
}

async fn fill(log: &dyn EventLog, count: u64) {
    let next = log.next().0;
    for id in next..next + count {
        let batch = [event(id, &"x".repeat(80))];
        log.append(EventId(id), log.epoch(), &batch).await.unwrap();
    }
}

async fn save(log: &dyn EventLog, next: u64) {
    let snapshot = Snapshot::new(EventId(next), Bytes::from_static(b"state"));
    log.save_snapshot(&snapshot).await.unwrap();
}

async fn all(reader: &dyn EventReader) -> Vec<u64> {
    let page = reader.read(ReadRange::default().limit(10_000)).await;
    page.unwrap().iter().map(|event| event.id().0).collect()
}

#[tokio::test]
async fn a_snapshot_is_there_for_the_next_writer_and_for_viewers() {
    let folder = Folder::new();
    let log = open(&folder.store()).await;
    assert_eq!(log.reader().snapshot().await.unwrap(), None);
    fill(&*log, 5).await;
    for (next, data) in [(3, "first"), (5, ""), (5, "last")] {
        let snapshot = Snapshot::new(EventId(next), data);
        log.save_snapshot(&snapshot).await.unwrap();
        let viewer = folder.store().view(&session()).await.unwrap();
        assert_eq!(viewer.snapshot().await.unwrap(), Some(snapshot));
    }
    drop(log);
    let kept = open(&folder.store()).await.reader().snapshot().await;
    assert_eq!(kept.unwrap(), Some(Snapshot::new(EventId(5), "last")));
}

#[tokio::test]
async fn a_snapshot_that_is_cut_or_changed_anywhere_counts_as_none() {
    let folder = Folder::new();
    let log = open(&folder.store()).await;
    fill(&*log, 2).await;
    save(&*log, 2).await;
    drop(log);
    let whole = std::fs::read(folder.path("snapshot")).unwrap();
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
    broken.extend((0..whole.len()).map(|at| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    }));
    broken.push([&whole[..], b"more"].concat());
    for bytes in broken {
        std::fs::write(folder.path("snapshot"), &bytes).unwrap();
        let log = open(&folder.store()).await;
        assert_eq!(log.next(), EventId(2));
        let kept = log.reader().snapshot().await.unwrap();
        assert_eq!(kept, None, "{:?}", String::from_utf8_lossy(&bytes));
    }
    std::fs::write(folder.path("snapshot"), &whole).unwrap();
    // What a crash leaves of the next one.
    std::fs::write(folder.path("snapshot.new"), &whole[..7]).unwrap();
    let log = open(&folder.store()).await;
    assert!(log.reader().snapshot().await.unwrap().is_some());
    save(&*log, 1).await;
    assert!(!folder.path("snapshot.new").exists());
}

#[tokio::test]
async fn snapshots_that_cannot_be_right_are_refused() {
    let folder = Folder::new();
    let log = open(&folder.store()).await;
    fill(&*log, 2).await;
    let refused = async |snapshot: Snapshot| log.save_snapshot(&snapshot).await.unwrap_err().kind();
    let ahead = Snapshot::new(EventId(3), "state");
    assert_eq!(refused(ahead).await, ErrorKind::InvalidInput);
    let large = Snapshot::new(EventId(2), vec![0; Snapshot::MAX_BYTES + 1]);
    assert_eq!(refused(large).await, ErrorKind::TooLarge);
    log.close().await.unwrap();
    let late = Snapshot::new(EventId(2), "state");
    assert_eq!(refused(late).await, ErrorKind::Gone);
    assert!(!folder.path("snapshot").exists());
}

#[tokio::test]
async fn without_a_limit_everything_is_kept() {
    let folder = Folder::new();
    let log = open(&folder.store()).await;
    fill(&*log, 60).await;
    save(&*log, 60).await;
    assert_eq!(all(&*log.reader()).await, ids(0..60));
}

#[tokio::test]
async fn only_what_a_snapshot_stands_for_is_dropped_and_ids_go_on() {
    let folder = Folder::new();
    let store = folder.store().retention(Retention::new().max_events(20));
    let log = open(&store).await;
    let viewer = store.view(&session()).await.unwrap();
    fill(&*log, 60).await;
    let segments = folder.segments();
    assert!(segments.len() > 5, "{segments:?}");
    assert_eq!(
        log.reader().first(),
        EventId(0),
        "nothing goes without a snapshot"
    );
    save(&*log, segments[2] + 1).await;
    assert_eq!(
        folder.segments(),
        segments[2..],
        "the third holds an event after it"
    );
    save(&*log, 60).await;
    let first = *folder.segments().first().unwrap();
    assert!((40..60).contains(&first), "{first}");
    assert_eq!(log.reader().first(), EventId(first));
    assert!(!folder.path(&format!("{:020}.idx", 0)).exists());
    // A viewer that knew the files before goes on with what is left.
    viewer.wait_past(EventId(0)).await.unwrap();
    viewer.wait_past(EventId(59)).await.unwrap();
    assert_eq!(all(&*viewer).await, ids(first..60));
    drop(log);
    let log = open(&store).await;
    assert_eq!(
        (log.reader().first(), log.next()),
        (EventId(first), EventId(60))
    );
    fill(&*log, 1).await;
    let reader = log.reader();
    let all = std::thread::spawn(move || read_all(&reader, ReadRange::default()));
    assert_eq!(all.join().unwrap(), (ids(first..61), vec![]));
}

#[tokio::test]
async fn a_snapshot_that_needs_events_that_were_dropped_does_not_replace_a_younger_one() {
    let folder = Folder::new();
    let store = folder.store().retention(Retention::new().max_events(1));
    let log = open(&store).await;
    fill(&*log, 60).await;
    save(&*log, 60).await;
    let first = folder.segments()[0];
    assert!(first > 30, "{first}");
    // It was overtaken on its way.
    let late = Snapshot::new(EventId(first - 1), "late");
    let error = log.save_snapshot(&late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let kept = log.reader().snapshot().await.unwrap().unwrap();
    assert_eq!(kept.next, EventId(60));
    // From here on everything is there that it needs.
    save(&*log, first).await;
}

#[tokio::test]
async fn nothing_is_dropped_before_what_a_snapshot_stands_for_is_on_disk() {
    let folder = Folder::new();
    let limits = Limits {
        segment_bytes: 1000,
        retention: Retention::new().max_events(1),
        ..Limits::default()
    };
    let directory = folder.store().directory(&session());
    let log = SegmentLog::open(directory, &session(), &Writer::new("test"), limits).unwrap();
    fill(&log, 60).await;
    let segments = folder.segments();
    let last = folder.path(&format!("{:020}.log", segments.last().unwrap()));
    // Else a loss of power leaves a snapshot that is ahead of the log, and no events for another.
    let disk = Failing::below(&log, &last);
    disk.sync_fails.store(true, Ordering::Relaxed);
    let snapshot = Snapshot::new(EventId(60), "state");
    log.save_snapshot(&snapshot).await.unwrap_err();
    assert_eq!(folder.segments(), segments);
    assert_eq!(all(&*log.reader()).await, ids(0..60));
}

#[tokio::test]
async fn the_last_segment_is_kept_whatever_the_limits() {
    let folder = Folder::new();
    let least = Retention::new()
        .max_events(0)
        .max_bytes(0)
        .max_age(Duration::ZERO);
    let log = open(&folder.store().retention(least)).await;
    fill(&*log, 60).await;
    let last = *folder.segments().last().unwrap();
    save(&*log, 60).await;
    assert_eq!(folder.segments(), [last]);
    assert_eq!(all(&*log.reader()).await, ids(last..60));
}

#[tokio::test]
async fn bytes_are_a_limit() {
    let folder = Folder::new();
    let log = open(&folder.store().retention(Retention::new().max_bytes(3500))).await;
    fill(&*log, 60).await;
    save(&*log, 60).await;
    let bytes: u64 = folder
        .segments()
        .iter()
        .map(|first| {
            folder
                .path(&format!("{first:020}.log"))
                .metadata()
                .unwrap()
                .len()
        })
        .sum();
    assert!((2000..=3500).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn age_is_a_limit() {
    const HOUR: Duration = Duration::from_secs(3600);
    let folder = Folder::new();
    let log = open(&folder.store().retention(Retention::new().max_age(HOUR))).await;
    fill(&*log, 60).await;
    save(&*log, 60).await;
    assert_eq!(log.reader().first(), EventId(0));
    let segments = folder.segments();
    for first in &segments[..3] {
        let path = folder.path(&format!("{first:020}.log"));
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
    }
    save(&*log, 60).await;
    assert_eq!(folder.segments(), segments[3..]);
}

#[tokio::test]
async fn large_contents_go_with_the_last_event_that_names_them() {
    let folder = Folder::new();
    let log = open(&folder.store().retention(Retention::new().max_events(10))).await;
    let blobs = log.blobs().unwrap();
    let mut names = Vec::new();
    for text in ["of old events", "of all events", "of no event"] {
        let mut blob = blobs.create().await.unwrap();
        blob.write(text.into()).await.unwrap();
        names.push(blob.finish().await.unwrap().id);
    }
    for id in 0..60 {
        let old = if id < 5 { &names[0] } else { "" };
        let event = event(
            id,
            &format!("{}\\\"{old}\\\" and {}", "x".repeat(80), names[1]),
        );
        let batch = [event];
        log.append(EventId(id), log.epoch(), &batch).await.unwrap();
    }
    save(&*log, 30).await;
    let there = async |name: &str| {
        blobs
            .read(name, ByteRange::from(0..))
            .await
            .map_err(|e| e.kind())
    };
    assert_eq!(there(&names[0]).await, Err(ErrorKind::NotFound));
    assert_eq!(there(&names[1]).await.unwrap(), "of all events");
    assert_eq!(there(&names[2]).await.unwrap(), "of no event");
    for id in 60..80 {
        let batch = [event(id, &"x".repeat(80))];
        log.append(EventId(id), log.epoch(), &batch).await.unwrap();
    }
    save(&*log, 80).await;
    assert_eq!(there(&names[1]).await, Err(ErrorKind::NotFound));
}

#[test]
fn a_segment_is_full_when_it_is_old() {
    let folder = Folder::new();
    let runtime = super::tests::runtime();
    let rolled = |age| {
        let log = runtime.block_on(open(&folder.store().segment_age(age)));
        let before = folder.segments().len();
        for _ in 0..2 {
            let id = log.next().0;
            let batch: [Encoded; 1] = [event(id, "a")];
            runtime
                .block_on(log.append(EventId(id), log.epoch(), &batch))
                .unwrap();
        }
        folder.segments().len() - before
    };
    assert_eq!(rolled(Duration::from_secs(3600)), 0);
    assert_eq!(
        rolled(Duration::ZERO),
        2,
        "also the one that was there at opening"
    );
}

use std::fs::{File, OpenOptions};
use std::io::{Error as IoError, ErrorKind as Io};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use oh_core::{ErrorKind, EventId, Result, SessionId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::SegmentStore;
use super::files;
use super::limits::Limits;
use super::line::{self, Parsed};
use super::log::SegmentLog;
use super::medium::Medium;
use crate::store::{
    Damage, Direction, Durability, Encoded, EventLog, EventReader, EventStore, ReadRange, Writer,
};

const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

pub(super) fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

pub(super) fn event(id: u64, text: &str) -> Encoded {
    Encoded::new(EventId(id), format!("{{\"id\":{id},\"text\":\"{text}\"}}")).unwrap()
}

/// A log without the store around it, in a folder of its own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn open_with(&self, durability: Durability, segment_bytes: u64) -> SegmentLog {
        let writer = Writer::new("test").durability(durability);
        let directory = self.path().to_owned();
        let limits = Limits {
            segment_bytes,
            ..Limits::default()
        };
        SegmentLog::open(directory, &session(), &writer, limits).unwrap()
    }

    fn open(&self) -> SegmentLog {
        self.open_with(Durability::Never, SEGMENT_BYTES)
    }

    /// Writes events of growing size, one append each.
    fn fill(&self, count: u64, segment_bytes: u64) {
        let log = self.open_with(Durability::Never, segment_bytes);
        for id in 0..count {
            append(&log, &[event(id, &"x".repeat(id as usize * 7 % 500))]).unwrap();
        }
    }

    fn segment(&self, first: u64) -> PathBuf {
        self.path().join(format!("{first:020}.log"))
    }

    fn index(&self, first: u64) -> PathBuf {
        self.segment(first).with_extension("idx")
    }
}

pub(super) fn append(log: &SegmentLog, batch: &[Encoded]) -> Result<()> {
    block_on(log.append(log.next(), log.epoch(), batch))
}

/// What a reader gets who reads on behind damage: ids, and ranges of damage.
pub(super) fn read_all(
    reader: &Arc<dyn EventReader>,
    range: ReadRange,
) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut ids, mut damages) = (Vec::new(), Vec::new());
    let (mut from, mut to) = (range.from, range.to.min(reader.next()));
    runtime().block_on(async {
        while from < to {
            let page = ReadRange { from, to, ..range };
            let (low, high) = match reader.read(page).await {
                Ok(page) if page.is_empty() => break,
                Ok(page) => {
                    for event in &page {
                        assert_eq!(Encoded::id_in(event.json()), Some(event.id()));
                        ids.push(event.id().0);
                    }
                    let (a, b) = (page[0].id(), page[page.len() - 1].id());
                    (a.min(b), a.max(b).next())
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    let damage = Damage::of(&error).unwrap();
                    damages.push((damage.from.0, damage.to.0));
                    (damage.from, damage.to)
                }
            };
            match range.direction {
                Direction::Reverse => to = low,
                _ => from = high,
            }
        }
    });
    (ids, damages)
}

fn everything(folder: &Folder) -> (Vec<u64>, Vec<(u64, u64)>) {
    read_all(&folder.open().reader(), ReadRange::default())
}

pub(super) fn ids(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

proptest! {
    #[test]
    fn a_line_is_read_back_and_no_part_of_it_is(json in "[^\n]{0,300}", cut in 0_usize..400) {
        let mut bytes = Vec::new();
        line::write(&mut bytes, json.as_bytes());
        let header = format!("{:08x} {:08x} ", crc32fast::hash(json.as_bytes()), json.len());
        prop_assert!(bytes.starts_with(header.as_bytes()));
        let size = bytes.len();
        prop_assert_eq!(
            line::parse(&bytes, Encoded::MAX_BYTES),
            Parsed::Line { json: json.as_bytes(), size }
        );
        let cut = cut % size;
        let is_incomplete =
            matches!(line::parse(&bytes[..cut], Encoded::MAX_BYTES), Parsed::Incomplete { .. });
        prop_assert!(is_incomplete);
    }

    #[test]
    fn a_line_with_a_changed_byte_is_no_line(
        json in "[^\n]{0,300}",
        at in 0_usize..400,
        flip in 1_u8..=255,
    ) {
        let mut bytes = Vec::new();
        line::write(&mut bytes, json.as_bytes());
        let at = at % bytes.len();
        bytes[at] ^= flip;
        let is_line = matches!(line::parse(&bytes, Encoded::MAX_BYTES), Parsed::Line { .. });
        prop_assert!(!is_line);
    }

    #[test]
    fn what_holds_a_line_feed_is_no_line_and_its_end_is_not_looked_for(
        json in "[^\n]{0,50}\n[^\n]{0,50}",
        cut in 0_usize..200,
    ) {
        let mut bytes = Vec::new();
        line::write(&mut bytes, json.as_bytes());
        let feed = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let cut = feed + 1 + cut % (bytes.len() - feed);
        prop_assert_eq!(line::parse(&bytes[..cut], Encoded::MAX_BYTES), Parsed::Damaged);
    }

    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = line::parse(&bytes, Encoded::MAX_BYTES);
    }

    #[test]
    fn damage_is_named_and_everything_else_is_read(
        at in 0.0_f64..1.0,
        flips in prop::collection::vec(any::<u8>(), 1..40),
        index in any::<bool>(),
        reverse in any::<bool>(),
    ) {
        let folder = Folder::new();
        folder.fill(400, 30_000);
        let mut segments: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .collect();
        segments.sort();
        // Not the last one, whose end is cut instead.
        let place = at * (segments.len() - 1) as f64;
        let path = &segments[place as usize];
        let mut bytes = std::fs::read(path).unwrap();
        let start = (place.fract() * bytes.len() as f64) as usize;
        for (byte, flip) in bytes[start..].iter_mut().zip(&flips) {
            *byte ^= flip;
        }
        std::fs::write(path, &bytes).unwrap();
        if !index {
            let _ = std::fs::remove_file(path.with_extension("idx"));
        }
        let direction = if reverse { Direction::Reverse } else { Direction::Forward };
        let log = folder.open();
        prop_assert_eq!(log.next(), EventId(400));
        let (mut read, damages) =
            read_all(&log.reader(), ReadRange::default().limit(30).direction(direction));
        if reverse {
            read.reverse();
        }
        prop_assert!(read.is_sorted());
        let mut covered = read.clone();
        for (from, to) in &damages {
            covered.extend(*from..*to);
        }
        covered.sort_unstable();
        prop_assert_eq!(covered, ids(0..400), "damages {:?}", damages);
        // A run of 40 bytes meets two lines of this size at most, or a few short ones.
        prop_assert!(read.len() >= 390);
    }
}

#[test]
fn a_log_that_was_cut_at_any_byte_opens_up_to_the_last_whole_event() {
    let folder = Folder::new();
    folder.fill(6, SEGMENT_BYTES);
    let whole = std::fs::read(folder.segment(0)).unwrap();
    let mut ends = vec![0];
    ends.extend(
        whole
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b'\n')
            .map(|(at, _)| at + 1),
    );
    for cut in 0..=whole.len() {
        std::fs::write(folder.segment(0), &whole[..cut]).unwrap();
        let log = folder.open();
        let kept = ends.iter().filter(|end| **end <= cut).count() - 1;
        assert_eq!(log.next(), EventId(kept as u64), "cut at {cut}");
        assert_eq!(log.report().cut_bytes as usize, cut - ends[kept]);
        assert_eq!(log.report().cut_file.is_some(), cut != ends[kept]);
        append(&log, &[event(kept as u64, "after the cut")]).unwrap();
        drop(log);
        assert_eq!(everything(&folder), (ids(0..kept as u64 + 1), vec![]));
    }
}

#[test]
fn zeros_after_a_loss_of_power_are_cut_off() {
    let folder = Folder::new();
    folder.fill(3, SEGMENT_BYTES);
    let file = OpenOptions::new()
        .write(true)
        .open(folder.segment(0))
        .unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len + 100_000).unwrap();
    let log = folder.open();
    assert_eq!((log.next(), log.report().cut_bytes), (EventId(3), 100_000));
}

#[test]
fn damage_in_the_last_segment_with_whole_events_after_it_is_not_cut() {
    let folder = Folder::new();
    folder.fill(10, SEGMENT_BYTES);
    let mut bytes = std::fs::read(folder.segment(0)).unwrap();
    let third = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .nth(2)
        .unwrap()
        .0;
    bytes[third + 25] ^= 1;
    std::fs::write(folder.segment(0), bytes).unwrap();
    let log = folder.open();
    assert_eq!((log.next(), log.report().cut_bytes), (EventId(10), 0));
    let (read, damages) = read_all(&log.reader(), ReadRange::default());
    assert_eq!(damages, [(3, 4)]);
    assert_eq!(read, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_removed_line_and_a_removed_segment_are_damage() {
    let folder = Folder::new();
    folder.fill(300, 20_000);
    let text = std::fs::read_to_string(folder.segment(0)).unwrap();
    let without: String = text
        .split_inclusive('\n')
        .filter(|l| !l.contains("\"id\":5,"))
        .collect();
    std::fs::write(folder.segment(0), without).unwrap();
    let (read, damages) = everything(&folder);
    assert_eq!(damages, [(5, 6)]);
    assert_eq!(read.len(), 299);
    let second = read_names(&folder)[1];
    let third = read_names(&folder)[2];
    std::fs::remove_file(folder.segment(second)).unwrap();
    let (_, damages) = everything(&folder);
    assert_eq!(damages, [(5, 6), (second, third)]);
}

fn read_names(folder: &Folder) -> Vec<u64> {
    let segments = super::files::list(folder.path()).unwrap();
    segments.iter().map(|segment| segment.first).collect()
}

#[test]
fn checkpoints_are_a_help_that_can_be_missing_wrong_or_stale() {
    let folder = Folder::new();
    folder.fill(3000, 300_000);
    let names = read_names(&folder);
    assert!(names.len() > 2);
    let stored = std::fs::read(folder.index(0)).unwrap();
    assert!(stored.len() >= 3 * 43, "there are checkpoints");
    let check = |what: &str| {
        let log = folder.open();
        assert_eq!(log.next(), EventId(3000), "{what}");
        for from in [0, 1, names[1] - 1, names[1], 700, 2990] {
            let range = ReadRange::new(EventId(from), EventId(from + 9)).limit(5);
            assert_eq!(
                read_all(&log.reader(), range),
                (ids(from..from + 9), vec![]),
                "{what}"
            );
        }
    };
    check("as written");
    for (what, change) in [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("cut", Some(stored[..60].to_vec())),
        (
            "of another segment",
            Some(std::fs::read(folder.index(names[1])).unwrap()),
        ),
        ("garbage", Some(vec![b'7'; 500])),
    ] {
        for name in &names {
            match &change {
                None => drop(std::fs::remove_file(folder.index(*name))),
                Some(bytes) => std::fs::write(folder.index(*name), bytes).unwrap(),
            }
        }
        check(what);
    }
}

#[test]
fn reading_the_end_of_a_long_log_does_not_read_its_beginning() {
    let folder = Folder::new();
    folder.fill(3000, SEGMENT_BYTES);
    // Whoever reads the beginning meets the damage.
    let mut bytes = std::fs::read(folder.segment(0)).unwrap();
    bytes[..300_000].fill(b'?');
    std::fs::write(folder.segment(0), bytes).unwrap();
    let log = folder.open();
    let last = ReadRange::new(EventId(2900), EventId(3000));
    assert_eq!(read_all(&log.reader(), last), (ids(2900..3000), vec![]));
}

#[test]
fn pages_keep_to_their_limits_in_both_directions() {
    let folder = Folder::new();
    folder.fill(300, 20_000);
    let log = folder.open();
    let page = |range: ReadRange| runtime().block_on(log.reader().read(range)).unwrap();
    let numbers = |page: Vec<Encoded>| page.iter().map(|event| event.id().0).collect::<Vec<_>>();
    let range = ReadRange::new(EventId(5), EventId(400)).limit(3);
    assert_eq!(numbers(page(range)), [5, 6, 7]);
    let reverse = range.direction(Direction::Reverse);
    assert_eq!(numbers(page(reverse)), [299, 298, 297]);
    assert_eq!(numbers(page(ReadRange::default().max_bytes(1))), [0]);
    assert_eq!(numbers(page(reverse.max_bytes(1))), [299]);
    assert!(page(ReadRange::new(EventId(9), EventId(9))).is_empty());
    assert!(page(ReadRange::new(EventId(300), EventId(400))).is_empty());
    let (mut back, _) = read_all(&log.reader(), reverse.limit(7).max_bytes(900));
    back.reverse();
    assert_eq!(back, ids(5..300));
}

#[test]
fn ids_and_epochs_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let log = folder.open();
    append(&log, &[event(0, "a"), event(1, "b")]).unwrap();
    for (expected, epoch, id) in [(1, log.epoch(), 1), (3, log.epoch(), 3), (2, 77, 2)] {
        let error = block_on(log.append(EventId(expected), epoch, &[event(id, "c")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let gap = [event(2, "c"), event(4, "d")];
    assert_eq!(
        append(&log, &gap).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let epoch = log.epoch();
    runtime().block_on(log.close()).unwrap();
    assert_eq!(
        append(&log, &[event(2, "c")]).unwrap_err().kind(),
        ErrorKind::Gone
    );
    let next = folder.open();
    assert_eq!((next.epoch(), next.next()), (epoch + 1, EventId(2)));
}

/// A file that takes a number of bytes and then is full, and that can fail otherwise.
#[derive(Debug)]
pub(super) struct Failing {
    file: File,
    room: AtomicUsize,
    cut_fails: AtomicBool,
    pub(super) sync_fails: AtomicBool,
}

impl Failing {
    pub(super) fn below(log: &SegmentLog, path: &Path) -> Arc<Self> {
        let failing = Arc::new(Self {
            file: OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .unwrap(),
            room: AtomicUsize::new(usize::MAX),
            cut_fails: AtomicBool::new(false),
            sync_fails: AtomicBool::new(false),
        });
        log.replace_medium(Arc::clone(&failing) as Arc<dyn Medium>);
        failing
    }
}

impl Medium for Failing {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        let fits = bytes.len().min(self.room.load(Ordering::Relaxed));
        Medium::write_all_at(&self.file, &bytes[..fits], offset)?;
        if fits < bytes.len() {
            return Err(IoError::from(Io::StorageFull));
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        if self.cut_fails.load(Ordering::Relaxed) {
            return Err(IoError::from(Io::Other));
        }
        Medium::set_len(&self.file, len)
    }

    fn sync(&self) -> std::io::Result<()> {
        if self.sync_fails.load(Ordering::Relaxed) {
            return Err(IoError::from(Io::Other));
        }
        Medium::sync(&self.file)
    }
}

#[test]
fn a_write_that_fails_uses_up_no_id_and_leaves_nothing_behind() {
    for cut_fails in [false, true] {
        let folder = Folder::new();
        let log = folder.open();
        append(&log, &[event(0, "a")]).unwrap();
        let before = std::fs::metadata(folder.segment(0)).unwrap().len();
        let disk = Failing::below(&log, &folder.segment(0));
        // What could not be cut off keeps the next write out, until it can be.
        let rooms: &[usize] = if cut_fails {
            &[40]
        } else {
            &[0, 5, 18, 40, 70]
        };
        for &room in rooms {
            disk.room.store(room, Ordering::Relaxed);
            disk.cut_fails.store(cut_fails, Ordering::Relaxed);
            let batch = [event(1, "lost one"), event(2, "lost two")];
            let error = append(&log, &batch).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoSpace);
            assert_eq!(log.next(), EventId(1));
            if !cut_fails {
                assert_eq!(std::fs::metadata(folder.segment(0)).unwrap().len(), before);
            }
        }
        assert_eq!(read_all(&log.reader(), ReadRange::default()).0, [0]);
        disk.room.store(usize::MAX, Ordering::Relaxed);
        disk.cut_fails.store(false, Ordering::Relaxed);
        append(&log, &[event(1, "b")]).unwrap();
        drop(log);
        let log = folder.open();
        assert_eq!((log.next(), log.report().cut_bytes), (EventId(2), 0));
        assert_eq!(
            read_all(&log.reader(), ReadRange::default()),
            (vec![0, 1], vec![])
        );
    }
}

#[test]
fn a_process_that_dies_with_a_failed_write_on_disk_loses_nothing_that_was_acknowledged() {
    let folder = Folder::new();
    let log = folder.open();
    append(&log, &[event(0, "a")]).unwrap();
    let disk = Failing::below(&log, &folder.segment(0));
    disk.room.store(30, Ordering::Relaxed);
    disk.cut_fails.store(true, Ordering::Relaxed);
    append(&log, &[event(1, "lost")]).unwrap_err();
    drop(log);
    let log = folder.open();
    assert_eq!((log.next(), log.report().cut_bytes), (EventId(1), 30));
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_promised_any_more() {
    let folder = Folder::new();
    let log = folder.open_with(Durability::Group, SEGMENT_BYTES);
    let append = async |id| {
        log.append(EventId(id), log.epoch(), &[event(id, "a")])
            .await
    };
    append(0).await.unwrap();
    let disk = Failing::below(&log, &folder.segment(0));
    disk.sync_fails.store(true, Ordering::Relaxed);
    assert_eq!(
        append(1).await.unwrap_err().kind(),
        ErrorKind::OutcomeUnknown
    );
    disk.sync_fails.store(false, Ordering::Relaxed);
    assert_eq!(
        append(2).await.unwrap_err().kind(),
        ErrorKind::OutcomeUnknown
    );
}

#[tokio::test]
async fn a_log_that_could_not_be_synced_is_not_called_synced_later() {
    for durability in [Durability::Never, Durability::default(), Durability::Group] {
        let folder = Folder::new();
        let log = folder.open_with(durability, SEGMENT_BYTES);
        let disk = Failing::below(&log, &folder.segment(0));
        append(&log, &[event(0, "a")]).unwrap_or_default();
        disk.sync_fails.store(true, Ordering::Relaxed);
        log.sync().await.unwrap_err();
        // The system reports a page that it lost once only.
        disk.sync_fails.store(false, Ordering::Relaxed);
        log.sync().await.unwrap_err();
        let closed = log.close().await;
        assert_eq!(closed.is_ok(), durability == Durability::Never);
        folder.open();
    }
}

#[tokio::test]
async fn what_former_writers_left_in_full_segments_is_synced_too() {
    let folder = Folder::new();
    folder.fill(30, 1000);
    let log = folder.open_with(Durability::Group, 1000);
    // Dropped meanwhile: there is nothing left to sync.
    std::fs::remove_file(folder.segment(0)).unwrap();
    assert_eq!(log.sync().await.unwrap(), EventId(30));
    drop(log);
    let log = folder.open_with(Durability::Group, 1000);
    let layout = files::list(folder.path()).unwrap();
    let full = &layout[layout.len() - 2].path;
    std::fs::remove_file(full).unwrap();
    // Cannot be opened, and so not be synced.
    std::os::unix::fs::symlink(full, full).unwrap();
    log.sync().await.unwrap_err();
}

#[tokio::test]
async fn an_interval_without_an_end_is_one() {
    let folder = Folder::new();
    let log = folder.open_with(Durability::Interval(Duration::MAX), SEGMENT_BYTES);
    for id in 0..3 {
        log.append(EventId(id), log.epoch(), &[event(id, "a")])
            .await
            .unwrap();
        assert_eq!(log.sync().await.unwrap(), EventId(id + 1));
    }
    log.close().await.unwrap();
}

#[tokio::test]
async fn every_policy_can_be_flushed_and_closed() {
    for durability in [
        Durability::Never,
        Durability::Interval(Duration::from_secs(3600)),
        Durability::Group,
        Durability::Each,
    ] {
        let folder = Folder::new();
        let log = folder.open_with(durability, 100);
        for id in 0..10 {
            log.append(EventId(id), log.epoch(), &[event(id, "a")])
                .await
                .unwrap();
        }
        assert_eq!(log.sync().await.unwrap(), EventId(10));
        log.close().await.unwrap();
        log.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_interval_syncs_without_being_asked() {
    let folder = Folder::new();
    let log = folder.open_with(
        Durability::Interval(Duration::from_millis(1)),
        SEGMENT_BYTES,
    );
    let disk = Failing::below(&log, &folder.segment(0));
    disk.sync_fails.store(true, Ordering::Relaxed);
    let mut id = 0;
    let error = loop {
        match log
            .append(EventId(id), log.epoch(), &[event(id, "a")])
            .await
        {
            Ok(()) => id += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn files_are_for_their_owner_only_and_sessions_are_listed_in_order() {
    let folder = Folder::new();
    let root = folder.path().join("deep/root");
    let store = SegmentStore::new(&root);
    assert!(store.sessions(None, 10).await.unwrap().is_empty());
    for name in ["b", "c", "a"] {
        let session = SessionId::new(name).unwrap();
        let log = store.open(&session, Writer::new("w")).await.unwrap();
        log.append(EventId(0), log.epoch(), &[event(0, "a")])
            .await
            .unwrap();
        let mut blob = log.blobs().unwrap().create().await.unwrap();
        blob.write("data".into()).await.unwrap();
        blob.finish().await.unwrap();
    }
    let names =
        |sessions: Vec<SessionId>| sessions.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        names(store.sessions(None, 10).await.unwrap()),
        ["a", "b", "c"]
    );
    let after = SessionId::new("a").unwrap();
    assert_eq!(names(store.sessions(Some(&after), 1).await.unwrap()), ["b"]);
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let mode = folder.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", folder.display());
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
            }
        }
    }
}

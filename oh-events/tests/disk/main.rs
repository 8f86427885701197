//! A disk that is full, and one that cannot be written: an error that says so, nothing torn, and
//! it goes on when there is room again.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod small_disk;

use std::time::Duration;

use futures::future::join_all;
use oh_core::action::MessageAction;
use oh_core::secret::Edge;
use oh_core::{
    Action, ByteRange, CaptureLimit, ErrorKind, Event, EventBody, EventId, OutputStream, Result,
    SessionId, Source,
};
use oh_events::{
    Cursor, Durability, EventStore, EventStream, EventViewer, Query, SegmentStore, Snapshot,
    Subscription, Writer,
};

use small_disk::{SmallDisk, with_own_mounts};

const POLICIES: [Durability; 4] = [
    Durability::Never,
    Durability::Interval(Duration::from_millis(1)),
    Durability::Group,
    Durability::Each,
];

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

fn store(disk: &SmallDisk, segment_bytes: u64) -> SegmentStore {
    SegmentStore::new(disk.path().join("logs")).segment_bytes(segment_bytes)
}

async fn open(store: &SegmentStore, durability: Durability) -> Result<EventStream> {
    EventStream::builder(store.clone(), session())
        .durability(durability)
        .open()
        .await
}

fn text(event: &Event) -> &str {
    match &event.body {
        EventBody::Action(Action::Message(message)) => &message.content,
        other => panic!("no message: {other:?}"),
    }
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(work);
}

/// Appends texts and keeps those that were acknowledged; what fails, fails for want of room.
struct Appender {
    stream: EventStream,
    acknowledged: Vec<String>,
    count: usize,
}

impl Appender {
    fn new(stream: &EventStream) -> Self {
        Self {
            stream: stream.clone(),
            acknowledged: Vec::new(),
            count: 0,
        }
    }

    /// Appends several events at once; returns how many did not fit.
    async fn append(&mut self, together: usize, bytes: usize) -> usize {
        let texts: Vec<String> = (0..together)
            .map(|_| {
                self.count += 1;
                format!("{}/{}", self.count, "x".repeat(bytes))
            })
            .collect();
        let appends = texts.iter().map(|text| {
            let message = MessageAction::new(text);
            self.stream.append(Source::User, message)
        });
        let results = join_all(appends).await;
        let mut taken: Vec<(EventId, String)> = Vec::new();
        let mut refused = 0;
        for (result, text) in results.into_iter().zip(texts) {
            match result {
                Ok(id) => taken.push((id, text)),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
                    refused += 1;
                }
            }
        }
        taken.sort();
        for (id, text) in taken {
            assert_eq!(
                id,
                EventId(self.acknowledged.len() as u64),
                "ids stay dense"
            );
            self.acknowledged.push(text);
        }
        assert_eq!(self.stream.next().0, self.acknowledged.len() as u64);
        refused
    }

    /// Appends until nothing fits any more, not even a small event.
    async fn append_until_full(&mut self, bytes: usize) {
        while self.append(1, bytes).await == 0 {}
        while self.append(1, 1).await == 0 {}
        assert_eq!(self.append(5, bytes).await, 5);
    }

    /// What was acknowledged, and nothing else, is in the log and came to a follower.
    async fn check(&self, mut follower: Subscription) {
        let events = self.stream.read(Query::default()).await.unwrap();
        let texts: Vec<&str> = events.iter().map(|event| text(event)).collect();
        assert!(texts == self.acknowledged);
        let mut reverse = self.stream.read(Query::latest(usize::MAX)).await.unwrap();
        reverse.reverse();
        assert!(reverse == events);
        for expected in &self.acknowledged {
            assert_eq!(text(&follower.next().await.unwrap().unwrap()), expected);
        }
        self.stream.close().await.unwrap();
        assert!(follower.next().await.is_none());
    }
}

#[test]
fn a_full_disk_refuses_events_whole_and_takes_them_again_when_there_is_room() {
    let test = "a_full_disk_refuses_events_whole_and_takes_them_again_when_there_is_room";
    with_own_mounts(test, || {
        for (policy, segment_bytes) in POLICIES
            .into_iter()
            .flat_map(|p| [(p, 3_000), (p, 1 << 30)])
        {
            block_on(async {
                let disk = SmallDisk::mount(64, 200);
                let store = store(&disk, segment_bytes);
                let stream = open(&store, policy).await.unwrap();
                let follower = stream.subscribe(Cursor::Start);
                let mut appender = Appender::new(&stream);
                assert_eq!(appender.append(3, 100).await, 0);
                for round in 0..3 {
                    let filler = disk.fill(4);
                    appender.append_until_full(700 + round * 900).await;
                    drop(filler);
                    assert_eq!(appender.append(4, 1_000).await, 0, "there is room again");
                }
                appender.check(follower).await;
                let again = open(&store, policy).await.unwrap();
                assert_eq!(again.report().cut_bytes, 0, "nothing torn was left");
                assert_eq!(again.next().0, appender.acknowledged.len() as u64);
            });
        }
    });
}

#[test]
fn a_process_that_ends_on_a_full_disk_leaves_what_was_acknowledged() {
    let test = "a_process_that_ends_on_a_full_disk_leaves_what_was_acknowledged";
    with_own_mounts(test, || {
        for policy in POLICIES {
            block_on(async {
                let disk = SmallDisk::mount(64, 200);
                let store = store(&disk, 20_000);
                let stream = open(&store, policy).await.unwrap();
                let mut appender = Appender::new(&stream);
                let filler = disk.fill(9);
                appender.append_until_full(3_000).await;
                let acknowledged = std::mem::take(&mut appender.acknowledged);
                drop((appender, stream));
                // Reading needs no room.
                let viewer = EventViewer::open(&store, &session()).await.unwrap();
                let seen = viewer.read(Query::default()).await.unwrap();
                assert!(seen.iter().map(|event| text(event)).eq(&acknowledged));
                let error = open(&store, policy).await.err();
                let kind = error.map(|error| error.kind());
                assert!(matches!(kind, None | Some(ErrorKind::NoSpace)), "{kind:?}");
                drop(filler);
                let stream = open(&store, policy).await.unwrap();
                let events = stream.read(Query::default()).await.unwrap();
                assert!(events.iter().map(|event| text(event)).eq(&acknowledged));
                let mut appender = Appender::new(&stream);
                appender.acknowledged = acknowledged;
                assert_eq!(appender.append(2, 100).await, 0);
            });
        }
    });
}

#[test]
fn a_disk_without_room_for_another_file_keeps_a_log_from_rolling_until_there_is() {
    let test = "a_disk_without_room_for_another_file_keeps_a_log_from_rolling_until_there_is";
    with_own_mounts(test, || {
        for policy in POLICIES {
            block_on(async {
                let disk = SmallDisk::mount(400, 12);
                let store = store(&disk, 2_000);
                let stream = open(&store, policy).await.unwrap();
                let follower = stream.subscribe(Cursor::Start);
                let mut appender = Appender::new(&stream);
                assert_eq!(appender.append(2, 100).await, 0);
                let mut files = Vec::new();
                while let Ok(file) = tempfile::NamedTempFile::new_in(disk.path()) {
                    files.push(file);
                }
                appender.append_until_full(900).await;
                drop(files);
                assert_eq!(appender.append(1, 900).await, 0, "there is room again");
                appender.check(follower).await;
            });
        }
    });
}

#[test]
fn checkpoints_that_find_no_room_are_done_without() {
    let test = "checkpoints_that_find_no_room_are_done_without";
    with_own_mounts(test, || {
        for free_pages in 14..22 {
            block_on(async {
                let disk = SmallDisk::mount(100, 200);
                let store = store(&disk, 1 << 30);
                let stream = open(&store, Durability::Never).await.unwrap();
                let follower = stream.subscribe(Cursor::Start);
                let mut appender = Appender::new(&stream);
                // Around 64 KiB, where the first checkpoint is due.
                let filler = disk.fill(free_pages);
                appender.append_until_full(300).await;
                drop(filler);
                assert_eq!(appender.append(200, 300).await, 0);
                let count = appender.acknowledged.len() as u64;
                for from in (0..count).step_by(29) {
                    let one = Query::new(EventId(from), EventId(from + 1));
                    let events = stream.read(one).await.unwrap();
                    assert_eq!(text(&events[0]), appender.acknowledged[from as usize]);
                }
                appender.check(follower).await;
                assert_eq!(
                    open(&store, Durability::Never).await.unwrap().next().0,
                    count
                );
            });
        }
    });
}

#[test]
fn output_that_finds_no_room_for_a_blob_says_so_and_is_kept_in_part() {
    let test = "output_that_finds_no_room_for_a_blob_says_so_and_is_kept_in_part";
    with_own_mounts(test, || {
        for policy in POLICIES {
            block_on(async {
                let disk = SmallDisk::mount(600, 200);
                let store = store(&disk, 1 << 20);
                let stream = open(&store, policy).await.unwrap();
                let action = stream
                    .append(Source::User, MessageAction::new("a"))
                    .await
                    .unwrap();
                let output: Vec<u8> = (0..1_200_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
                let run = async || {
                    let mut sink = stream.output_sink(action, CaptureLimit::each_bytes(10));
                    for piece in output.chunks(100_000) {
                        sink.push(OutputStream::Stdout, piece.to_vec().into()).await;
                    }
                    sink.finish(Edge::Whole).await.stdout
                };
                let filler = disk.fill(150);
                let result = run().await;
                assert_eq!(result.blob_error.unwrap().kind(), ErrorKind::NoSpace);
                assert_eq!(result.captured.head, output[..10]);
                if let Some(blob) = result.blob {
                    assert!(!blob.complete && blob.len < output.len() as u64);
                    let data = stream
                        .blobs()
                        .unwrap()
                        .read(&blob.id, ByteRange::from(0..))
                        .await;
                    assert!(data.unwrap() == output[..blob.len as usize]);
                }
                drop(filler);
                let result = run().await;
                let blob = result.blob.unwrap();
                assert!(blob.complete && result.blob_error.is_none());
                let data = stream
                    .blobs()
                    .unwrap()
                    .read(&blob.id, ByteRange::from(0..))
                    .await;
                assert!(data.unwrap() == output);
            });
        }
    });
}

#[test]
fn a_snapshot_that_finds_no_room_is_an_error_and_never_torn() {
    let test = "a_snapshot_that_finds_no_room_is_an_error_and_never_torn";
    with_own_mounts(test, || {
        block_on(async {
            let disk = SmallDisk::mount(64, 200);
            let store = store(&disk, 1 << 20);
            let log = store.open(&session(), Writer::new("w")).await.unwrap();
            let reader = log.reader();
            let small = Snapshot::new(EventId(0), vec![1; 5_000]);
            log.save_snapshot(&small).await.unwrap();
            let filler = disk.fill(3);
            let large = Snapshot::new(EventId(0), vec![2; 90_000]);
            let error = log.save_snapshot(&large).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoSpace);
            let kept = reader.snapshot().await.unwrap();
            assert!(
                kept.is_none_or(|kept| kept == small),
                "the former one or none"
            );
            drop(filler);
            log.save_snapshot(&large).await.unwrap();
            assert!(reader.snapshot().await.unwrap() == Some(large));
        });
    });
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_and_can_be_read() {
    let test = "a_directory_that_cannot_be_written_is_refused_and_can_be_read";
    with_own_mounts(test, || {
        for policy in POLICIES {
            block_on(async {
                let disk = SmallDisk::mount(64, 200);
                let store = store(&disk, 2_000);
                let stream = open(&store, policy).await.unwrap();
                let mut appender = Appender::new(&stream);
                assert_eq!(appender.append(20, 300).await, 0);
                stream.close().await.unwrap();
                let Appender {
                    acknowledged,
                    stream: another,
                    ..
                } = appender;
                // A disk with a file that is open for writing cannot be made read-only.
                drop((stream, another));
                disk.make_read_only();
                let error = open(&store, policy).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
                let new = SessionId::new("new").unwrap();
                let error = EventStream::builder(store.clone(), new)
                    .open()
                    .await
                    .unwrap_err();
                assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
                let viewer = EventViewer::open(&store, &session()).await.unwrap();
                let seen = viewer.read(Query::default()).await.unwrap();
                assert!(seen.iter().map(|event| text(event)).eq(&acknowledged));
                disk.make_writable();
                let stream = open(&store, policy).await.unwrap();
                let follower = stream.subscribe(Cursor::Start);
                let mut appender = Appender {
                    stream,
                    acknowledged,
                    count: 0,
                };
                assert_eq!(appender.append(3, 300).await, 0);
                appender.check(follower).await;
            });
        }
    });
}

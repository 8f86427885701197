use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oh_core::{ByteRange, ErrorKind, EventId, SessionId};
use tempfile::TempDir;

use super::fork::{self, Share};
use super::tests::{event, ids, read_all, session};
use super::{Retention, SegmentStore, files};
use crate::store::{
    Damage, Dropped, EventLog, EventReader, EventStore, ReadRange, Snapshot, Writer,
};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> SegmentStore {
        SegmentStore::new(self.0.path()).segment_bytes(1000)
    }

    fn segments(&self, session: &SessionId) -> Vec<(u64, PathBuf)> {
        let segments = files::list(&self.store().directory(session)).unwrap();
        let named = segments.iter();
        named
            .map(|segment| (segment.first, segment.path.clone()))
            .collect()
    }

    fn sessions(&self) -> usize {
        self.0.path().read_dir().unwrap().count()
    }
}

fn child() -> SessionId {
    SessionId::new("child").unwrap()
}

async fn open(store: &SegmentStore, session: &SessionId) -> Box<dyn EventLog> {
    store.open(session, Writer::new("test")).await.unwrap()
}

async fn fill(log: &dyn EventLog, text: &str, count: u64) {
    let next = log.next().0;
    for id in next..next + count {
        let batch = [event(id, &format!("{text} {}", "x".repeat(80)))];
        log.append(EventId(id), log.epoch(), &batch).await.unwrap();
    }
}

/// Ids, and whether each event is of this text.
async fn read(reader: Arc<dyn EventReader>) -> Vec<u64> {
    let (ids, damages) =
        tokio::task::spawn_blocking(move || read_all(&reader, ReadRange::default()))
            .await
            .unwrap();
    assert_eq!(damages, []);
    ids
}

async fn texts(reader: Arc<dyn EventReader>, text: &str) -> Vec<u64> {
    let range = ReadRange::default().limit(10_000);
    let page = reader.read(range).await.unwrap();
    let with = page
        .iter()
        .filter(|event| std::str::from_utf8(event.json()).unwrap().contains(text));
    with.map(|event| event.id().0).collect()
}

fn links(path: &Path) -> u64 {
    path.metadata().unwrap().nlink()
}

const SHARES: [Share; 2] = [fork::link_or_copy, fork::copy];

#[tokio::test]
async fn a_fork_at_any_id_holds_the_past_and_both_go_on_by_themselves() {
    for (share, step) in SHARES.into_iter().zip([3, 11]) {
        for at in (0..=45).step_by(step) {
            let folder = Folder::new();
            let store = folder.store();
            let parent = open(&store, &session()).await;
            fill(&*parent, "past", 45).await;
            fork::fork(folder.0.path(), &session(), EventId(at), &child(), share).unwrap();
            let log = open(&store, &child()).await;
            assert_eq!((log.next(), log.report().cut_bytes), (EventId(at), 0));
            fill(&*log, "of the child", 30).await;
            fill(&*parent, "of the parent", 20).await;
            assert_eq!(read(log.reader()).await, ids(0..at + 30));
            assert_eq!(read(parent.reader()).await, ids(0..65));
            assert_eq!(texts(log.reader(), "of the child").await, ids(at..at + 30));
            assert_eq!(texts(parent.reader(), "of the parent").await, ids(45..65));
            assert!(texts(parent.reader(), "of the child").await.is_empty());
        }
    }
}

#[tokio::test]
async fn full_segments_are_shared_and_no_one_writes_to_a_shared_file() {
    let folder = Folder::new();
    let parent = open(&folder.store(), &session()).await;
    fill(&*parent, "past", 45).await;
    let segments = folder.segments(&session());
    let at = segments[2].0 + 1;
    folder
        .store()
        .fork(&session(), EventId(at), &child())
        .await
        .unwrap();
    let shared: Vec<_> = folder.segments(&child());
    assert_eq!(shared.len(), 3);
    assert_eq!(
        shared
            .iter()
            .map(|(_, path)| links(path))
            .collect::<Vec<_>>(),
        [2, 2, 1]
    );
    let before = std::fs::read(&shared[1].1).unwrap();
    // Should the fork's own segment get lost, its last one is a shared one.
    std::fs::remove_file(&shared[2].1).unwrap();
    let log = open(&folder.store(), &child()).await;
    assert_eq!(log.next(), EventId(segments[2].0));
    assert_eq!(links(&shared[1].1), 1);
    fill(&*log, "of the child", 10).await;
    assert_eq!(std::fs::read(&segments[1].1).unwrap(), before);
    assert_eq!(read(log.reader()).await, ids(0..segments[2].0 + 10));
    assert_eq!(read(parent.reader()).await, ids(0..45));
}

#[tokio::test]
async fn a_fork_takes_the_large_contents_and_the_snapshot_of_its_past() {
    for share in SHARES {
        let folder = Folder::new();
        let store = folder.store();
        let parent = open(&store, &session()).await;
        let blobs = parent.blobs().unwrap();
        let mut names = Vec::new();
        for text in ["past", "future"] {
            let mut blob = blobs.create().await.unwrap();
            blob.write(text.into()).await.unwrap();
            let name = blob.finish().await.unwrap().id;
            let id = parent.next();
            let batch = [event(id.0, &name)];
            parent.append(id, parent.epoch(), &batch).await.unwrap();
            names.push(name);
        }
        let snapshot = Snapshot::new(EventId(1), "state");
        parent.save_snapshot(&snapshot).await.unwrap();
        for (at, kept) in [(1, Some(snapshot)), (0, None)] {
            let to = SessionId::new(format!("child-{at}")).unwrap();
            fork::fork(folder.0.path(), &session(), EventId(at), &to, share).unwrap();
            assert_eq!(
                store.view(&to).await.unwrap().snapshot().await.unwrap(),
                kept
            );
        }
        let log = open(&store, &SessionId::new("child-1").unwrap()).await;
        let forked = log.blobs().unwrap();
        assert_eq!(
            forked.read(&names[0], ByteRange::from(0..)).await.unwrap(),
            "past"
        );
        let missing = forked
            .read(&names[1], ByteRange::from(0..))
            .await
            .unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let fresh = forked.create().await.unwrap();
        assert!(!names.contains(&fresh.id().to_owned()));
        log.close().await.unwrap();
        store
            .remove(&SessionId::new("child-1").unwrap())
            .await
            .unwrap();
        assert_eq!(
            blobs.read(&names[0], ByteRange::from(0..)).await.unwrap(),
            "past"
        );
    }
}

#[tokio::test]
async fn a_fork_that_cannot_be_made_leaves_nothing() {
    let folder = Folder::new();
    let store = folder.store();
    let parent = open(&store, &session()).await;
    fill(&*parent, "past", 45).await;
    let refused = async |from: &str, at: u64, to: &str| {
        let (from, to) = (SessionId::new(from).unwrap(), SessionId::new(to).unwrap());
        store.fork(&from, EventId(at), &to).await.unwrap_err()
    };
    assert_eq!(
        refused("s", 46, "child").await.kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(refused("s", 5, "s").await.kind(), ErrorKind::AlreadyExists);
    assert_eq!(
        refused("none", 0, "child").await.kind(),
        ErrorKind::NotFound
    );
    let (second, path) = folder.segments(&session())[1].clone();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = refused("s", 45, "child").await;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(Damage::of(&error).unwrap().from, EventId(second));
    assert_eq!(folder.sessions(), 1, "the parent");
    store
        .fork(&session(), EventId(second), &child())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_log_without_its_oldest_events_is_forked_where_it_has_any() {
    let folder = Folder::new();
    let store = folder.store().retention(Retention::new().max_events(20));
    let parent = open(&store, &session()).await;
    fill(&*parent, "past", 45).await;
    let snapshot = Snapshot::new(EventId(45), "state");
    parent.save_snapshot(&snapshot).await.unwrap();
    let first = parent.reader().first();
    let error = store
        .fork(&session(), EventId(3), &child())
        .await
        .unwrap_err();
    assert_eq!(Dropped::of(&error), Some(&Dropped::new(EventId(3), first)));
    store.fork(&session(), EventId(40), &child()).await.unwrap();
    let log = open(&store, &child()).await;
    fill(&*log, "of the child", 5).await;
    assert_eq!((log.reader().first(), log.next()), (first, EventId(45)));
    assert_eq!(texts(log.reader(), "past").await, ids(first.0..40));
}

#[tokio::test]
async fn a_fork_goes_on_with_what_is_left_when_old_events_are_dropped_meanwhile() {
    let folder = Folder::new();
    let parent = open(&folder.store(), &session()).await;
    fill(&*parent, "past", 45).await;
    let second = folder.segments(&session())[1].0;
    let fork = |share: Share| {
        let at = EventId(40);
        fork::fork(folder.0.path(), &session(), at, &child(), share)
    };
    let error = fork(|_, _| Err(std::io::ErrorKind::NotFound.into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    assert_eq!(folder.sessions(), 1, "the parent");
    // As the writer does it that keeps a part of the log.
    let dropped: Share = |from, to| {
        if from.ends_with("00000000000000000000.log") {
            std::fs::remove_file(from)?;
        }
        fork::link_or_copy(from, to)
    };
    fork(dropped).unwrap();
    let log = open(&folder.store(), &child()).await;
    assert_eq!((log.reader().first().0, log.next().0), (second, 40));
    assert_eq!(texts(log.reader(), "past").await, ids(second..40));
    assert_eq!(folder.sessions(), 2);
}

#[tokio::test]
async fn what_a_crash_left_of_a_fork_is_no_session_and_is_swept_away() {
    let folder = Folder::new();
    let store = folder.store();
    let parent = open(&store, &session()).await;
    fill(&*parent, "past", 45).await;
    // Before its lock, and in the middle.
    std::fs::create_dir(folder.0.path().join(".fork.child.1-0")).unwrap();
    let half = folder.0.path().join(".fork.child.1-1");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("lock"), "").unwrap();
    std::fs::hard_link(
        &folder.segments(&session())[0].1,
        half.join("00000000000000000000.log"),
    )
    .unwrap();
    assert_eq!(store.sessions(None, 9).await.unwrap(), [session()]);
    store.fork(&session(), EventId(45), &child()).await.unwrap();
    assert_eq!(folder.sessions(), 2);
    assert_eq!(read(parent.reader()).await, ids(0..45));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_forks_of_one_name_one_is_made() {
    let folder = Folder::new();
    let store = folder.store();
    let parent = open(&store, &session()).await;
    fill(&*parent, "past", 45).await;
    let forks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.fork(&session(), EventId(20), &child()).await })
        })
        .collect();
    let mut made = 0;
    for fork in forks {
        match fork.await.unwrap() {
            Ok(done) => made += u32::from(done),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}"),
        }
    }
    assert_eq!((made, folder.sessions()), (1, 2));
    assert_eq!(open(&store, &child()).await.next(), EventId(20));
}

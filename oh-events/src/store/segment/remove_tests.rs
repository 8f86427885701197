use std::path::Path;

use oh_core::{ErrorKind, EventId, SessionId};

use super::SegmentStore;
use super::tests::{event, session};
use crate::store::{Direction, EventLog, EventStore, Holder, ReadRange, Snapshot, Writer};

async fn open(store: &SegmentStore) -> Box<dyn EventLog> {
    store.open(&session(), Writer::new("test")).await.unwrap()
}

/// A session with everything that one can have.
async fn fill(store: &SegmentStore) {
    let log = open(&store.clone().segment_bytes(50)).await;
    for id in 0..5 {
        let batch = [event(id, &"x".repeat(80))];
        log.append(EventId(id), log.epoch(), &batch).await.unwrap();
    }
    let mut blob = log.blobs().unwrap().create().await.unwrap();
    blob.write("data".into()).await.unwrap();
    blob.finish().await.unwrap();
    let snapshot = crate::Snapshot::new(EventId(5), "state");
    log.save_snapshot(&snapshot).await.unwrap();
    log.close().await.unwrap();
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_removed_session_leaves_nothing_and_can_be_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    fill(&store).await;
    let viewer = store.view(&session()).await.unwrap();
    store.remove(&session()).await.unwrap();
    assert_eq!(entries(folder.path()), Vec::<String>::new());
    let error = viewer.read(ReadRange::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    for missing in ["s", "never"] {
        let missing = SessionId::new(missing).unwrap();
        let error = store.remove(&missing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert_eq!(open(&store).await.next(), EventId(0));
}

#[tokio::test]
async fn who_read_a_session_that_was_removed_gets_nothing_of_the_next_one_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    let append = async |log: &dyn EventLog, count: u64, text: &str| {
        for id in 0..count {
            let batch = [event(id, text)];
            log.append(EventId(id), log.epoch(), &batch).await.unwrap();
        }
    };
    let log = open(&store).await;
    append(&*log, 5, "old").await;
    let viewer = store.view(&session()).await.unwrap();
    let reader = log.reader();
    log.close().await.unwrap();
    drop(log);
    store.remove(&session()).await.unwrap();
    let log = open(&store).await;
    append(&*log, 9, "new").await;
    let snapshot = Snapshot::new(EventId(9), "new");
    log.save_snapshot(&snapshot).await.unwrap();
    for reader in [reader, viewer.clone()] {
        for direction in [Direction::Forward, Direction::Reverse] {
            let range = ReadRange::default().direction(direction);
            let error = reader.read(range).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
        }
        let error = reader.snapshot().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    }
    let error = viewer.wait_past(EventId(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    assert_eq!(viewer.next(), EventId(5));
}

#[tokio::test]
async fn a_session_that_has_a_writer_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    let log = open(&store).await;
    let error = store.remove(&session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(Holder::of(&error).unwrap().name, "test");
    let batch = [event(0, "a")];
    log.append(EventId(0), log.epoch(), &batch).await.unwrap();
    log.close().await.unwrap();
    store.remove(&session()).await.unwrap();
}

#[tokio::test]
async fn a_directory_with_someone_elses_files_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    fill(&store).await;
    let directory = store.directory(&session());
    for name in ["notes.txt", "blobs/notes.txt", "1.log", "snapshot.old"] {
        std::fs::write(directory.join(name), "mine").unwrap();
        let before = entries(&directory);
        let error = store.remove(&session()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{name}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(Holder::of(&error).is_none());
        assert_eq!(entries(&directory), before);
        std::fs::remove_file(directory.join(name)).unwrap();
    }
    store.remove(&session()).await.unwrap();
    // A folder that is no session, under the name of one.
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("notes.txt"), "mine").unwrap();
    let error = store.remove(&session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(entries(&directory), ["notes.txt"]);
}

#[tokio::test]
async fn a_removal_that_was_interrupted_is_finished_by_calling_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    // What is left depends on where the crash came.
    let steps: [&[&str]; 3] = [
        &[],
        &["blobs/1-0", "lock"],
        &[
            "snapshot",
            "lock",
            "holder.json",
            "00000000000000000001.log",
        ],
    ];
    for removed in steps {
        fill(&store).await;
        let aside = folder.path().join(".removed.s.1-7");
        std::fs::rename(store.directory(&session()), &aside).unwrap();
        for name in removed {
            std::fs::remove_file(aside.join(name)).unwrap();
        }
        assert!(store.sessions(None, 9).await.unwrap().is_empty());
        store.remove(&session()).await.unwrap();
        assert_eq!(entries(folder.path()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_link_in_the_place_of_a_session_leads_to_no_removal() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SegmentStore::new(folder.path());
    let other = SegmentStore::new(elsewhere.path());
    fill(&other).await;
    let link = |name: &str| {
        std::os::unix::fs::symlink(other.directory(&session()), folder.path().join(name)).unwrap();
    };
    link(".removed.s.1-7");
    link(".fork.s.1-7");
    let error = store.remove(&session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    link("s");
    let error = store.remove(&session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("link"), "{error}");
    let log = open(&other).await;
    assert_eq!(log.next(), EventId(5));
    assert_eq!(
        log.reader().read(ReadRange::default()).await.unwrap().len(),
        5
    );
}

#[tokio::test]
async fn a_session_that_is_removed_while_it_is_opened_is_begun_anew_or_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    let remover = tokio::spawn({
        let store = store.clone();
        async move {
            let mut removed = 0;
            while removed < 50 {
                match store.remove(&session()).await {
                    Ok(()) => removed += 1,
                    Err(error) => assert!(
                        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict),
                        "{error:?}"
                    ),
                }
                tokio::task::yield_now().await;
            }
        }
    });
    while !remover.is_finished() {
        match store.open(&session(), Writer::new("test")).await {
            Ok(log) => {
                assert_eq!(log.next(), EventId(0));
                let batch = [event(0, "a")];
                log.append(EventId(0), log.epoch(), &batch).await.unwrap();
                let page = log.reader().read(ReadRange::default()).await.unwrap();
                assert_eq!(page, batch);
                drop(log);
                // Unless the remover was faster.
                while store.view(&session()).await.is_ok() && !remover.is_finished() {
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    }
    remover.await.unwrap();
}

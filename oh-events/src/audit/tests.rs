//! A chain that holds, and every way to break it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use oh_core::action::MessageAction;
use oh_core::secret::Secret;
use oh_core::{ErrorKind, EventId, Result, SessionId, Source};
use proptest::prelude::*;

use super::seal::Sealed;
use super::{Audit, AuditBreak, AuditFault, AuditHead, AuditReport};
use crate::{
    Cursor, Encoded, EventReader, EventStore, EventStream, EventViewer, MemoryStore, Query,
    ReadRange, SegmentStore, Writer,
};

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

fn key() -> Audit {
    Audit::keyed(Secret::new("a key of enough bytes")).unwrap()
}

async fn open(store: &MemoryStore, audit: Option<Audit>) -> Result<EventStream> {
    let builder = EventStream::builder(store.clone(), session());
    match audit {
        Some(audit) => builder.audit(audit).open().await,
        None => builder.open().await,
    }
}

/// Appends some events and closes.
async fn append(store: &MemoryStore, audit: Option<Audit>, count: usize) -> Option<AuditHead> {
    let stream = open(store, audit).await.unwrap();
    for n in 0..count {
        let message = MessageAction::new(format!("message {n}"));
        stream.append(Source::User, message).await.unwrap();
    }
    stream.close().await.unwrap();
    stream.audit_head()
}

async fn lines(store: &MemoryStore) -> Vec<Vec<u8>> {
    let reader = store.view(&session()).await.unwrap();
    let page = reader.read(crate::ReadRange::default()).await.unwrap();
    page.iter().map(|event| event.json().to_vec()).collect()
}

/// A log that holds these lines, whatever they say.
async fn store_of(lines: &[Vec<u8>]) -> MemoryStore {
    let store = MemoryStore::new();
    let log = store.open(&session(), Writer::new("forger")).await.unwrap();
    let events: Vec<Encoded> = lines
        .iter()
        .zip(0..)
        .map(|(json, id)| Encoded::new(EventId(id), json.clone()).unwrap())
        .collect();
    log.append(EventId(0), log.epoch(), &events).await.unwrap();
    store
}

async fn verify(store: &MemoryStore, audit: &Audit, kept: Option<&AuditHead>) -> AuditReport {
    let viewer = EventViewer::open(store, &session()).await.unwrap();
    viewer.verify(audit, kept).await.unwrap()
}

fn broken(at: u64, fault: AuditFault) -> Option<AuditBreak> {
    let at = EventId(at);
    Some(AuditBreak { at, fault })
}

fn edited(line: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(line.to_vec()).unwrap();
    assert!(text.contains(from));
    text.replace(from, to).into_bytes()
}

#[tokio::test]
async fn a_chain_holds_over_reopening_and_its_head_can_be_kept_elsewhere() {
    for audit in [Audit::new(), key()] {
        let store = MemoryStore::new();
        let kept = append(&store, Some(audit.clone()), 3).await.unwrap();
        let head = append(&store, Some(audit.clone()), 600).await.unwrap();
        assert_eq!((kept.at, head.at), (EventId(2), EventId(602)));
        let kept: AuditHead = kept.to_string().parse().unwrap();
        let report = verify(&store, &audit, Some(&kept)).await;
        assert_eq!((report.from, report.head), (Some(EventId(0)), Some(head)));
        assert_eq!(report.broken, None);
    }
}

#[tokio::test]
async fn an_event_that_was_edited_is_named() {
    for audit in [Audit::new(), key()] {
        let store = MemoryStore::new();
        append(&store, Some(audit.clone()), 5).await;
        let lines = lines(&store).await;
        for at in 0..5 {
            let mut forged = lines.clone();
            forged[at] = edited(&forged[at], "message", "massage");
            let report = verify(&store_of(&forged).await, &audit, None).await;
            assert_eq!(report.broken, broken(at as u64, AuditFault::Changed));
            let held = at.checked_sub(1).map(|at| EventId(at as u64));
            assert_eq!(report.head.map(|head| head.at), held);
        }
    }
}

#[tokio::test]
async fn an_event_that_was_removed_put_in_or_moved_is_named() {
    let store = MemoryStore::new();
    append(&store, Some(Audit::new()), 5).await;
    let lines = lines(&store).await;
    let id = |line: &[u8], id: usize, new: usize| {
        edited(
            line,
            &format!("{{\"id\":{id},"),
            &format!("{{\"id\":{new},"),
        )
    };
    let mut removed = lines.clone();
    removed.remove(2);
    let mut renumbered = removed.clone();
    renumbered[2] = id(&renumbered[2], 3, 2);
    renumbered[3] = id(&renumbered[3], 4, 3);
    let mut put_in = lines.clone();
    put_in.insert(2, lines[1].clone());
    let mut moved = lines.clone();
    moved.swap(2, 3);
    for forged in [removed, renumbered, put_in, moved] {
        let report = verify(&store_of(&forged).await, &Audit::new(), None).await;
        assert_eq!(report.broken, broken(2, AuditFault::Changed));
    }
}

#[tokio::test]
async fn a_value_that_was_taken_out_is_named() {
    let store = MemoryStore::new();
    append(&store, Some(Audit::new()), 5).await;
    let lines = lines(&store).await;
    let bare = |line: &[u8]| Sealed::find(line).unwrap().parts().concat();
    let mut forged = lines.clone();
    forged[3] = bare(&lines[3]);
    let report = verify(&store_of(&forged).await, &Audit::new(), None).await;
    assert_eq!(report.broken, broken(3, AuditFault::Unchained));
    // From the start, as if the log had been chained later.
    let mut forged = lines.clone();
    forged[0] = bare(&lines[0]);
    let report = verify(&store_of(&forged).await, &Audit::new(), None).await;
    assert_eq!(report.broken, broken(1, AuditFault::Changed));
    // Everywhere.
    let forged: Vec<_> = lines.iter().map(|line| bare(line)).collect();
    let store = store_of(&forged).await;
    let report = verify(&store, &Audit::new(), None).await;
    assert_eq!((report.from, report.broken), (None, None));
    let kept = AuditHead::new(EventId(4), Sealed::find(&lines[4]).unwrap().value);
    let report = verify(&store, &Audit::new(), Some(&kept)).await;
    assert_eq!(report.broken, broken(4, AuditFault::Unchained));
}

#[tokio::test]
async fn an_end_that_was_cut_off_and_a_chain_that_was_made_anew_do_not_fit_the_kept_head() {
    let store = MemoryStore::new();
    let kept = append(&store, Some(Audit::new()), 5).await.unwrap();
    let lines = lines(&store).await;
    let cut = store_of(&lines[..3]).await;
    assert_eq!(verify(&cut, &Audit::new(), None).await.broken, None);
    let report = verify(&cut, &Audit::new(), Some(&kept)).await;
    assert_eq!(report.broken, broken(4, AuditFault::Cut));
    assert_eq!(report.head.unwrap().at, EventId(2));
    // Other events in their place, with values of their own.
    append(&cut, None, 2).await;
    assert_eq!(verify(&cut, &Audit::new(), None).await.broken, None);
    let report = verify(&cut, &Audit::new(), Some(&kept)).await;
    assert_eq!(report.broken, broken(4, AuditFault::OtherHead));
}

#[tokio::test]
async fn without_the_key_no_chain_can_be_made_that_holds() {
    let store = MemoryStore::new();
    append(&store, Some(key()), 3).await;
    let other = Audit::keyed(Secret::new("another key of enough bytes")).unwrap();
    let report = verify(&store, &other, None).await;
    assert_eq!(report.broken, broken(0, AuditFault::Changed));
    let forged = MemoryStore::new();
    append(&forged, Some(Audit::new()), 3).await;
    let report = verify(&forged, &key(), None).await;
    assert_eq!(report.broken, broken(0, AuditFault::OtherMethod));
    assert!(Audit::keyed(Secret::new("short")).is_err());
}

#[tokio::test]
async fn a_chained_log_is_not_opened_to_be_gone_on_with_in_another_way() {
    let keyed = MemoryStore::new();
    append(&keyed, Some(key()), 3).await;
    let other = Audit::keyed(Secret::new("another key of enough bytes")).unwrap();
    for (audit, kind) in [
        (None, ErrorKind::InvalidInput),
        (Some(Audit::new()), ErrorKind::InvalidInput),
        (Some(other), ErrorKind::Corrupt),
    ] {
        assert_eq!(open(&keyed, audit).await.unwrap_err().kind(), kind);
    }
    // A refusal releases the log.
    append(&keyed, Some(key()), 1).await;
    let plain = MemoryStore::new();
    append(&plain, Some(Audit::new()), 3).await;
    let refused = open(&plain, Some(key())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let head = append(&plain, None, 2).await.unwrap();
    assert_eq!(
        head.at,
        EventId(4),
        "a chain without a key goes on by itself"
    );
    assert_eq!(verify(&plain, &Audit::new(), None).await.head, Some(head));
}

#[tokio::test]
async fn a_log_that_was_begun_without_a_chain_is_chained_from_where_it_was_asked_for() {
    let store = MemoryStore::new();
    assert_eq!(append(&store, None, 3).await, None);
    append(&store, Some(Audit::new()), 2).await;
    let report = verify(&store, &Audit::new(), None).await;
    assert_eq!((report.from, report.broken), (Some(EventId(3)), None));
}

#[tokio::test]
async fn events_carry_no_value_when_they_are_read_and_none_that_they_brought_along() {
    let store = MemoryStore::new();
    let stream = open(&store, Some(Audit::new())).await.unwrap();
    let mut live = stream.subscribe(Cursor::Live);
    let json = r#"{"source":"user","action":"message","args":{"content":"c"},"oh_chain":"mine"}"#;
    let draft = oh_core::codec::decode_draft(json).unwrap();
    stream.append_draft(draft).await.unwrap();
    let read = stream.read(Query::default()).await.unwrap();
    let live = live.next().await.unwrap().unwrap();
    assert_eq!(read, [live]);
    assert!(read[0].extra.is_empty());
    let line = String::from_utf8(lines(&store).await.remove(0)).unwrap();
    assert_eq!(line.matches("oh_chain").count(), 1);
    assert!(line.contains(r#","oh_chain":"sha256:"#) && line.ends_with("\"}"));
}

/// Where the only segment of a session lies.
fn segment(folder: &Path) -> PathBuf {
    folder.join("s").join(format!("{:020}.log", 0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_files_that_many_write_at_once_is_chained_and_a_lost_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    let builder = EventStream::builder(store.clone(), session()).audit(Audit::new());
    let stream = builder.open().await.unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let stream = stream.clone();
            tokio::spawn(async move {
                for n in 0..100 {
                    let message = MessageAction::new(n.to_string());
                    stream.append(Source::Agent, message).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let head = stream.audit_head().unwrap();
    let report = stream.verify(&Audit::new(), Some(&head)).await.unwrap();
    assert_eq!((report.broken, report.head), (None, Some(head)));
    stream.close().await.unwrap();
    let bytes = std::fs::read(segment(folder.path())).unwrap();
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines.remove(200);
    std::fs::write(segment(folder.path()), lines.concat()).unwrap();
    let viewer = EventViewer::open(&store, &session()).await.unwrap();
    let report = viewer.verify(&Audit::new(), None).await.unwrap();
    assert_eq!(report.broken, broken(200, AuditFault::Missing));
}

proptest! {
    #[test]
    fn no_byte_of_a_chained_log_can_be_changed_unseen(
        at in 0_usize..4,
        byte in any::<prop::sample::Index>(),
        change in 1_u8..=255,
        keyed in any::<bool>(),
    ) {
        let audit = if keyed { key() } else { Audit::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::new();
            append(&store, Some(audit.clone()), 4).await;
            let mut lines = lines(&store).await;
            let byte = byte.index(lines[at].len());
            lines[at][byte] ^= change;
            prop_assume!(lines[at][byte] != b'\n');
            let report = verify(&store_of(&lines).await, &audit, None).await;
            let broken = report.broken.expect("the chain breaks");
            prop_assert!(broken.at.0 >= at as u64 && broken.at.0 <= at as u64 + 1);
            Ok(())
        })?;
    }
}

/// A log whose oldest events are dropped while it is read: none before the first page, all but the
/// last ten behind it.
#[derive(Debug)]
struct ShrinkingReader {
    log: Arc<dyn EventReader>,
    pages: AtomicU64,
}

#[async_trait]
impl EventReader for ShrinkingReader {
    fn first(&self) -> EventId {
        match self.pages.load(Ordering::Relaxed) {
            0 => EventId(0),
            _ => EventId(self.log.next().0 - 10),
        }
    }

    fn next(&self) -> EventId {
        self.log.next()
    }

    async fn read(&self, mut range: ReadRange) -> Result<Vec<Encoded>> {
        range.from = range.from.max(self.first());
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.log.read(range.limit(20)).await
    }
}

#[tokio::test]
async fn events_that_are_dropped_during_the_walk_do_not_break_the_chain() {
    let store = MemoryStore::new();
    let head = append(&store, Some(key()), 100).await;
    let reader = ShrinkingReader {
        log: store.view(&session()).await.unwrap(),
        pages: AtomicU64::new(0),
    };
    let report = super::verify(&reader, EventId(100), &key(), head.as_ref()).await;
    let report = report.unwrap();
    assert_eq!((report.from, report.head), (Some(EventId(90)), head));
    assert_eq!(report.broken, None);
}

#[tokio::test]
async fn the_oldest_event_of_a_log_that_dropped_its_past_is_vouched_for_by_no_one() {
    let store = MemoryStore::new();
    append(&store, Some(key()), 100).await;
    let mut changed = lines(&store).await;
    changed[90] = edited(&changed[90], "message 90", "message 09");
    let reader = ShrinkingReader {
        log: store_of(&changed).await.view(&session()).await.unwrap(),
        pages: AtomicU64::new(1),
    };
    let report = super::verify(&reader, EventId(100), &key(), None).await;
    assert_eq!(report.unwrap().broken, None);
}

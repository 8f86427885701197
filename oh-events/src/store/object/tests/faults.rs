//! Answers that get lost, calls that come late, writers that are cut off.

use std::time::Duration;

use bytes::Bytes;
use oh_core::{ByteRange, ErrorKind, EventId};

use super::unreliable::Fault;
use super::*;
use crate::store::object::blob::PART_BYTES;
use crate::store::{Damage, Direction, Holder, Snapshot};

const ALL: ByteRange = ByteRange {
    start: 0,
    end: None,
};

#[tokio::test]
async fn an_answer_that_was_lost_makes_no_double_and_no_failure() {
    let storage = Unreliable::new();
    let store = store(&storage);
    let log = open(&store).await;
    append(&*log, 1, "a").await;
    storage.meet("log/", Fault::AnswerLost, 1);
    append(&*log, 2, "a").await;
    let viewer = store.view(&session()).await.unwrap();
    assert_eq!(all(&*viewer).await, texts(0..3, "a"));
}

#[tokio::test]
async fn an_append_that_got_lost_is_tried_again() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    storage.meet("log/", Fault::CallLost, 2);
    append(&*log, 2, "a").await;
    assert_eq!(all(&*log.reader()).await, texts(0..2, "a"));
}

#[tokio::test]
async fn an_append_that_cannot_be_settled_says_so_and_ends_the_log() {
    let storage = Unreliable::new();
    let store = store(&storage).patience(Duration::ZERO);
    let log = open(&store).await;
    append(&*log, 1, "a").await;
    storage.meet("log/", Fault::CallLost, usize::MAX);
    for _ in 0..2 {
        let error = log
            .append(EventId(1), log.epoch(), &[event(1, "b")])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
        assert!(!error.is_retryable());
    }
    log.close().await.unwrap();
    storage.clear();
    let log = open(&store).await;
    assert_eq!(log.next(), EventId(1));
}

#[tokio::test]
async fn a_refused_append_uses_up_no_id() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    storage.meet("log/", Fault::Refused, 1);
    let error = log
        .append(EventId(0), log.epoch(), &[event(0, "a")])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    append(&*log, 2, "b").await;
    assert_eq!(all(&*log.reader()).await, texts(0..2, "b"));
}

#[tokio::test]
async fn an_append_that_comes_late_does_not_fork_the_history() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    append(&*log, 1, "a").await;
    storage.meet("log/", Fault::Delayed, 1);
    let late = tokio::spawn(async move {
        let epoch = log.epoch();
        log.append(EventId(1), epoch, &[event(1, "late")]).await
    });
    storage.held().await;
    // Another process takes over, writes that event, and merges everything.
    let other = store(&storage).merge_appends(2);
    let log = take_over(&other).await;
    append(&*log, 10, "b").await;
    log.close().await.unwrap();
    storage.free();
    let error = late.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(Holder::of(&error).is_some_and(|holder| holder.epoch == 2));
    let viewer = other.view(&session()).await.unwrap();
    let found = all(&*viewer).await;
    assert_eq!(found[0], event(0, "a"));
    assert_eq!(found[1..], texts(1..11, "b"));
}

#[tokio::test]
async fn a_call_that_was_dropped_is_carried_out_or_not_at_all() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    storage.meet("log/", Fault::Delayed, 1);
    {
        let batch = [event(0, "a")];
        let append = log.append(EventId(0), log.epoch(), &batch);
        tokio::select! {
            _ = append => panic!("it hangs"),
            () = storage.held() => {}
        }
    }
    storage.free();
    // The next one waits for it.
    let error = log
        .append(EventId(0), log.epoch(), &[event(0, "b")])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(log.next(), EventId(1));
    assert_eq!(all(&*log.reader()).await, texts(0..1, "a"));
}

#[tokio::test]
async fn an_object_that_is_listed_late_is_not_overwritten() {
    let storage = Unreliable::new();
    let first = open(&store(&storage)).await;
    append(&*first, 3, "a").await;
    storage.hide(Some("00002.00000000000000000001.log"));
    let opened = store(&storage)
        .take_over(&session(), Writer::new("b"))
        .await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Conflict);
    storage.hide(None);
    let second = take_over(&store(&storage)).await;
    append(&*second, 1, "a").await;
    assert_eq!(all(&*second.reader()).await, texts(0..4, "a"));
}

#[tokio::test]
async fn opening_a_log_ends_the_turn_of_its_former_writer() {
    let storage = Unreliable::new();
    let former = open(&store(&storage)).await;
    append(&*former, 3, "a").await;
    let newest = take_over(&store(&storage)).await;
    let fork = [event(3, "fork")];
    let error = former
        .append(EventId(3), former.epoch(), &fork)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(newest.next(), EventId(3));
    append(&*newest, 1, "a").await;
    assert_eq!(all(&*newest.reader()).await, texts(0..4, "a"));
}

#[tokio::test]
async fn a_writer_of_the_past_cannot_use_a_name_that_merging_freed() {
    let storage = Unreliable::new();
    let former = open(&store(&storage).merge_appends(2)).await;
    append(&*former, 3, "a").await;
    // Opened, but it does not write yet.
    let sleeper = take_over(&store(&storage)).await;
    let newest = take_over(&store(&storage).merge_appends(2)).await;
    append(&*newest, 40, "a").await;
    newest.close().await.unwrap();
    let newest = take_over(&store(&storage).merge_appends(2)).await;
    let merged = storage.names("-").await;
    assert!(!merged.is_empty());
    for past in [&sleeper, &former] {
        let next = past.next();
        let error = past
            .append(next, past.epoch(), &[event(next.0, "fork")])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    append(&*newest, 1, "a").await;
    let viewer = store(&storage).view(&session()).await.unwrap();
    assert_eq!(all(&*viewer).await, texts(0..44, "a"));
}

#[tokio::test]
async fn a_writer_that_opens_slowly_finds_the_end_again() {
    let storage = Unreliable::new();
    let former = open(&store(&storage).merge_appends(2)).await;
    append(&*former, 3, "a").await;
    storage.meet("/fence/", Fault::Delayed, 1);
    let slow = store(&storage);
    let slow = tokio::spawn(async move { take_over(&slow).await });
    storage.held().await;
    // The name that it is about to take is written, merged and freed.
    append(&*former, 20, "a").await;
    former.close().await.unwrap();
    let name = "00003.00000000000000000001.log";
    assert_eq!(storage.names(name).await, Vec::<String>::new());
    storage.free();
    let slow = slow.await.unwrap();
    assert_eq!(slow.next(), EventId(23));
    append(&*slow, 2, "a").await;
    let viewer = store(&storage).view(&session()).await.unwrap();
    assert_eq!(all(&*viewer).await, texts(0..25, "a"));
    // And so does the one after it.
    let next = take_over(&store(&storage)).await;
    append(&*next, 1, "a").await;
    assert_eq!(all(&*next.reader()).await, texts(0..26, "a"));
}

#[tokio::test]
async fn a_writer_that_was_overtaken_while_it_opened_does_not_get_the_log() {
    let storage = Unreliable::new();
    storage.meet("/fence/", Fault::Delayed, 1);
    let slow = store(&storage);
    let slow = tokio::spawn(async move { slow.take_over(&session(), Writer::new("slow")).await });
    storage.held().await;
    // Two more come, and the last one clears away what tells of the one before it.
    take_over(&store(&storage)).await.close().await.unwrap();
    let newest = take_over(&store(&storage)).await;
    storage.free();
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(Holder::of(&error).unwrap().epoch, newest.epoch());
    append(&*newest, 3, "a").await;
    let next = take_over(&store(&storage)).await;
    append(&*next, 1, "a").await;
    assert_eq!(all(&*next.reader()).await, texts(0..4, "a"));
}

#[tokio::test]
async fn a_second_writer_is_told_who_holds_the_log_until_the_lease_has_run_out() {
    let storage = Unreliable::new();
    let first = store(&storage)
        .open(&session(), Writer::new("first"))
        .await
        .unwrap();
    let error = store(&storage)
        .open(&session(), Writer::new("second"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(Holder::of(&error).unwrap().name, "first");
    first.close().await.unwrap();

    // A lease of no length has always run out; and whoever lost the log learns it.
    let lapsed = open(&store(&storage).lease(Duration::ZERO)).await;
    append(&*lapsed, 1, "a").await;
    let next = open(&store(&storage)).await;
    assert!(next.epoch() > lapsed.epoch());
    append(&*next, 1, "a").await;
    let error = lapsed
        .append(EventId(1), lapsed.epoch(), &[event(1, "b")])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(Holder::of(&error).unwrap().epoch, next.epoch());
}

#[tokio::test]
async fn a_log_that_was_dropped_is_free_at_once() {
    let storage = Unreliable::new();
    let store = store(&storage);
    for epoch in 1..5 {
        let log = open(&store).await;
        assert_eq!(log.epoch(), epoch);
    }
}

#[tokio::test]
async fn damage_is_named_and_the_rest_is_read() {
    let storage = Unreliable::new();
    let store = store(&storage);
    let log = open(&store).await;
    let batch = texts(0..10, "a");
    log.append(EventId(0), log.epoch(), &batch).await.unwrap();
    append(&*log, 1, "z").await;
    storage
        .damage("00000.00000000000000000001.log", r#""id":4,"text":"a""#)
        .await;
    let viewer = super::store(&storage).view(&session()).await.unwrap();
    let everything = ReadRange::default();
    assert_eq!(viewer.read(everything).await.unwrap(), batch[..4]);
    let error = viewer
        .read(ReadRange::new(EventId(4), EventId(99)))
        .await
        .unwrap_err();
    let damage = Damage::of(&error).unwrap();
    assert_eq!((damage.from, damage.to), (EventId(4), EventId(5)));
    let rest = ReadRange::new(damage.to, EventId(99));
    assert_eq!(viewer.read(rest).await.unwrap().len(), 6);
    let back = everything.direction(Direction::Reverse);
    let ids: Vec<u64> = viewer
        .read(back)
        .await
        .unwrap()
        .iter()
        .map(|event| event.id().0)
        .collect();
    assert_eq!(ids, [10, 9, 8, 7, 6, 5]);

    // Merging leaves it as it is.
    log.close().await.unwrap();
    assert_eq!(viewer.read(rest).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_lost_object_is_damage() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    append(&*log, 5, "a").await;
    storage.hide(Some("00002.00000000000000000001.log"));
    let viewer = store(&storage).view(&session()).await.unwrap();
    // An append ends where the next object begins, so it is found out by reading.
    storage
        .damage("00001.00000000000000000001.log", r#""id":1,"#)
        .await;
    let error = viewer
        .read(ReadRange::new(EventId(1), EventId(9)))
        .await
        .unwrap_err();
    let damage = Damage::of(&error).unwrap();
    assert_eq!((damage.from, damage.to), (EventId(1), EventId(3)));
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_counts_as_none() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    assert_eq!(log.reader().snapshot().await.unwrap(), None);
    let snapshot = Snapshot::new(EventId(0), "the state");
    log.save_snapshot(&snapshot).await.unwrap();
    assert_eq!(log.reader().snapshot().await.unwrap(), Some(snapshot));
    storage.damage("/snapshot", "state").await;
    assert_eq!(log.reader().snapshot().await.unwrap(), None);
}

#[tokio::test]
async fn a_blob_can_be_read_while_it_is_written() {
    let storage = Unreliable::new();
    let store = store(&storage);
    let log = open(&store).await;
    let mut blob = log.blobs().unwrap().create().await.unwrap();
    let id = blob.id().to_owned();
    let here = log.reader().blobs().unwrap();
    assert_eq!(here.read(&id, ALL).await.unwrap(), "");
    blob.write(Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(here.read(&id, ALL).await.unwrap(), "abc");
    // Other processes see it part by part.
    let part = vec![b'x'; PART_BYTES];
    blob.write(part.into()).await.unwrap();
    blob.write(Bytes::from_static(b"end")).await.unwrap();
    let viewer = super::store(&storage).view(&session()).await.unwrap();
    let there = viewer.blobs().unwrap();
    let len = PART_BYTES as u64 + 3;
    let seen = there.read(&id, ALL).await.unwrap();
    assert_eq!(seen.len() as u64, len);
    let finished = blob.finish().await.unwrap();
    assert_eq!(finished.len, len + 3);
    let tail = ByteRange {
        start: len - 2,
        end: None,
    };
    for blobs in [here, there] {
        assert_eq!(blobs.read(&id, tail).await.unwrap(), "xxend");
    }
}

//! Many small objects become few large ones.

use oh_core::EventId;

use super::*;
use crate::store::Direction;

#[tokio::test]
async fn a_long_log_is_few_objects_and_is_opened_and_read_with_few_calls() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    append(&*log, 3_000, "a").await;
    log.close().await.unwrap();
    let objects = storage.names("/log/").await.len();
    assert!(objects < 60, "{objects} objects");

    storage.take_calls();
    let log = open(&store(&storage)).await;
    let opened = storage.take_calls();
    assert!(opened < 30, "{opened} calls to open");
    assert_eq!(log.next(), EventId(3_000));
    let last = ReadRange::default()
        .direction(Direction::Reverse)
        .limit(100);
    let last = log.reader().read(last).await.unwrap();
    assert_eq!(last.len(), 100);
    assert_eq!(last[0], event(2_999, "a"));
    assert_eq!(all(&*log.reader()).await, texts(0..3_000, "a"));
    let read = storage.take_calls();
    assert!(read < 200, "{read} calls to read");
}

#[tokio::test]
async fn readers_see_each_event_once_while_objects_are_merged() {
    let storage = Unreliable::new();
    let writer = store(&storage).merge_appends(3).merged_bytes(3_000);
    let log = open(&writer).await;
    let viewer = store(&storage).view(&session()).await.unwrap();
    let follower = tokio::spawn(async move {
        let mut seen: Vec<Encoded> = Vec::new();
        while seen.len() < 500 {
            let next = EventId(seen.len() as u64);
            viewer.wait_past(next).await.unwrap();
            let range = ReadRange::new(next, EventId(u64::MAX)).limit(7);
            seen.extend(viewer.read(range).await.unwrap());
        }
        seen
    });
    let mut stale = None;
    for round in 0..50 {
        append(&*log, 10, "a").await;
        if round == 5 {
            stale = Some(store(&storage).view(&session()).await.unwrap());
        }
    }
    log.close().await.unwrap();
    // What it knew is merged and deleted.
    assert_eq!(all(&*stale.unwrap()).await[..60], texts(0..60, "a"));
    let stream = log.reader();
    assert_eq!(all(&*stream).await, texts(0..500, "a"));
    assert_eq!(follower.await.unwrap(), texts(0..500, "a"));
}

#[tokio::test]
async fn a_merge_that_was_interrupted_is_finished_by_the_next_writer() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    append(&*log, 20, "a").await;
    storage.keep_all(true);
    log.close().await.unwrap();
    storage.keep_all(false);
    assert_eq!(storage.names("/log/").await.len(), 22);
    let viewer = store(&storage).view(&session()).await.unwrap();
    assert_eq!(all(&*viewer).await, texts(0..20, "a"));

    let log = open(&store(&storage)).await;
    append(&*log, 1, "a").await;
    log.close().await.unwrap();
    // The merged object, the new event, and before each of them the end of a turn.
    assert_eq!(storage.names("/log/").await.len(), 4);
    assert_eq!(all(&*viewer).await[..20], texts(0..20, "a"));
}

#[tokio::test]
async fn large_objects_are_read_in_parts() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    let text = "x".repeat(10_000);
    let batch = texts(0..400, &text);
    log.append(EventId(0), log.epoch(), &batch).await.unwrap();
    let viewer = store(&storage).view(&session()).await.unwrap();
    for from in [0, 1, 199, 399] {
        let range = ReadRange::new(EventId(from), EventId(from + 5));
        let to = (from as usize + 5).min(400);
        assert_eq!(viewer.read(range).await.unwrap(), batch[from as usize..to]);
    }
    let back = ReadRange::new(EventId(0), EventId(300)).direction(Direction::Reverse);
    let page = viewer.read(back).await.unwrap();
    assert!(page.len() > 50 && page.len() < 200, "{}", page.len());
    assert!(
        page.iter()
            .zip(batch[..300].iter().rev())
            .all(|(a, b)| a == b)
    );
    assert_eq!(all(&*viewer).await, batch);
}

#[tokio::test]
async fn a_fork_in_the_middle_of_an_object_holds_what_came_before() {
    let storage = Unreliable::new();
    let store = store(&storage);
    let log = open(&store).await;
    append(&*log, 40, "a").await;
    log.close().await.unwrap();
    let to = SessionId::new("two").unwrap();
    assert!(store.fork(&session(), EventId(25), &to).await.unwrap());
    store.remove(&session()).await.unwrap();
    let log = store.open(&to, Writer::new("test")).await.unwrap();
    assert_eq!(log.next(), EventId(25));
    append(&*log, 3, "a").await;
    assert_eq!(all(&*log.reader()).await, texts(0..28, "a"));
}

#[tokio::test]
async fn a_listing_that_missed_an_object_is_taken_again_before_damage_is_reported() {
    let storage = Unreliable::new();
    let log = open(&store(&storage)).await;
    append(&*log, 5, "a").await;
    // Listings have parts, and are not of one moment while others merge.
    storage.hide(Some("00002.00000000000000000001.log"));
    let viewer = store(&storage).view(&session()).await.unwrap();
    storage.hide(None);
    assert_eq!(all(&*viewer).await, texts(0..5, "a"));
}

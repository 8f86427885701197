//! Messages that are not there any more, and messages of others.

use oh_core::{ErrorKind, EventId};
use oh_events::{Damage, Direction, EventStore, ReadRange, Writer};

use crate::server::Server;
use crate::{event, read_all, session};

#[tokio::test]
async fn a_message_that_was_deleted_is_named_and_the_rest_is_read() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("damaged");
    let store = server.store().await;
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    for first in (0..60).step_by(3) {
        let batch: Vec<_> = (first..first + 3).map(|id| event(id, "text")).collect();
        log.append(EventId(first), log.epoch(), &batch)
            .await
            .unwrap();
    }
    // The stream begins with the mark of the writer: the eleventh batch is number 12.
    let stream = server.events_stream(&id).await;
    let stream = server.context().await.get_stream(stream).await.unwrap();
    stream.delete_message(12).await.unwrap();

    let reader = server.store().await.view(&id).await.unwrap();
    for from in [30, 31, 32] {
        let error = reader
            .read(ReadRange::new(EventId(from), EventId(60)))
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let damage = Damage::of(&error).unwrap();
        assert_eq!((damage.from, damage.to), (EventId(30), EventId(33)));
    }
    let ids = async |from, to, direction| {
        let range = ReadRange::new(EventId(from), EventId(to)).direction(direction);
        let page = reader.read(range).await.unwrap();
        page.iter().map(|event| event.id().0).collect::<Vec<_>>()
    };
    assert_eq!(
        ids(0, 60, Direction::Forward).await,
        (0..30).collect::<Vec<_>>()
    );
    assert_eq!(
        ids(33, 60, Direction::Forward).await,
        (33..60).collect::<Vec<_>>()
    );
    let reversed: Vec<_> = (33..60).rev().collect();
    assert_eq!(ids(0, 60, Direction::Reverse).await, reversed);
    let range = ReadRange::new(EventId(0), EventId(33)).direction(Direction::Reverse);
    let error = reader.read(range).await.unwrap_err();
    let damage = Damage::of(&error).unwrap();
    assert_eq!((damage.from, damage.to), (EventId(30), EventId(33)));
}

#[tokio::test]
async fn a_log_whose_last_message_was_deleted_goes_on_before_it() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("shorter");
    let store = server.store().await;
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    for next in 0..3 {
        let batch = [event(next, "old")];
        log.append(EventId(next), log.epoch(), &batch)
            .await
            .unwrap();
    }
    log.close().await.unwrap();
    let stream = server.events_stream(&id).await;
    let stream = server.context().await.get_stream(stream).await.unwrap();
    stream.delete_message(4).await.unwrap();

    let log = store.open(&id, Writer::new("w")).await.unwrap();
    assert_eq!(log.next(), EventId(2));
    log.append(EventId(2), log.epoch(), &[event(2, "new")])
        .await
        .unwrap();
    let wanted = [event(0, "old"), event(1, "old"), event(2, "new")];
    assert_eq!(read_all(&*log.reader()).await, wanted);
}

#[tokio::test]
async fn a_message_that_says_it_is_a_later_part_than_it_can_be_is_passed_over() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("forged");
    let store = server.store().await;
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    log.close().await.unwrap();
    let context = server.context().await;
    let stream = context.get_stream(server.events_stream(&id).await).await;
    let subject = stream.unwrap().cached_info().config.subjects[0].clone();
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in [
        ("Oh-First", "0"),
        ("Oh-Count", "3"),
        ("Oh-Epoch", "1"),
        ("Oh-Part", "900/900"),
        ("Nats-Msg-Id", "forged"),
    ] {
        headers.insert(name, value);
    }
    let sent = context.publish_with_headers(subject, headers, "x".into());
    sent.await.unwrap().await.unwrap();
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    for next in 3..7 {
        let batch = [event(next, "a")];
        log.append(EventId(next), log.epoch(), &batch)
            .await
            .unwrap();
    }
    let reader = server.store().await.view(&id).await.unwrap();
    let back = ReadRange::default().direction(Direction::Reverse);
    let page = reader.read(back).await.unwrap();
    let ids: Vec<_> = page.iter().map(|event| event.id().0).collect();
    assert_eq!(ids, [6, 5, 4, 3]);
    let error = reader.read(ReadRange::default()).await.unwrap_err();
    assert!(Damage::of(&error).is_some());
}

#[tokio::test]
async fn messages_of_others_are_passed_over() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("foreign");
    let store = server.store().await;
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    let batch = [event(0, "a"), event(1, "b")];
    log.append(EventId(0), log.epoch(), &batch).await.unwrap();
    log.close().await.unwrap();
    let context = server.context().await;
    let stream = context.get_stream(server.events_stream(&id).await).await;
    let subject = stream.unwrap().cached_info().config.subjects[0].clone();
    context
        .publish(subject, "hello".into())
        .await
        .unwrap()
        .await
        .unwrap();

    let reader = server.store().await.view(&id).await.unwrap();
    assert_eq!(read_all(&*reader).await, batch);
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    assert_eq!(log.next(), EventId(2));
    log.append(EventId(2), log.epoch(), &[event(2, "c")])
        .await
        .unwrap();
    assert_eq!(read_all(&*log.reader()).await.len(), 3);
}

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

//! Event streams and those who follow them.

use std::sync::Arc;

use oh_core::action::MessageAction;
use oh_core::{Action, Event, EventBody, EventId, Source};
use oh_events::{
    Cursor, Direction, EventStore, EventStream, EventViewer, Query, ReadRange, Subscription, Writer,
};

use crate::server::Server;
use crate::{event, read_all, session};

fn text_of(event: &Event) -> &str {
    match &event.body {
        EventBody::Action(Action::Message(message)) => &message.content,
        other => panic!("no message: {other:?}"),
    }
}

async fn take(mut subscription: Subscription, events: u64) -> Vec<Arc<Event>> {
    let mut taken = Vec::new();
    for id in 0..events {
        let event = subscription.next().await.unwrap().unwrap();
        assert_eq!(event.id, EventId(id));
        taken.push(event);
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_on_many_connections_see_every_event_once_and_in_order() {
    const APPENDERS: u64 = 64;
    const EACH: u64 = 20;
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("followed");
    let stream = EventStream::builder(server.store().await, id.clone());
    let stream = stream.open().await.unwrap();
    let mut followers = Vec::new();
    for _ in 0..5 {
        let viewer = EventViewer::open(&server.store().await, &id).await.unwrap();
        let subscription = viewer.subscribe(Cursor::Start);
        followers.push(tokio::spawn(take(subscription, APPENDERS * EACH)));
    }
    followers.push(tokio::spawn(take(
        stream.subscribe(Cursor::Start),
        APPENDERS * EACH,
    )));
    // One that is not read holds up no one.
    let slow = EventViewer::open(&server.store().await, &id).await.unwrap();
    let slow = slow.subscribe(Cursor::Start);

    let appenders: Vec<_> = (0..APPENDERS)
        .map(|appender| {
            let stream = stream.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let message = MessageAction::new(format!("{appender} {number}"));
                    stream.append(Source::Agent, message).await.unwrap();
                }
            })
        })
        .collect();
    for appender in appenders {
        appender.await.unwrap();
    }
    let mut seen = Vec::new();
    for follower in followers {
        seen.push(follower.await.unwrap());
    }
    seen.push(take(slow, APPENDERS * EACH).await);
    for other in &seen[1..] {
        assert_eq!(other, &seen[0]);
    }
    for appender in 0..APPENDERS {
        let prefix = format!("{appender} ");
        let own = seen[0]
            .iter()
            .filter_map(|event| text_of(event).strip_prefix(&prefix));
        let numbers: Vec<u64> = own.map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_closed() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("again");
    for opened in 0..4_u64 {
        let stream = EventStream::builder(server.store().await, id.clone());
        let stream = stream.open().await.unwrap();
        assert_eq!(stream.report().next, EventId(opened * 10));
        let from_start = stream.subscribe(Cursor::Start);
        for number in 0..10 {
            let message = MessageAction::new(format!("{opened} {number}"));
            stream.append(Source::User, message).await.unwrap();
        }
        take(from_start, (opened + 1) * 10).await;
        let latest = stream.read(Query::latest(3)).await.unwrap();
        let latest: Vec<_> = latest.iter().map(|event| text_of(event)).collect();
        let wanted = [9, 8, 7].map(|number| format!("{opened} {number}"));
        assert_eq!(latest, wanted);
        stream.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_larger_than_a_message_are_read_as_they_were_written() {
    const MAX_PAYLOAD: usize = 64 * 1024;
    let Some(server) = Server::with_max_payload(MAX_PAYLOAD).await else {
        return;
    };
    let id = session("large");
    let store = server.store().await;
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    let mut wanted = Vec::new();
    let near = [-2000, -1100, -1024, -1000, -40, -1, 0, 1, 1000];
    let sizes = near.map(|offset| MAX_PAYLOAD.saturating_add_signed(offset));
    for size in sizes.into_iter().chain([10, 200_000, 1_500_000, 10]) {
        let next = wanted.len() as u64;
        let batch = [event(next, &"x".repeat(size)), event(next + 1, "small")];
        log.append(EventId(next), log.epoch(), &batch)
            .await
            .unwrap();
        wanted.extend(batch);
    }
    let reader = server.store().await.view(&id).await.unwrap();
    assert_eq!(read_all(&*reader).await, wanted);
    let mut reversed = Vec::new();
    let mut to = EventId(wanted.len() as u64);
    while to > EventId(0) {
        let range = ReadRange::new(EventId(0), to).direction(Direction::Reverse);
        let page = reader.read(range).await.unwrap();
        to = page.last().unwrap().id();
        reversed.extend(page);
    }
    reversed.reverse();
    assert_eq!(reversed, wanted);
    // Each of them alone, by a reader that knows nothing of the others.
    for (id_of, event) in wanted.iter().enumerate() {
        let reader = server.store().await.view(&id).await.unwrap();
        let from = EventId(id_of as u64);
        let found = reader.read(ReadRange::new(from, from.next())).await;
        assert_eq!(found.unwrap(), std::slice::from_ref(event));
    }
}

#[tokio::test]
async fn what_is_printed_of_a_store_holds_no_credentials() {
    let Some(server) = Server::new().await else {
        return;
    };
    let url = format!("nats://user:sesame@127.0.0.1:{}", server.port());
    let client = async_nats::connect(url).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let store = oh_events::store::NatsStore::new(context);
    let log = store.open(&session("s"), Writer::new("w")).await.unwrap();
    let second = store
        .open(&session("s"), Writer::new("w"))
        .await
        .unwrap_err();
    let printed = format!("{store:#?} {log:#?} {:#?} {second:#?}", log.reader());
    assert!(!printed.contains("sesame"), "{printed}");
}

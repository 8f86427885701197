//! Lost answers, lost connections, servers that go away or are full.

use std::time::Duration;

use async_nats::jetstream;
use oh_core::action::MessageAction;
use oh_core::{ErrorKind, EventId, Source};
use oh_events::store::NatsStore;
use oh_events::{Cursor, Encoded, EventStore, EventStream, EventViewer, Writer};

use crate::proxy::Proxy;
use crate::server::{Server, connect};
use crate::{event, read_all, session};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_append_whose_acknowledgement_was_lost_is_there_once() {
    let Some(server) = Server::new().await else {
        return;
    };
    let proxy = Proxy::to(server.port()).await;
    let context = jetstream::new(connect(proxy.port()).await);
    let store = NatsStore::new(context).request_timeout(Duration::from_millis(200));
    let id = session("lost-answer");
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    let mut wanted: Vec<Encoded> = Vec::new();
    for round in 0..8 {
        for cut in [true, false] {
            if cut {
                proxy.lose_next_answer();
            }
            let next = wanted.len() as u64;
            let batch = [event(next, &format!("{round}")), event(next + 1, "second")];
            log.append(EventId(next), log.epoch(), &batch)
                .await
                .unwrap();
            assert!(proxy.has_lost_it());
            wanted.extend(batch);
        }
    }
    let reader = server.store().await.view(&id).await.unwrap();
    assert_eq!(read_all(&*reader).await, wanted);
    assert_eq!(log.next().0, wanted.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_append_that_was_given_up_is_there_once_or_not_at_all() {
    let Some(server) = Server::new().await else {
        return;
    };
    let store = server.store().await;
    let id = session("given-up");
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    let mut wanted = Vec::new();
    let mut kept = 0;
    for round in 0..200_u64 {
        let next = log.next();
        let text = format!("{round}");
        let batch = [event(next.0, &text)];
        let append = log.append(next, log.epoch(), &batch);
        // Polled a few times, it is under way; then its caller is gone.
        let polls = round % 4;
        let mut append = Box::pin(append);
        for _ in 0..polls {
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(append.as_mut().poll(context))
            });
            if polled.await.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(append);
        // The next append finds out what became of it.
        let probe = [event(next.0, "kept")];
        match log.append(next, log.epoch(), &probe).await {
            Ok(()) => {
                kept += 1;
                wanted.extend(probe);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                wanted.extend(batch);
            }
        }
        assert_eq!(log.next(), next.next());
    }
    assert!(kept > 0 && kept < 200, "{kept}");
    let reader = server.store().await.view(&id).await.unwrap();
    assert_eq!(read_all(&*reader).await, wanted);
    assert_eq!(read_all(&*log.reader()).await, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_of_the_server_loses_and_doubles_nothing() {
    const EVENTS: u64 = 400;
    let Some(mut server) = Server::new().await else {
        return;
    };
    let id = session("restart");
    let stream = EventStream::builder(server.store().await, id.clone());
    let stream = stream.open().await.unwrap();
    stream
        .append(Source::User, MessageAction::new("first"))
        .await
        .unwrap();
    let mut follower = EventViewer::open(&server.store().await, &id)
        .await
        .unwrap()
        .subscribe(Cursor::Start);
    assert_eq!(follower.next().await.unwrap().unwrap().id, EventId(0));

    let writer = stream.clone();
    let (half, at_half) = tokio::sync::oneshot::channel();
    let writing = tokio::spawn(async move {
        let mut half = Some(half);
        for number in 1..EVENTS {
            if number == EVENTS / 2 {
                half.take().unwrap().send(()).unwrap();
            }
            let message = MessageAction::new(format!("{number}"));
            let id = writer.append(Source::Agent, message).await.unwrap();
            assert_eq!(id, EventId(number));
        }
    });
    let following = tokio::spawn(async move {
        for number in 1..EVENTS {
            let event = loop {
                match follower.next().await.unwrap() {
                    Ok(event) => break event,
                    Err(error) => assert!(error.is_retryable(), "{error:?}"),
                }
            };
            assert_eq!(event.id, EventId(number));
        }
    });
    at_half.await.unwrap();
    server.kill();
    server.start().await;
    writing.await.unwrap();
    following.await.unwrap();
    stream.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_come_back_leaves_the_outcome_unknown() {
    let Some(mut server) = Server::new().await else {
        return;
    };
    let id = session("gone");
    let store = server.store().await.patience(Duration::from_millis(300));
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    server.kill();
    let batch = [event(0, "unclear")];
    for _ in 0..2 {
        let error = log.append(EventId(0), log.epoch(), &batch).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    }
    let error = server_error(&store).await;
    assert_eq!(error, ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_append_that_may_be_there_has_no_clear_failure_while_streams_are_away() {
    let Some(mut server) = Server::new().await else {
        return;
    };
    let proxy = Proxy::to(server.port()).await;
    let id = session("perhaps");
    let store = NatsStore::new(jetstream::new(connect(proxy.port()).await))
        .request_timeout(Duration::from_secs(1))
        .patience(Duration::from_secs(3));
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    proxy.lose_next_answer();
    let append = tokio::spawn(async move {
        let batch = [event(0, "there")];
        log.append(EventId(0), log.epoch(), &batch).await
    });
    while !proxy.has_lost_it() {
        tokio::task::yield_now().await;
    }
    // It is stored; but the server comes back without answering for its streams.
    server.kill();
    server.start_without_streams().await;
    let error = append.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error:?}");
    assert!(!error.is_retryable());
    server.kill();
    server.start().await;
    let reader = server.store().await.view(&id).await.unwrap();
    assert_eq!(read_all(&*reader).await, [event(0, "there")]);
}

async fn server_error(store: &NatsStore) -> ErrorKind {
    store.view(&session("gone")).await.unwrap_err().kind()
}

#[tokio::test]
async fn a_full_server_refuses_and_goes_on_when_there_is_room() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("full");
    let store = server.store().await;
    let log = store.open(&id, Writer::new("w")).await.unwrap();
    let context = server.context().await;
    let stream = server.events_stream(&id).await;
    let mut config = context
        .get_stream(&stream)
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    config.max_bytes = 4096;
    context.update_stream(&config).await.unwrap();

    let text = "x".repeat(1000);
    let mut next = 0;
    let error = loop {
        match log
            .append(EventId(next), log.epoch(), &[event(next, &text)])
            .await
        {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
    assert!(next > 0);
    assert_eq!(log.next(), EventId(next));

    config.max_bytes = -1;
    context.update_stream(&config).await.unwrap();
    let batch = [event(next, "room")];
    log.append(EventId(next), log.epoch(), &batch)
        .await
        .unwrap();
    assert_eq!(read_all(&*log.reader()).await.len() as u64, next + 1);
}

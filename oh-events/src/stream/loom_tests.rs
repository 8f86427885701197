//! Followers that wait, under every interleaving with the writer. A wake-up that is lost leaves a
//! model waiting for ever, which ends it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use loom::future::block_on;
use loom::thread;
use oh_core::action::MessageAction;
use oh_core::{Draft, Event, EventId, SessionId, Source, Timestamp};

use super::hub::{Hub, Taken};
use super::ring::Ring;
use crate::fold::SessionState;
use crate::{EventStore, MemoryStore, Writer};

fn hub() -> Arc<Hub> {
    let (store, session) = (MemoryStore::new(), SessionId::new("s").unwrap());
    let open = store.open(&session, Writer::new("w"));
    let log = futures::FutureExt::now_or_never(open).unwrap().unwrap();
    let ring = Ring::new(0, 8, 1_000);
    Arc::new(Hub::new(log.reader(), ring, SessionState::default()))
}

fn publish(hub: &Hub, id: u64) {
    let draft = Draft::new(Source::User, MessageAction::new("text"));
    let event: Event = draft.into_event(EventId(id), Timestamp::from_micros(0));
    hub.publish([(Arc::new(event), 1)]);
}

/// Follows to the end, and returns the ids.
fn follow(hub: &Hub) -> Vec<u64> {
    let (key, _) = hub.enter();
    let mut ids = Vec::new();
    let mut wanted = 0;
    loop {
        let taken = block_on(poll_fn(|context| match hub.take(key, wanted, context) {
            Taken::Wait => Poll::Pending,
            taken => Poll::Ready(taken),
        }));
        match taken {
            Taken::Events(events) => {
                wanted += events.len() as u64;
                ids.extend(events.iter().map(|event| event.id.0));
            }
            Taken::End => break,
            Taken::Wait | Taken::InStore { .. } => unreachable!("the ring holds all of them"),
        }
    }
    hub.leave(key);
    ids
}

#[test]
fn a_follower_that_waits_is_woken_for_every_event_and_for_the_end() {
    loom::model(|| {
        let hub = hub();
        let follower = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || follow(&hub))
        };
        publish(&hub, 0);
        publish(&hub, 1);
        hub.close();
        assert_eq!(follower.join().unwrap(), [0, 1]);
    });
}

#[test]
fn a_follower_that_leaves_takes_no_other_ones_wake_up_with_it() {
    loom::model(|| {
        let hub = hub();
        let follower = {
            let hub = Arc::clone(&hub);
            thread::spawn(move || follow(&hub))
        };
        let (key, _) = hub.enter();
        let waker = futures::task::noop_waker();
        let _ = hub.take(key, 0, &std::task::Context::from_waker(&waker));
        hub.leave(key);
        publish(&hub, 0);
        hub.close();
        assert_eq!(follower.join().unwrap(), [0]);
    });
}

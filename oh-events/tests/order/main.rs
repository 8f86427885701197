//! Followers see what they want, once and in order, under any interleaving of writers that wait,
//! fail and give up, of followers that are slow, leave and come back, and of reads beside them.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod follower;
mod moody_store;

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use oh_core::action::MessageAction;
use oh_core::{EventId, Result, SessionId, Source};
use oh_events::{Cursor, Direction, EventStream, Query};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use follower::{Follower, Wanted, text};
use moody_store::MoodyStore;

/// Of each of the two tests.
const CASES: u32 = 6_000;

#[derive(Clone, Debug)]
enum Step {
    /// Begins so many appends.
    Append(usize),
    /// Polls an append that has not come to its end.
    PollAppend(usize),
    /// Drops one.
    GiveUp(usize),
    /// Lets tasks run that work on.
    Tick,
    Wait {
        appends: usize,
        reads: usize,
    },
    Fail {
        appends: usize,
        reads: usize,
    },
    Subscribe(Cursor, Wanted),
    Poll(usize, usize),
    Reconnect(usize),
    Leave(usize),
    Read(u64, u64, Direction),
}

fn step() -> impl Strategy<Value = Step> {
    let cursor = prop_oneof![
        Just(Cursor::Start),
        Just(Cursor::Live),
        (0_u64..20).prop_map(|id| Cursor::From(EventId(id))),
    ];
    let wanted = prop_oneof![2 => Just(Wanted::All), 1 => Just(Wanted::OfUser), 1 => Just(Wanted::WithThree)];
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Reverse)];
    let who = any::<usize>;
    prop_oneof![
        6 => (1_usize..4).prop_map(Step::Append),
        4 => who().prop_map(Step::PollAppend),
        1 => who().prop_map(Step::GiveUp),
        3 => Just(Step::Tick),
        1 => (0_usize..3, 0_usize..3).prop_map(|(appends, reads)| Step::Wait { appends, reads }),
        1 => (0_usize..3, 0_usize..3).prop_map(|(appends, reads)| Step::Fail { appends, reads }),
        3 => (cursor, wanted).prop_map(|(cursor, wanted)| Step::Subscribe(cursor, wanted)),
        6 => (who(), 1_usize..9).prop_map(|(who, count)| Step::Poll(who, count)),
        2 => who().prop_map(Step::Reconnect),
        1 => who().prop_map(Step::Leave),
        1 => (0_u64..20, 0_u64..20, direction).prop_map(|(a, b, way)| Step::Read(a, b, way)),
    ]
}

type Appending = Pin<Box<dyn Future<Output = Result<EventId>>>>;

struct Case {
    stream: EventStream,
    store: MoodyStore,
    followers: Vec<Follower>,
    left: Vec<Follower>,
    appending: Vec<(String, Appending)>,
    count: usize,
    acknowledged: Vec<(u64, String)>,
    refused: HashSet<String>,
}

impl Case {
    async fn new(ring_events: usize, ring_bytes: usize) -> Self {
        let store = MoodyStore::default();
        let builder = EventStream::builder(store.clone(), SessionId::new("s").unwrap())
            .ring_events(ring_events)
            .ring_bytes(ring_bytes);
        Self {
            stream: builder.open().await.unwrap(),
            store,
            followers: Vec::new(),
            left: Vec::new(),
            appending: Vec::new(),
            count: 0,
            acknowledged: Vec::new(),
            refused: HashSet::new(),
        }
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Append(count) => (0..count).for_each(|_| self.append()),
            Step::PollAppend(which) if !self.appending.is_empty() => {
                self.poll_append(which % self.appending.len());
            }
            Step::GiveUp(which) if !self.appending.is_empty() => {
                drop(self.appending.swap_remove(which % self.appending.len()));
            }
            Step::Tick => tokio::task::yield_now().await,
            Step::Wait { appends, reads } => {
                let mood = &self.store.mood;
                mood.append_waits.store(appends, Ordering::Relaxed);
                mood.read_waits.store(reads, Ordering::Relaxed);
            }
            Step::Fail { appends, reads } => {
                let mood = &self.store.mood;
                mood.append_failures.store(appends, Ordering::Relaxed);
                mood.read_failures.store(reads, Ordering::Relaxed);
            }
            Step::Subscribe(cursor, wanted) => {
                self.followers
                    .push(Follower::new(&self.stream, cursor, wanted));
            }
            Step::Poll(who, count) if !self.followers.is_empty() => {
                let who = who % self.followers.len();
                self.followers[who].poll(count);
            }
            Step::Reconnect(who) if !self.followers.is_empty() => {
                let who = who % self.followers.len();
                self.followers[who].reconnect(&self.stream);
            }
            Step::Leave(who) if !self.followers.is_empty() => {
                let who = who % self.followers.len();
                self.left.push(self.followers.swap_remove(who));
            }
            Step::Read(from, to, direction) => self.read(from, to, direction).await,
            // There is no one to do it.
            _ => {}
        }
    }

    fn append(&mut self) {
        let (text, stream) = (format!("text {}", self.count), self.stream.clone());
        let source = [Source::User, Source::Agent][self.count % 2];
        let message = MessageAction::new(text.clone());
        self.count += 1;
        let append = Box::pin(async move { stream.append(source, message).await });
        self.appending.push((text, append));
        self.poll_append(self.appending.len() - 1);
    }

    fn poll_append(&mut self, which: usize) {
        let (_, append) = &mut self.appending[which];
        let polled = append
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(result) = polled {
            let (text, _) = self.appending.swap_remove(which);
            match result {
                Ok(id) => self.acknowledged.push((id.0, text)),
                Err(_) => drop(self.refused.insert(text)),
            }
        }
    }

    /// A part of the log, which is there as a whole unless the store fails.
    async fn read(&self, from: u64, to: u64, direction: Direction) {
        let next = self.stream.next().0;
        let query = Query::new(EventId(from), EventId(to)).direction(direction);
        if let Ok(events) = self.stream.read(query).await {
            let mut ids: Vec<u64> = events.iter().map(|event| event.id.0).collect();
            if direction == Direction::Reverse {
                ids.reverse();
            }
            let expected: Vec<u64> = (from..to.min(next).max(from)).collect();
            assert_eq!(ids, expected);
        }
    }

    async fn finish(mut self) {
        while !self.appending.is_empty() {
            self.poll_append(0);
            tokio::task::yield_now().await;
        }
        self.store.mood.read_failures.store(0, Ordering::Relaxed);
        // Whoever sleeps has nothing to wait for but what is yet to come.
        let next = self.stream.next().0;
        tokio::task::yield_now().await;
        for follower in &self.followers {
            assert!(follower.waits_rightly(next), "a follower was not woken");
        }
        self.stream.close().await.unwrap();
        // Afterwards: what a caller gave up can have gone on by itself.
        let log = self.stream.read(Query::default()).await.unwrap();
        for follower in &mut self.followers {
            while !follower.has_ended() {
                follower.poll(1_000);
                tokio::task::yield_now().await;
            }
            follower.check(&log);
        }
        for (id, text_of_it) in &self.acknowledged {
            assert_eq!(text(&log[*id as usize]), text_of_it);
        }
        let texts: HashSet<&str> = log.iter().map(|event| text(event)).collect();
        assert_eq!(texts.len(), log.len(), "each once");
        assert!(self.refused.iter().all(|text| !texts.contains(&**text)));
        assert!(
            log.iter()
                .zip(0..)
                .all(|(event, id)| event.id == EventId(id))
        );
    }
}

fn run(steps: Vec<Step>, ring_events: usize, ring_bytes: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut case = Case::new(ring_events, ring_bytes).await;
        for step in steps {
            case.run(step).await;
        }
        case.finish().await;
    });
}

fn config(seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1))]
    #[test]
    fn followers_with_a_small_ring_see_every_event_once_and_in_order(
        steps in prop::collection::vec(step(), 1..40),
        ring_events in 1_usize..5,
    ) {
        run(steps, ring_events, 1_000_000);
    }
}

proptest! {
    #![proptest_config(config(2))]
    #[test]
    fn followers_with_a_ring_of_few_bytes_see_every_event_once_and_in_order(
        steps in prop::collection::vec(step(), 1..40),
        ring_bytes in prop_oneof![Just(1_usize), 200_usize..3_000],
    ) {
        run(steps, 100, ring_bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_that_come_and_go_on_many_threads_see_every_event_once_and_in_order() {
    const APPENDERS: usize = 4;
    const EACH: usize = 150;
    for round in 0..6 {
        let store = MoodyStore::default();
        store.mood.append_waits.store(round % 2, Ordering::Relaxed);
        store.mood.read_waits.store(round % 3, Ordering::Relaxed);
        let builder = EventStream::builder(store, SessionId::new("s").unwrap());
        let stream = builder.ring_events(1 + round * 5).open().await.unwrap();
        let followers: Vec<_> = (0..6)
            .map(|number| {
                let stream = stream.clone();
                tokio::spawn(follow(stream, 1 + number * 7))
            })
            .collect();
        let appenders: Vec<_> = (0..APPENDERS)
            .map(|_| {
                let stream = stream.clone();
                tokio::spawn(async move {
                    for _ in 0..EACH {
                        let message = MessageAction::new("text");
                        stream.append(Source::User, message).await.unwrap();
                    }
                })
            })
            .collect();
        for appender in appenders {
            appender.await.unwrap();
        }
        stream.close().await.unwrap();
        for follower in followers {
            let ids: Vec<u64> = (0..(APPENDERS * EACH) as u64).collect();
            assert_eq!(follower.await.unwrap(), ids);
        }
    }
}

/// Follows to the end, and connects anew after every so many events.
async fn follow(stream: EventStream, turn: usize) -> Vec<u64> {
    let mut subscription = stream.subscribe(Cursor::Start);
    let mut ids = Vec::new();
    while let Some(event) = subscription.next().await {
        let event: Arc<_> = event.unwrap();
        ids.push(event.id.0);
        if ids.len() % turn == 0 {
            subscription = stream.subscribe(Cursor::From(subscription.position()));
            tokio::task::yield_now().await;
        }
    }
    ids
}

//! Lossy subscriptions: what is not delivered is inside of exactly one record.

use futures::FutureExt;
use oh_core::action::MessageAction;
use oh_core::{EventId, SessionId, Source};
use proptest::prelude::*;

use super::{Cursor, EventStream, Feed, LossySubscription, Resume};
use crate::{Filter, MemoryStore};

fn open(ring_events: usize, ring_bytes: usize) -> EventStream {
    EventStream::builder(MemoryStore::new(), SessionId::new("s").unwrap())
        .ring_events(ring_events)
        .ring_bytes(ring_bytes)
        .open()
        .now_or_never()
        .unwrap()
        .unwrap()
}

fn append(stream: &EventStream, source: Source, count: u64) {
    for _ in 0..count {
        let append = stream.append(source, MessageAction::new("text"));
        append.now_or_never().unwrap().unwrap();
    }
}

/// What is there now: ids of events, and ranges that were missed.
fn read(subscription: &mut LossySubscription) -> Vec<(u64, Option<u64>)> {
    let mut seen = Vec::new();
    while let Some(Some(feed)) = subscription.next().now_or_never() {
        seen.push(match feed {
            Feed::Event(event) => (event.id.0, None),
            Feed::Lagged { from, to } => (from.0, Some(to.0)),
        });
    }
    seen
}

#[test]
fn one_that_fell_behind_is_told_what_it_missed_and_goes_on_at_the_oldest_in_memory() {
    let stream = open(4, usize::MAX);
    let mut lossy = stream.subscribe_lossy(Cursor::Live);
    append(&stream, Source::User, 10);
    let expected = [(0, Some(6)), (6, None), (7, None), (8, None), (9, None)];
    assert_eq!(read(&mut lossy), expected);
    append(&stream, Source::User, 1);
    assert_eq!(read(&mut lossy), [(10, None)]);
}

#[test]
fn one_that_wants_the_newest_skips_what_is_still_in_memory() {
    let stream = open(4, usize::MAX);
    let mut lossy = stream.subscribe_lossy(Cursor::Live).resume(Resume::Newest);
    append(&stream, Source::User, 10);
    assert_eq!(read(&mut lossy), [(0, Some(9)), (9, None)]);
    append(&stream, Source::User, 3);
    assert_eq!(read(&mut lossy), [(10, None), (11, None), (12, None)]);
}

#[test]
fn the_past_of_a_log_that_was_opened_again_is_missed_not_read() {
    let store = MemoryStore::new();
    let builder = || EventStream::builder(store.clone(), SessionId::new("s").unwrap());
    let stream = builder().open().now_or_never().unwrap().unwrap();
    append(&stream, Source::User, 3);
    stream.close().now_or_never().unwrap().unwrap();
    let stream = builder().open().now_or_never().unwrap().unwrap();
    for resume in [Resume::Oldest, Resume::Newest] {
        let mut lossy = stream.subscribe_lossy(Cursor::Start).resume(resume);
        assert_eq!(read(&mut lossy), [(0, Some(3))]);
    }
}

#[test]
fn a_record_counts_unwanted_events_and_ends_with_the_subscription() {
    let stream = open(4, usize::MAX);
    let filter = Filter::new().source(Source::Agent);
    let lossy = |to| {
        let lossy = stream.subscribe_lossy(Cursor::Start).filter(filter.clone());
        lossy.to(EventId(to))
    };
    let (mut inside, mut before) = (lossy(8), lossy(3));
    append(&stream, Source::User, 5);
    append(&stream, Source::Agent, 2);
    append(&stream, Source::User, 1);
    append(&stream, Source::Agent, 1);
    assert_eq!(read(&mut inside), [(0, Some(5)), (5, None), (6, None)]);
    assert_eq!(inside.next().now_or_never(), Some(None));
    assert_eq!(read(&mut before), [(0, Some(3))]);
    assert_eq!(before.next().now_or_never(), Some(None));
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u64..12).prop_map(Step::Append),
        (1_usize..30).prop_map(Step::Read),
    ]
}

proptest! {
    #[test]
    fn every_event_is_delivered_or_inside_of_exactly_one_record(
        steps in prop::collection::vec(step(), 1..60),
        ring_events in 1_usize..20,
        ring_bytes in prop_oneof![Just(1_usize), Just(2_000), Just(1_000_000)],
        start in 0_u64..20,
        end in prop_oneof![Just(u64::MAX), 0_u64..200],
        newest in any::<bool>(),
    ) {
        let stream = open(ring_events, ring_bytes);
        // With room for every byte, the ring is as long as it may be.
        let least_kept = if ring_bytes == 1_000_000 { ring_events as u64 } else { 1 };
        let resume = if newest { Resume::Newest } else { Resume::Oldest };
        let lossy = stream.subscribe_lossy(Cursor::From(EventId(start)));
        let mut lossy = lossy.resume(resume).to(EventId(end));
        let (mut appended, mut expected) = (0, start);
        let mut take = |feed: Feed, appended: u64| {
            match feed {
                Feed::Event(event) => {
                    prop_assert_eq!(event.id, EventId(expected));
                    expected += 1;
                }
                Feed::Lagged { from, to } => {
                    prop_assert_eq!(from, EventId(expected));
                    prop_assert!(to > from);
                    // Nothing is given up that could be had.
                    let kept = if newest { 1 } else { least_kept };
                    prop_assert!(to.0 <= appended.saturating_sub(kept).max(from.0 + 1));
                    expected = to.0;
                }
            }
            prop_assert!(expected <= appended.min(end));
            Ok(())
        };
        for step in steps {
            match step {
                Step::Append(count) => {
                    append(&stream, Source::User, count);
                    appended += count;
                }
                Step::Read(count) => {
                    for _ in 0..count {
                        let Some(Some(feed)) = lossy.next().now_or_never() else {
                            break;
                        };
                        take(feed, appended)?;
                    }
                }
            }
        }
        stream.close().now_or_never().unwrap().unwrap();
        while let Some(feed) = lossy.next().now_or_never().unwrap() {
            take(feed, appended)?;
        }
        prop_assert!(expected >= appended.min(end));
    }
}

//! Subscriptions under any interleaving of appends, reads, newcomers and leavers.

use futures::FutureExt;
use oh_core::action::MessageAction;
use oh_core::{EventId, SessionId, Source};
use proptest::prelude::*;

use super::{Cursor, EventStream, Subscription};
use crate::MemoryStore;

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Subscribe(Cursor),
    Read(usize, usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let cursor = prop_oneof![
        Just(Cursor::Start),
        Just(Cursor::Live),
        (0_u64..60).prop_map(|id| Cursor::From(EventId(id))),
    ];
    prop_oneof![
        4 => (1_u64..12).prop_map(Step::Append),
        2 => cursor.prop_map(Step::Subscribe),
        4 => (any::<usize>(), 1_usize..30).prop_map(|(who, count)| Step::Read(who, count)),
        1 => any::<usize>().prop_map(Step::Leave),
    ]
}

/// A subscription and the id that must come next.
struct Follower {
    subscription: Subscription,
    expected: u64,
}

impl Follower {
    /// Reads what is there without waiting, at most so many events.
    fn read(&mut self, count: usize) -> Result<usize, TestCaseError> {
        for done in 0..count {
            let Some(Some(event)) = self.subscription.next().now_or_never() else {
                return Ok(done);
            };
            prop_assert_eq!(event.unwrap().id, EventId(self.expected));
            self.expected += 1;
        }
        Ok(count)
    }
}

proptest! {
    #[test]
    fn each_subscription_has_every_event_once_and_in_order(
        steps in prop::collection::vec(step(), 1..60),
        ring_events in 1_usize..20,
        ring_bytes in prop_oneof![Just(1_usize), Just(2_000), Just(1_000_000)],
    ) {
        let builder = EventStream::builder(MemoryStore::new(), SessionId::new("s").unwrap())
            .ring_events(ring_events)
            .ring_bytes(ring_bytes);
        let stream = builder.open().now_or_never().unwrap().unwrap();
        let mut appended = 0;
        let mut followers: Vec<Follower> = Vec::new();
        for step in steps {
            match step {
                Step::Append(count) => {
                    for _ in 0..count {
                        let append = stream.append(Source::User, MessageAction::new("text"));
                        let id = append.now_or_never().unwrap().unwrap();
                        prop_assert_eq!(id, EventId(appended));
                        appended += 1;
                    }
                }
                Step::Subscribe(cursor) => followers.push(Follower {
                    subscription: stream.subscribe(cursor),
                    expected: match cursor {
                        Cursor::Start => 0,
                        Cursor::From(id) => id.0,
                        Cursor::Live => appended,
                    },
                }),
                Step::Read(who, count) => {
                    let those = followers.len().max(1);
                    if let Some(follower) = followers.get_mut(who % those) {
                        let there = appended.saturating_sub(follower.expected) as usize;
                        prop_assert_eq!(follower.read(count)?, there.min(count));
                    }
                }
                Step::Leave(who) => {
                    if !followers.is_empty() {
                        followers.swap_remove(who % followers.len());
                    }
                }
            }
        }
        stream.close().now_or_never().unwrap().unwrap();
        for mut follower in followers {
            let there = appended.saturating_sub(follower.expected) as usize;
            prop_assert_eq!(follower.read(usize::MAX)?, there);
            prop_assert!(matches!(follower.subscription.next().now_or_never(), Some(None)));
        }
    }
}

//! One log, the processes that are killed while they write it, and what must hold of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use oh_core::{Action, ByteRange, EventBody, EventId, Result};
use oh_events::{EventStore, EventStream, Query, SegmentStore};
use tempfile::TempDir;

use crate::child::{self, Child};
use crate::plan::{Chance, Plan, Policy, Work};

/// What was met, to see that a run was worth something.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) kills: usize,
    pub(crate) acknowledged: usize,
    pub(crate) opened: usize,
    pub(crate) torn: usize,
    pub(crate) beyond_acknowledged: usize,
    pub(crate) blobs: usize,
    pub(crate) snapshots: usize,
    pub(crate) segments: usize,
}

impl Seen {
    pub(crate) fn and(self, other: &Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            acknowledged: self.acknowledged + other.acknowledged,
            opened: self.opened + other.opened,
            torn: self.torn + other.torn,
            beyond_acknowledged: self.beyond_acknowledged + other.beyond_acknowledged,
            blobs: self.blobs + other.blobs,
            snapshots: self.snapshots + other.snapshots,
            segments: self.segments + other.segments,
        }
    }
}

/// Which process made an event, as which appender, and its number there.
type Name = (u64, u64, u64);

pub(crate) struct Session {
    root: TempDir,
    segment_bytes: u64,
    acknowledged: HashMap<u64, Name>,
    /// What the log held when it was opened last.
    held: Vec<Name>,
}

impl Session {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            // From a new segment with nearly every event to hardly ever one.
            segment_bytes: [1, 3_000, 40_000, 1_000_000][chance.below(4) as usize],
            acknowledged: HashMap::new(),
            held: Vec::new(),
        }
    }

    pub(crate) fn plan(&self, chance: &mut Chance) -> Plan {
        Plan {
            root: self.root.path().to_owned(),
            policy: Policy::ALL[chance.below(4) as usize],
            segment_bytes: self.segment_bytes,
            work: match chance.below(8) {
                0 => Work::Large,
                1..4 => Work::Log,
                _ => Work::Stream,
            },
            nonce: chance.number(),
        }
    }

    fn store(&self) -> SegmentStore {
        SegmentStore::new(self.root.path()).segment_bytes(self.segment_bytes)
    }

    pub(crate) async fn open(&self) -> Result<EventStream> {
        EventStream::builder(self.store(), child::session())
            .open()
            .await
    }

    /// Starts a writer and kills it: after some event and a moment more, or after some time since
    /// its start, in which it may not even have opened the log. The time is no wait for something
    /// that should have happened by then: it is what is chosen at random.
    pub(crate) fn kill_one_writer(&mut self, chance: &mut Chance) {
        let plan = self.plan(chance);
        let mut child = Child::start(&plan);
        if chance.one_in(3) {
            std::thread::sleep(Duration::from_micros(chance.below(25_000)));
        } else {
            let most = match plan.work {
                Work::Large => 3,
                _ => 40,
            };
            child.acknowledged(1 + chance.below(most) as usize);
            let moment = Instant::now() + Duration::from_micros(chance.below(800));
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
        }
        for ack in child.kill() {
            let name = (plan.nonce, ack.appender, ack.number);
            let other = self.acknowledged.insert(ack.id, name);
            assert!(other.is_none(), "event {} was acknowledged twice", ack.id);
        }
    }

    /// Opens the log and looks at everything in it.
    pub(crate) fn check(&mut self, seen: &mut Seen) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(self.check_log(seen));
        seen.acknowledged += self.acknowledged.len();
        self.acknowledged.clear();
    }

    async fn check_log(&mut self, seen: &mut Seen) {
        self.check_snapshot(seen).await;
        let stream = self.open().await.unwrap();
        seen.opened += 1;
        seen.torn += usize::from(stream.report().cut_bytes > 0);
        let events = stream.read(Query::default()).await.unwrap();
        assert_eq!(stream.next(), EventId(events.len() as u64));
        let mut names = Vec::new();
        for (event, id) in events.iter().zip(0..) {
            assert_eq!(event.id, EventId(id), "ids are dense");
            let EventBody::Action(Action::Message(message)) = &event.body else {
                panic!("event {id} is no message");
            };
            let content = self.check_blob(&stream, &message.content, seen).await;
            let name = name(content);
            assert!(
                content == child::text(name.0, name.1, name.2),
                "event {id} is whole"
            );
            names.push(name);
        }
        assert!(names.starts_with(&self.held), "what was there once stays");
        check_order(&names);
        for (id, name) in &self.acknowledged {
            assert_eq!(
                names.get(*id as usize),
                Some(name),
                "event {id} was acknowledged"
            );
        }
        let fresh = names.len() - self.held.len();
        seen.beyond_acknowledged += fresh - self.acknowledged.len();
        seen.segments += std::fs::read_dir(self.store().directory(&child::session()))
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|e| e == "log")
            })
            .count();
        self.held = names;
        stream.close().await.unwrap();
    }

    /// Whoever reads a snapshot reads all of one.
    async fn check_snapshot(&self, seen: &mut Seen) {
        // The first process can have died before there was a log.
        let Ok(reader) = self.store().view(&child::session()).await else {
            return;
        };
        if let Some(snapshot) = reader.snapshot().await.unwrap()
            && snapshot.data.starts_with(b"folded/")
        {
            let next = snapshot.next;
            assert!(
                snapshot.data == child::folded(next.0),
                "the snapshot before {next} is whole"
            );
            assert!(
                next <= reader.next(),
                "a snapshot before {next} of {}",
                reader.next()
            );
            seen.snapshots += 1;
        }
    }

    /// Looks at the blob that an event names, and returns the rest of the event.
    async fn check_blob<'a>(
        &self,
        stream: &EventStream,
        content: &'a str,
        seen: &mut Seen,
    ) -> &'a str {
        let Some(named) = content.strip_prefix('[') else {
            return content;
        };
        let (named, rest) = named.split_once(']').unwrap();
        let (id, number) = named.split_once(' ').unwrap();
        let data = stream
            .blobs()
            .unwrap()
            .read(id, ByteRange::from(0..))
            .await
            .unwrap();
        let wanted = child::blob_text(number.parse().unwrap());
        assert!(
            data == wanted,
            "an event is there before all of its blob {id}"
        );
        seen.blobs += 1;
        rest
    }
}

fn name(content: &str) -> Name {
    let mut parts = content.split('/').map(str::parse);
    let mut number = || parts.next().unwrap().unwrap();
    (number(), number(), number())
}

/// Each appender has all of its events up to some number, in order.
fn check_order(names: &[Name]) {
    let mut expected: HashMap<(u64, u64), u64> = HashMap::new();
    for (nonce, appender, number) in names {
        let next = expected.entry((*nonce, *appender)).or_default();
        assert_eq!(number, next, "appender {appender} of {nonce}");
        *next += 1;
    }
}

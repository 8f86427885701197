use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::action::{MessageAction, RunAction};
use oh_core::observation::RunObservation;
use oh_core::secret::{MASK, Masker, Secret};
use oh_core::{
    AgentTrigger, BlobRef, ByteRange, ErrorKind, Event, EventBody, EventId, Observation, Result,
    SessionId, Source,
};

use super::{Cursor, EventStream, ForkBuilder, Lineage, Query};
use crate::{
    Audit, Damage, Dropped, Durability, EventLog, EventReader, EventStore, MemoryStore, Retention,
    SegmentStore, Writer,
};

fn id(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

async fn open(store: impl EventStore + 'static, name: &str) -> EventStream {
    EventStream::builder(store, id(name)).open().await.unwrap()
}

async fn say(stream: &EventStream, text: &str) -> EventId {
    stream
        .append(Source::User, MessageAction::new(text))
        .await
        .unwrap()
}

async fn all(stream: &EventStream) -> Vec<Arc<Event>> {
    stream.read(Query::default()).await.unwrap()
}

fn lineage(events: &[Arc<Event>]) -> Lineage {
    events
        .iter()
        .rev()
        .find_map(|event| Lineage::of(event))
        .unwrap()
}

/// A stream with ten events.
async fn parent(store: impl EventStore + 'static) -> EventStream {
    let stream = open(store, "parent").await;
    for n in 0..10 {
        say(&stream, &n.to_string()).await;
    }
    stream
}

#[tokio::test]
async fn a_fork_has_the_past_says_where_it_comes_from_and_goes_its_own_way() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn EventStore>; 2] = [
        Arc::new(MemoryStore::new()),
        Arc::new(SegmentStore::new(folder.path()).segment_bytes(500)),
    ];
    for store in stores {
        let parent = parent(Arc::clone(&store)).await;
        for at in [0, 1, 7, 10] {
            let name = format!("fork-{at}");
            let fork = parent.fork(EventId(at), id(&name)).open().await.unwrap();
            let past = all(&fork).await;
            assert_eq!(past[..at as usize], all(&parent).await[..at as usize]);
            assert_eq!(past.len() as u64, at + 1);
            assert_eq!(lineage(&past), Lineage::new(id("parent"), EventId(at)));
            let mut follower = parent.subscribe(Cursor::Live);
            let mine = say(&fork, "mine").await;
            let yours = say(&parent, "yours").await;
            assert_eq!(mine, EventId(at + 1));
            assert_eq!(follower.next().await.unwrap().unwrap().id, yours);
            assert_eq!(all(&fork).await.len() as u64, at + 2);
        }
        // A fork can be forked.
        let first = ForkBuilder::new(Arc::clone(&store), id("fork-7"), EventId(9), id("second"));
        let second = first.open().await.unwrap();
        assert_eq!(
            lineage(&all(&second).await),
            Lineage::new(id("fork-7"), EventId(9))
        );
        assert_eq!(second.next(), EventId(10));
    }
}

#[tokio::test]
async fn a_fork_into_another_store_has_the_same_events_and_its_large_contents() {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryStore::new();
    let parent = open(memory.clone(), "parent").await;
    say(&parent, "first").await;
    let mut blob = parent.blobs().unwrap().create().await.unwrap();
    blob.write(Bytes::from_static(b"all of it")).await.unwrap();
    let blob = blob.finish().await.unwrap();
    for _ in 0..2 {
        let action = parent
            .append(Source::Agent, RunAction::new("make"))
            .await
            .unwrap();
        let mut run = RunObservation::new("of it", "make");
        run.details.stdout_blob = Some(blob.clone());
        parent.reply(action, run).await.unwrap();
    }
    let files = SegmentStore::new(folder.path());
    let end = parent.next();
    let fork = parent
        .fork(end, id("fork"))
        .store(files.clone())
        .open()
        .await
        .unwrap();
    let (past, copied) = (all(&parent).await, all(&fork).await);
    assert_eq!(past[..2], copied[..2]);
    let named = |event: &Event| -> BlobRef {
        match &event.body {
            EventBody::Observation(Observation::Run(run)) => {
                run.details.stdout_blob.clone().unwrap()
            }
            other => panic!("no run: {other:?}"),
        }
    };
    assert_eq!(named(&copied[2]), named(&copied[4]), "copied once");
    let (here, there) = (named(&past[2]), named(&copied[2]));
    assert_eq!(
        (here.len, here.sha256, here.complete),
        (there.len, there.sha256, there.complete)
    );
    let read = fork
        .blobs()
        .unwrap()
        .read(&there.id, ByteRange::from(0..))
        .await
        .unwrap();
    assert_eq!(read, "all of it");
    // Nothing but the fork came into the store.
    assert_eq!(files.sessions(None, 9).await.unwrap(), [id("fork")]);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    let error = parent
        .fork(end, id("fork"))
        .store(files)
        .open()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_fork_masks_what_its_parent_masks_and_more() {
    let masker = |name: &str, secret: &str| Masker::new([(name, Secret::new(secret))]).unwrap();
    let parent = EventStream::builder(MemoryStore::new(), id("parent"))
        .masker(masker("old", "hunter22"))
        .open()
        .await
        .unwrap();
    say(&parent, "hunter22 and swordfish").await;
    parent
        .add_secret("added", Secret::new("tr0ub4dor"))
        .unwrap();
    let fork = parent
        .fork(EventId(1), id("fork"))
        .masker(masker("new", "swordfish"))
        .configure(|builder| builder.name("fork").masker(Masker::default()))
        .open()
        .await
        .unwrap();
    say(&fork, "hunter22 tr0ub4dor swordfish").await;
    let events = all(&fork).await;
    let text = |at: usize| match &events[at].body {
        EventBody::Action(oh_core::Action::Message(message)) => message.content.clone(),
        other => panic!("no message: {other:?}"),
    };
    assert_eq!(
        text(0),
        format!("{MASK} and swordfish"),
        "the past stays as it was"
    );
    assert_eq!(text(2), format!("{MASK} {MASK} {MASK}"));
}

#[tokio::test]
async fn a_fork_is_as_durable_as_its_parent_or_more() {
    let second = Duration::from_secs(1);
    let policies = [
        Durability::Never,
        Durability::Interval(2 * second),
        Durability::Interval(second),
        Durability::Group,
    ];
    for (least, parents) in policies.into_iter().enumerate() {
        let store = MemoryStore::new();
        let builder = EventStream::builder(store.clone(), id("parent"));
        let parent = builder.durability(parents).open().await.unwrap();
        let kept = parent.fork(EventId(0), id("kept")).open().await.unwrap();
        assert_eq!(kept.origin().durability, parents);
        for (n, policy) in policies.into_iter().enumerate() {
            let name = format!("fork-{n}");
            let fork = parent.fork(EventId(0), id(&name)).durability(policy);
            match fork.open().await {
                Ok(fork) => {
                    assert!(n >= least, "{policy:?} after {parents:?}");
                    assert_eq!(fork.origin().durability, policy);
                }
                Err(error) => {
                    assert!(n < least, "{policy:?} after {parents:?}");
                    assert_eq!(error.kind(), ErrorKind::InvalidInput);
                    assert!(store.view(&id(&name)).await.is_err());
                }
            }
        }
    }
}

#[tokio::test]
async fn a_fork_that_cannot_be_made_leaves_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let files = SegmentStore::new(folder.path().join("parents")).segment_bytes(500);
    let parent = parent(files.clone()).await;
    let others: [Arc<dyn EventStore>; 2] = [
        Arc::new(MemoryStore::new()),
        Arc::new(SegmentStore::new(folder.path().join("forks"))),
    ];
    let kind = |made: Result<EventStream>| made.unwrap_err().kind();
    let beyond = parent.fork(EventId(11), id("fork")).open().await;
    assert_eq!(kind(beyond), ErrorKind::InvalidInput);
    let same = parent.fork(EventId(5), id("parent")).open().await;
    assert_eq!(kind(same), ErrorKind::AlreadyExists);
    let first = files
        .directory(&id("parent"))
        .join(format!("{:020}.log", 0));
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    for target in [None, Some(&others[0]), Some(&others[1])] {
        let mut fork = parent.fork(EventId(10), id("fork"));
        if let Some(target) = target {
            fork = fork.store(Arc::clone(target));
        }
        let error = fork.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(Damage::of(&error).unwrap().from, EventId(0));
    }
    assert_eq!(files.sessions(None, 9).await.unwrap(), [id("parent")]);
    for other in others {
        assert_eq!(other.sessions(None, 9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_fork_knows_the_state_that_dropped_events_led_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path())
        .segment_bytes(500)
        .retention(Retention::new().max_events(5));
    let parent = parent(store).await;
    parent.set_state(AgentTrigger::Loaded).await.unwrap();
    let state = parent.state();
    for n in 0..20 {
        say(&parent, &n.to_string()).await;
    }
    parent.close().await.unwrap();
    let at = parent.next();
    let fork = parent.fork(at, id("fork")).open().await.unwrap();
    let first = all(&fork).await[0].id;
    assert!(first > EventId(10), "the event of the state is not there");
    assert_eq!(fork.state(), state);
    fork.close().await.unwrap();
    let error = parent
        .fork(EventId(3), id("early"))
        .open()
        .await
        .unwrap_err();
    assert_eq!(Dropped::of(&error), Some(&Dropped::new(EventId(3), first)));
    // Elsewhere it would have to begin at 0.
    let copy = parent.fork(at, id("copy")).store(MemoryStore::new());
    assert!(Dropped::of(&copy.open().await.unwrap_err()).is_some());
}

#[tokio::test]
async fn a_fork_of_an_audited_log_goes_on_with_its_chain() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path()).segment_bytes(500);
    let keyed = Audit::keyed(Secret::new("a key of more than 16 bytes")).unwrap();
    for (name, audit) in [("plain", Audit::new()), ("keyed", keyed)] {
        let builder = EventStream::builder(store.clone(), id(name)).audit(audit.clone());
        let parent = builder.open().await.unwrap();
        for n in 0..10 {
            say(&parent, &n.to_string()).await;
        }
        let mut forks = Vec::new();
        for at in [0, 6] {
            let to = id(&format!("{name}-{at}"));
            forks.push(parent.fork(EventId(at), to).open().await.unwrap());
        }
        let to = id(&format!("{name}-copy"));
        let copy = parent.fork(EventId(6), to).store(MemoryStore::new());
        forks.push(copy.open().await.unwrap());
        for fork in forks {
            say(&fork, "mine").await;
            let head = fork.audit_head().unwrap();
            assert_eq!(head.at.next(), fork.next());
            let report = fork.verify(&audit, Some(&head)).await.unwrap();
            assert_eq!((report.from, report.broken), (Some(EventId(0)), None));
        }
        // What an event says cannot be changed, so that it cannot name a copy.
        let mut run = RunObservation::new("of it", "make");
        run.details.stdout_blob = Some(BlobRef::new("1-0", 0, ""));
        let action = parent
            .append(Source::Agent, RunAction::new("make"))
            .await
            .unwrap();
        parent.reply(action, run).await.unwrap();
        let (end, other) = (parent.next(), MemoryStore::new());
        let copy = parent.fork(end, id("copy")).store(other.clone());
        assert_eq!(
            copy.open().await.unwrap_err().kind(),
            ErrorKind::Unsupported
        );
        assert_eq!(EventStore::sessions(&other, None, 9).await.unwrap(), []);
    }
}

/// A session that another program begins between the look whether there is one and the opening.
#[derive(Clone, Debug)]
struct RacedStore(MemoryStore);

#[async_trait]
impl EventStore for RacedStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        say(&open(self.0.clone(), session.as_str()).await, "theirs").await;
        self.0.open(session, writer).await
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        self.0.view(session).await
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        EventStore::sessions(&self.0, after, limit).await
    }

    async fn remove(&self, session: &SessionId) -> Result<()> {
        self.0.remove(session).await
    }
}

#[tokio::test]
async fn a_fork_leaves_alone_a_session_that_someone_begins_at_the_same_time() {
    let parent = parent(MemoryStore::new()).await;
    for at in [0, 5] {
        let theirs = MemoryStore::new();
        let fork = parent.fork(EventId(at), id("fork"));
        let error = fork.store(RacedStore(theirs.clone())).open().await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(all(&open(theirs, "fork").await).await.len(), 1);
    }
}

//! Writers that know nothing of each other, in any order: one history.

use std::collections::BTreeMap;
use std::time::Duration;

use oh_core::{ErrorKind, EventId};
use proptest::prelude::*;
use proptest::sample::select;

use super::unreliable::Fault;
use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    Append { batch: u64 },
    AppendWithFault(Fault),
    Close,
    Drop,
    Read,
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let fault = select(vec![Fault::AnswerLost, Fault::CallLost, Fault::Refused]);
    let step = prop_oneof![
        2 => Just(Step::Open),
        8 => (1..4_u64).prop_map(|batch| Step::Append { batch }),
        2 => fault.prop_map(Step::AppendWithFault),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
        1 => Just(Step::Read),
    ];
    (0..3_usize, step)
}

/// What is known of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// A writer was told that it is there.
    Certain(String),
    /// A writer was told that this cannot be known.
    Perhaps(Vec<String>),
}

async fn play(steps: Vec<(usize, Step)>) {
    let storage = Unreliable::new();
    let stores: Vec<_> = (0..3)
        .map(|_| {
            store(&storage)
                .patience(Duration::ZERO)
                .merge_appends(2)
                .merged_bytes(1_000)
        })
        .collect();
    let mut logs: Vec<Option<Box<dyn EventLog>>> = (0..3).map(|_| None).collect();
    let mut known: BTreeMap<u64, Known> = BTreeMap::new();
    for (number, (writer, step)) in steps.into_iter().enumerate() {
        let (batch, fault) = match step {
            Step::Open => {
                logs[writer] = Some(take_over(&stores[writer]).await);
                continue;
            }
            Step::Drop => {
                logs[writer] = None;
                continue;
            }
            Step::Close => {
                if let Some(log) = &logs[writer] {
                    log.close().await.unwrap();
                }
                continue;
            }
            Step::Read => {
                check(&stores[writer], &known).await;
                continue;
            }
            Step::Append { batch } => (batch, None),
            Step::AppendWithFault(fault) => (1, Some(fault)),
        };
        let Some(log) = &logs[writer] else { continue };
        if let Some(fault) = fault {
            storage.meet("/log/", fault, 1);
        }
        let text = format!("{writer}-{number}");
        let first = log.next().0;
        let events = texts(first..first + batch, &text);
        let appended = log.append(EventId(first), log.epoch(), &events).await;
        storage.clear();
        match appended.map_err(|error| error.kind()) {
            Ok(()) => {
                for id in first..first + batch {
                    let former = known.insert(id, Known::Certain(text.clone()));
                    assert!(!matches!(former, Some(Known::Certain(_))), "{id} twice");
                }
            }
            Err(ErrorKind::OutcomeUnknown) => {
                for id in first..first + batch {
                    let perhaps = Known::Perhaps(Vec::new());
                    if let Known::Perhaps(texts) = known.entry(id).or_insert(perhaps) {
                        texts.push(text.clone());
                    }
                }
            }
            Err(ErrorKind::Conflict | ErrorKind::Gone | ErrorKind::PermissionDenied) => {}
            Err(kind) => panic!("{kind:?}"),
        }
    }
    logs.clear();
    check(&store(&storage), &known).await;
}

/// The history is what writers were told, without a gap.
async fn check(store: &ObjectEventStore, known: &BTreeMap<u64, Known>) {
    let Ok(viewer) = store.view(&session()).await else {
        assert!(known.is_empty());
        return;
    };
    let found = all(&*viewer).await;
    assert_eq!(viewer.next().0, found.len() as u64);
    for (id, event) in found.iter().enumerate() {
        let id = id as u64;
        assert_eq!(event.id().0, id);
        let is_known = |text: &String| *event == super::event(id, text);
        match known.get(&id) {
            Some(Known::Certain(text)) => assert!(is_known(text), "{event:?} {text}"),
            Some(Known::Perhaps(texts)) => assert!(texts.iter().any(is_known), "{event:?}"),
            None => panic!("{event:?} was never acknowledged"),
        }
    }
    let last = known
        .iter()
        .rev()
        .find(|(_, known)| matches!(known, Known::Certain(_)));
    if let Some((last, _)) = last {
        assert!(*last < found.len() as u64, "event {last} was lost");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn writers_in_any_order_write_one_history(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(steps));
    }
}

async fn write_as_one_of_many(
    store: ObjectEventStore,
    writer: usize,
    events: usize,
) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    let mut takes = 0;
    while told.len() < events {
        takes += 1;
        assert!(takes < 40 * events + 100, "no progress");
        let taken = store.take_over(&session(), Writer::new("test")).await;
        let log = match taken {
            Ok(log) => log,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                continue;
            }
        };
        while told.len() < events {
            let id = log.next().0;
            let text = format!("{writer}");
            let batch = [event(id, &text)];
            match log.append(EventId(id), log.epoch(), &batch).await {
                Ok(()) => told.push((id, text)),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Conflict);
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
    }
    told
}

/// Writers take the log from one another while a follower reads along.
async fn race(storage: Arc<Unreliable>, writers: usize, events: usize) {
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store(&storage).merge_appends(3).merged_bytes(2_000);
            tokio::spawn(write_as_one_of_many(store, writer, events))
        })
        .collect();
    let follower = store(&storage).look_every(Duration::from_millis(30));
    let follower = tokio::spawn(async move {
        let viewer = loop {
            if let Ok(viewer) = follower.view(&session()).await {
                break viewer;
            }
            tokio::task::yield_now().await;
        };
        let mut seen: Vec<Encoded> = Vec::new();
        while seen.len() < writers * events {
            let next = EventId(seen.len() as u64);
            viewer.wait_past(next).await.unwrap();
            let range = ReadRange::new(next, EventId(u64::MAX));
            seen.extend(viewer.read(range).await.unwrap());
        }
        seen
    });
    let mut told = BTreeMap::new();
    for task in tasks {
        for (id, text) in task.await.unwrap() {
            assert_eq!(told.insert(id, text), None, "{id} twice");
        }
    }
    let expected: Vec<_> = told.iter().map(|(id, text)| event(*id, text)).collect();
    assert_eq!(follower.await.unwrap(), expected);
    let viewer = store(&storage).view(&session()).await.unwrap();
    assert_eq!(all(&*viewer).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_the_same_time_write_one_history() {
    race(Unreliable::new(), 4, 100).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn writers_whose_calls_take_their_time_write_one_history(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let storage = Unreliable::new();
        storage.dawdle(seed);
        runtime.block_on(race(storage, 4, 12));
    }
}

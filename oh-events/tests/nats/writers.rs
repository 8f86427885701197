//! More than one writer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oh_core::{ErrorKind, EventId};
use oh_events::{EventStore, Holder, Writer};
use tokio::sync::Mutex;

use crate::conforms::end_lease;
use crate::server::Server;
use crate::{event, read_all, session};

/// How often the log changes hands at least.
const TENURES: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_take_the_log_from_each_other_leave_one_history() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("contested");
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    let tenures = Arc::new(AtomicU64::new(0));
    let replaced = Arc::new(AtomicU64::new(0));
    let mut writers = Vec::new();
    for name in ["one", "two", "three"] {
        let (store, context) = (server.store().await, server.context().await);
        let (acknowledged, tenures) = (Arc::clone(&acknowledged), Arc::clone(&tenures));
        let (id, replaced) = (id.clone(), Arc::clone(&replaced));
        writers.push(tokio::spawn(async move {
            while tenures.load(Ordering::Relaxed) < TENURES {
                let log = match store.open(&id, Writer::new(name)).await {
                    Ok(log) => log,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                        // As if the holder had not been heard of for long; it goes on writing.
                        end_lease(&context, "oh", &id).await.unwrap();
                        continue;
                    }
                };
                let tenure = tenures.fetch_add(1, Ordering::Relaxed);
                for number in 0.. {
                    if tenures.load(Ordering::Relaxed) >= TENURES {
                        break;
                    }
                    let next = log.next();
                    let batch: Vec<_> = (0..1 + number % 3)
                        .map(|at| event(next.0 + at, &format!("{name} {tenure} {number} {at}")))
                        .collect();
                    match log.append(next, log.epoch(), &batch).await {
                        Ok(()) => {
                            let mut all = acknowledged.lock().await;
                            for event in batch {
                                let former = all.insert(event.id(), event);
                                assert_eq!(former, None, "two writers got the same id");
                            }
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                            replaced.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                    }
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(replaced.load(Ordering::Relaxed) > TENURES / 2);
    let reader = server.store().await.view(&id).await.unwrap();
    let history = read_all(&*reader).await;
    let acknowledged: Vec<_> = acknowledged.lock().await.values().cloned().collect();
    assert_eq!(history, acknowledged);
}

#[tokio::test]
async fn a_writer_that_was_replaced_is_told_by_whom() {
    let Some(server) = Server::new().await else {
        return;
    };
    let id = session("replaced");
    let former = server.store().await;
    let former = former.open(&id, Writer::new("former")).await.unwrap();
    end_lease(&server.context().await, "oh", &id).await.unwrap();
    let next = server.store().await;
    let next = next.open(&id, Writer::new("next")).await.unwrap();

    let batch = [event(0, "late")];
    let error = former.append(EventId(0), former.epoch(), &batch).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let holder = Holder::of(&error).unwrap();
    assert_eq!((holder.name.as_str(), holder.epoch), ("next", next.epoch()));
    assert!(read_all(&*next.reader()).await.is_empty());
}

//! Waiting for what will be appended.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use oh_core::EventId;

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, End, ensure, expect_eq};
use crate::conformance::paging;
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, same_events, session, wait_past};
use crate::store::{EventLog, EventReader, ReadRange};

const FAMILY: Family = Family::Follow;

pub(super) const CHECKS: &[Check] = &[
    check!(what_is_there_is_not_waited_for),
    check!(an_append_wakes_a_reader_of_the_log),
    check!(an_append_wakes_a_reader_of_the_same_store),
    check!(an_append_wakes_a_reader_from_elsewhere),
    check!(an_append_wakes_all_who_wait),
    check!(waiting_for_a_later_event_does_not_end_early),
    check!(a_wait_that_was_given_up_loses_nothing),
    check!(a_follower_goes_on_with_the_next_writer),
    check!(a_follower_of_a_busy_log_loses_nothing),
];

/// Polls a wait once; it must not be over.
async fn begin_to_wait(reader: &dyn EventReader, known: EventId) -> Checked {
    let mut waiting = pin!(reader.wait_past(known));
    let polled = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
    match polled {
        Poll::Pending => Ok(()),
        Poll::Ready(Err(error)) if error.kind() == oh_core::ErrorKind::Unsupported => {
            Err(End::unsupported("the store cannot follow a log"))
        }
        Poll::Ready(done) => Err(End::failed(format!(
            "waiting for {known} ended with {done:?} before it was there"
        ))),
    }
}

/// Waits in a task of its own.
fn waiting(
    reader: &Arc<dyn EventReader>,
    known: EventId,
) -> tokio::task::JoinHandle<Checked<EventId>> {
    let reader = Arc::clone(reader);
    tokio::spawn(async move { wait_past(&*reader, known).await })
}

async fn ended(task: tokio::task::JoinHandle<Checked<EventId>>) -> Checked<EventId> {
    task.await
        .map_err(|error| End::failed(format!("waiting panicked: {error}")))?
}

async fn expect_woken(log: &dyn EventLog, reader: &Arc<dyn EventReader>) -> Checked {
    for id in 0..20 {
        let wait = waiting(reader, EventId(id));
        let event = sample::event(id, "event")?;
        append(log, std::slice::from_ref(&event)).await?;
        expect_eq(
            "the next id after waiting",
            ended(wait).await?,
            EventId(id + 1),
        )?;
        expect_eq("the next id", reader.next(), EventId(id + 1))?;
        let found = reader.read(ReadRange::new(EventId(id), EventId(u64::MAX)));
        same_events("what was waited for", &found.await?, &[event])?;
    }
    Ok(())
}

async fn what_is_there_is_not_waited_for(trial: &Trial) -> Checked {
    let id = session("there")?;
    let log = trial.filled(&id, 8).await?;
    for reader in [
        log.reader(),
        trial.store().view(&id).await?,
        trial.other().await?.view(&id).await?,
    ] {
        for known in [0, 3, 7] {
            let next = wait_past(&*reader, EventId(known)).await?;
            expect_eq("the next id", next, EventId(8))?;
        }
    }
    Ok(())
}

async fn an_append_wakes_a_reader_of_the_log(trial: &Trial) -> Checked {
    let log = trial.open(&session("own")?).await?;
    expect_woken(&*log, &log.reader()).await
}

async fn an_append_wakes_a_reader_of_the_same_store(trial: &Trial) -> Checked {
    let id = session("same")?;
    let log = trial.open(&id).await?;
    let reader = trial.store().view(&id).await?;
    expect_woken(&*log, &reader).await
}

async fn an_append_wakes_a_reader_from_elsewhere(trial: &Trial) -> Checked {
    let id = session("elsewhere")?;
    let log = trial.open(&id).await?;
    let reader = trial.other().await?.view(&id).await?;
    expect_woken(&*log, &reader).await
}

async fn an_append_wakes_all_who_wait(trial: &Trial) -> Checked {
    let id = session("all")?;
    let log = trial.open(&id).await?;
    let shared = trial.other().await?.view(&id).await?;
    let mut waits = Vec::new();
    for number in 0..12 {
        let reader = match number % 3 {
            0 => log.reader(),
            1 => trial.store().view(&id).await?,
            _ => shared.clone(),
        };
        begin_to_wait(&*reader, EventId(0)).await?;
        waits.push(waiting(&reader, EventId(0)));
    }
    append(&*log, &sample::batch(0, 1, "event")?).await?;
    for wait in waits {
        expect_eq("the next id", ended(wait).await?, EventId(1))?;
    }
    Ok(())
}

async fn waiting_for_a_later_event_does_not_end_early(trial: &Trial) -> Checked {
    let id = session("early")?;
    let log = trial.open(&id).await?;
    let reader = trial.other().await?.view(&id).await?;
    let wait = waiting(&reader, EventId(9));
    for number in 0..10 {
        append(&*log, &[sample::event(number, "event")?]).await?;
    }
    let next = ended(wait).await?;
    ensure!(
        next == EventId(10),
        "waiting for event 9 ended with the next id {next}"
    );
    Ok(())
}

async fn a_wait_that_was_given_up_loses_nothing(trial: &Trial) -> Checked {
    let id = session("given-up")?;
    let log = trial.open(&id).await?;
    for reader in [log.reader(), trial.other().await?.view(&id).await?] {
        let known = log.next();
        for _ in 0..10 {
            begin_to_wait(&*reader, known).await?;
        }
        let given_up = waiting(&reader, known);
        given_up.abort();
        append(&*log, &[sample::event(known.0, "event")?]).await?;
        // It may have come to its end before.
        let _ = given_up.await;
        let next = wait_past(&*reader, known).await?;
        expect_eq("the next id", next, known.next())?;
        let found = reader.read(ReadRange::new(known, known.next())).await?;
        expect_eq("the number of events", found.len(), 1)?;
    }
    Ok(())
}

async fn a_follower_goes_on_with_the_next_writer(trial: &Trial) -> Checked {
    let id = session("next-writer")?;
    let log = trial.filled(&id, 2).await?;
    let reader = trial.other().await?.view(&id).await?;
    wait_past(&*reader, EventId(1)).await?;
    log.close().await?;
    drop(log);
    let wait = waiting(&reader, EventId(2));
    let next = trial.open(&id).await?;
    append(&*next, &sample::batch(2, 3, id.as_str())?).await?;
    expect_eq("the next id", ended(wait).await?, EventId(3))
}

async fn a_follower_of_a_busy_log_loses_nothing(trial: &Trial) -> Checked {
    const EVENTS: u64 = 200;
    let id = session("busy")?;
    let log = trial.open(&id).await?;
    let mut tasks = Vec::new();
    for reader in [log.reader(), trial.other().await?.view(&id).await?] {
        tasks.push(tokio::spawn(async move {
            let mut found = Vec::new();
            while (found.len() as u64) < EVENTS {
                let at = EventId(found.len() as u64);
                let next = wait_past(&*reader, at).await?;
                let range = ReadRange::new(at, next).limit(16);
                found.extend(paging::read_all(&*reader, range).await?);
            }
            Ok(found)
        }));
    }
    let wanted = sample::batch(0, EVENTS, "event")?;
    for batch in wanted.chunks(3) {
        append(&*log, batch).await?;
        tokio::task::yield_now().await;
    }
    for task in tasks {
        let found: Checked<_> = task
            .await
            .map_err(|error| End::failed(format!("following panicked: {error}")))?;
        same_events("what a follower saw", &found?, &wanted)?;
    }
    Ok(())
}

//! The one writer of a log.

use std::sync::Arc;

use oh_core::{ErrorKind, EventId, SessionId};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, End, ensure, expect_eq, expect_kind, expect_names, expect_one_of,
};
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, expect_events, session};
use crate::store::{EventStore, Holder};

const FAMILY: Family = Family::Writer;

pub(super) const CHECKS: &[Check] = &[
    check!(a_second_writer_gets_a_conflict_that_names_the_first),
    check!(a_second_writer_from_elsewhere_gets_a_conflict_that_names_the_first),
    check!(of_many_that_open_at_once_one_gets_the_log),
    check!(a_closed_log_is_free_at_once),
    check!(a_dropped_log_becomes_free),
    check!(a_closed_log_takes_nothing),
    check!(closing_twice_is_fine),
    check!(the_former_writer_cannot_append_beside_the_next),
    check!(closing_the_former_log_leaves_the_next_writer_alone),
    check!(a_writer_whose_hold_ran_out_cannot_append),
    check!(writers_of_other_sessions_are_free),
];

async fn expect_held(
    trial: &Trial,
    store: &Arc<dyn EventStore>,
    id: &SessionId,
) -> Checked<Holder> {
    let opened = store.open(id, trial.writer("second")).await;
    let error = expect_kind("opening a log that is held", opened, ErrorKind::Conflict)?;
    expect_names(&error, id.as_str())?;
    let holder =
        Holder::of(&error).ok_or_else(|| End::failed("the source of the conflict is no Holder"))?;
    expect_eq("the holder's name", holder.name.as_str(), "first writer")?;
    expect_eq("the holder's process", holder.pid, std::process::id())?;
    Ok(holder.clone())
}

async fn a_second_writer_gets_a_conflict_that_names_the_first(trial: &Trial) -> Checked {
    let id = session("held")?;
    let log = trial
        .store()
        .open(&id, trial.writer("first writer"))
        .await?;
    let holder = expect_held(trial, trial.store(), &id).await?;
    expect_eq("the holder's epoch", holder.epoch, log.epoch())?;
    append(&*log, &sample::batch(0, 2, "event")?).await?;
    trial
        .expect_holds(&id, &sample::batch(0, 2, "event")?)
        .await
}

async fn a_second_writer_from_elsewhere_gets_a_conflict_that_names_the_first(
    trial: &Trial,
) -> Checked {
    let id = session("held")?;
    let log = trial
        .store()
        .open(&id, trial.writer("first writer"))
        .await?;
    let other = trial.other().await?;
    let holder = expect_held(trial, &other, &id).await?;
    expect_eq("the holder's epoch", holder.epoch, log.epoch())?;
    append(&*log, &sample::batch(0, 2, "event")?).await?;
    trial
        .expect_holds(&id, &sample::batch(0, 2, "event")?)
        .await
}

async fn of_many_that_open_at_once_one_gets_the_log(trial: &Trial) -> Checked {
    let id = session("race")?;
    for round in 0..5 {
        let mut tasks = Vec::new();
        for number in 0..8 {
            let store = match number % 2 {
                0 => trial.store().clone(),
                _ => trial.other().await?,
            };
            let (id, writer) = (id.clone(), trial.writer("racer"));
            tasks.push(tokio::spawn(async move { store.open(&id, writer).await }));
        }
        let mut logs = Vec::new();
        for task in tasks {
            match task.await {
                Ok(Ok(log)) => logs.push(log),
                Ok(Err(error)) if error.kind() == ErrorKind::Conflict => {}
                Ok(Err(error)) => return Err(error.into()),
                Err(error) => return Err(End::failed(format!("opening panicked: {error}"))),
            }
        }
        ensure!(
            logs.len() == 1,
            "{} of 8 writers got the log in round {round}",
            logs.len()
        );
        for log in logs {
            log.close().await?;
        }
    }
    Ok(())
}

async fn a_closed_log_is_free_at_once(trial: &Trial) -> Checked {
    let id = session("free")?;
    // Kept alive, so that it is closing and not dropping that frees it.
    let first = trial.filled(&id, 1).await?;
    first.close().await?;
    let other = trial.other().await?;
    let second = trial.open_in(&other, &id).await?;
    second.close().await?;
    let third = trial.open(&id).await?;
    expect_eq("the next id", third.next(), EventId(1))
}

async fn a_dropped_log_becomes_free(trial: &Trial) -> Checked {
    let id = session("dropped")?;
    drop(trial.filled(&id, 1).await?);
    let other = trial.other().await?;
    drop(trial.open_when_free(&other, &id).await?);
    let log = trial.open_when_free(trial.store(), &id).await?;
    expect_eq("the next id", log.next(), EventId(1))
}

async fn a_closed_log_takes_nothing(trial: &Trial) -> Checked {
    let id = session("closed")?;
    let log = trial.filled(&id, 2).await?;
    log.close().await?;
    let batch = sample::batch(2, 3, "late")?;
    let appended = log.append(EventId(2), log.epoch(), &batch).await;
    expect_kind("appending to a closed log", appended, ErrorKind::Gone)?;
    let wanted = sample::batch(0, 2, id.as_str())?;
    trial.expect_holds(&id, &wanted).await
}

async fn closing_twice_is_fine(trial: &Trial) -> Checked {
    let id = session("twice")?;
    let log = trial.filled(&id, 2).await?;
    log.close().await?;
    Ok(log.close().await?)
}

async fn the_former_writer_cannot_append_beside_the_next(trial: &Trial) -> Checked {
    let id = session("former")?;
    let former = trial.filled(&id, 2).await?;
    former.close().await?;
    let other = trial.other().await?;
    let next = trial.open_in(&other, &id).await?;
    let batch = sample::batch(2, 3, "former")?;
    let appended = former.append(EventId(2), former.epoch(), &batch).await;
    expect_kind("appending to a closed log", appended, ErrorKind::Gone)?;
    let stolen = former.append(EventId(2), next.epoch(), &batch).await;
    let refusals = [ErrorKind::Gone, ErrorKind::Conflict];
    expect_one_of("appending in the name of the next", stolen, &refusals)?;
    append(&*next, &sample::batch(2, 4, id.as_str())?).await?;
    let wanted = sample::batch(0, 4, id.as_str())?;
    trial.expect_holds(&id, &wanted).await
}

async fn closing_the_former_log_leaves_the_next_writer_alone(trial: &Trial) -> Checked {
    let id = session("handover")?;
    let former = trial.filled(&id, 1).await?;
    former.close().await?;
    let other = trial.other().await?;
    let next = trial
        .open_in(&other, &id)
        .await
        .map_err(|end| end.at("taking over"))?;
    former.close().await?;
    drop(former);
    let opened = trial.store().open(&id, trial.writer("third")).await;
    expect_kind("opening a log that is held", opened, ErrorKind::Conflict)?;
    append(&*next, &sample::batch(1, 2, id.as_str())?).await
}

async fn a_writer_whose_hold_ran_out_cannot_append(trial: &Trial) -> Checked {
    let id = session("expired")?;
    let former = trial.filled(&id, 2).await?;
    match trial.storage().expire_writer(&id).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return Err(End::unsupported(
                "a writer loses a log only by releasing it",
            ));
        }
        expired => expired?,
    }
    let other = trial.other().await?;
    let next = trial
        .open_in(&other, &id)
        .await
        .map_err(|end| end.at("taking over"))?;
    expect_eq("the epoch rises", next.epoch() > former.epoch(), true)?;
    let refusals = [ErrorKind::Conflict, ErrorKind::Gone];
    let batch = sample::batch(2, 3, "former")?;
    let appended = former.append(EventId(2), former.epoch(), &batch).await;
    expect_one_of("appending before the next writer did", appended, &refusals)?;
    append(&*next, &sample::batch(2, 4, id.as_str())?).await?;
    let batch = sample::batch(4, 5, "former")?;
    let appended = former.append(EventId(4), former.epoch(), &batch).await;
    expect_one_of("appending after the next writer did", appended, &refusals)?;
    // Whatever closing the former log answers, it must not free the log of the next writer.
    let _ = former.close().await;
    drop(former);
    append(&*next, &sample::batch(4, 6, id.as_str())?).await?;
    let wanted = sample::batch(0, 6, id.as_str())?;
    expect_events("the log", &*next.reader(), &wanted).await?;
    trial.expect_holds(&id, &wanted).await
}

async fn writers_of_other_sessions_are_free(trial: &Trial) -> Checked {
    let (one, two) = (session("one")?, session("two")?);
    let first = trial.filled(&one, 3).await?;
    let second = trial.filled(&two, 4).await?;
    expect_eq("the next id of one", first.next(), EventId(3))?;
    expect_eq("the next id of the other", second.next(), EventId(4))?;
    first.close().await?;
    append(&*second, &sample::batch(4, 5, two.as_str())?).await
}

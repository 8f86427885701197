//! Appending events.

use oh_core::{ErrorKind, EventId};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, expect_eq, expect_kind, expect_one_of};
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, expect_events, session};

const FAMILY: Family = Family::Append;

pub(super) const CHECKS: &[Check] = &[
    check!(a_new_log_is_empty),
    check!(ids_are_dense_from_0),
    check!(a_batch_is_appended_as_a_whole),
    check!(an_empty_batch_changes_nothing),
    check!(an_expected_id_that_is_not_the_next_is_a_conflict_and_changes_nothing),
    check!(another_epoch_is_a_conflict_and_changes_nothing),
    check!(a_batch_with_a_gap_is_invalid_and_changes_nothing),
    check!(a_batch_that_begins_elsewhere_changes_nothing),
    check!(what_was_acknowledged_is_there_for_everyone),
    check!(what_was_acknowledged_is_there_after_a_writer_that_did_not_close),
    check!(sync_names_the_next_id),
    check!(a_log_goes_on_after_it_was_closed),
];

async fn a_new_log_is_empty(trial: &Trial) -> Checked {
    let id = session("new")?;
    let log = trial.open(&id).await?;
    expect_eq("the next id", log.next(), EventId(0))?;
    expect_eq("the next id of the report", log.report().next, EventId(0))?;
    expect_eq("the bytes that were cut", log.report().cut_bytes, 0)?;
    let reader = log.reader();
    expect_eq("the first id", reader.first(), EventId(0))?;
    expect_events("a new log", &*reader, &[]).await?;
    trial.expect_holds(&id, &[]).await
}

async fn ids_are_dense_from_0(trial: &Trial) -> Checked {
    let id = session("dense")?;
    let log = trial.open(&id).await?;
    let events = sample::batch(0, 30, "event")?;
    for event in &events {
        expect_eq("the next id", log.next(), event.id())?;
        append(&*log, std::slice::from_ref(event)).await?;
    }
    expect_eq("the next id", log.next(), EventId(30))?;
    expect_events("the log", &*log.reader(), &events).await?;
    trial.expect_holds(&id, &events).await
}

async fn a_batch_is_appended_as_a_whole(trial: &Trial) -> Checked {
    let id = session("batch")?;
    let log = trial.open(&id).await?;
    let events = sample::batch(0, 300, "event")?;
    let (first, rest) = events.split_at(7);
    append(&*log, first).await?;
    append(&*log, rest).await?;
    expect_eq("the next id", log.next(), EventId(300))?;
    expect_events("the log", &*log.reader(), &events).await?;
    trial.expect_holds(&id, &events).await
}

async fn an_empty_batch_changes_nothing(trial: &Trial) -> Checked {
    let id = session("empty")?;
    let log = trial.filled(&id, 3).await?;
    append(&*log, &[]).await?;
    expect_eq("the next id", log.next(), EventId(3))
}

async fn an_expected_id_that_is_not_the_next_is_a_conflict_and_changes_nothing(
    trial: &Trial,
) -> Checked {
    let id = session("expected")?;
    let log = trial.filled(&id, 5).await?;
    for wrong in [0, 4, 6, 1000] {
        let batch = [sample::event(wrong, "wrong")?];
        let appended = log.append(EventId(wrong), log.epoch(), &batch).await;
        let what = format!("appending {wrong} where the log ends with 4");
        expect_kind(&what, appended, ErrorKind::Conflict)?;
    }
    expect_eq("the next id", log.next(), EventId(5))?;
    append(&*log, &sample::batch(5, 6, id.as_str())?).await?;
    let wanted = sample::batch(0, 6, id.as_str())?;
    trial.expect_holds(&id, &wanted).await
}

async fn another_epoch_is_a_conflict_and_changes_nothing(trial: &Trial) -> Checked {
    let id = session("epoch")?;
    let log = trial.filled(&id, 2).await?;
    for wrong in [log.epoch().wrapping_sub(1), log.epoch() + 1] {
        let batch = [sample::event(2, "wrong")?];
        let appended = log.append(EventId(2), wrong, &batch).await;
        expect_kind("appending in another epoch", appended, ErrorKind::Conflict)?;
    }
    expect_eq("the next id", log.next(), EventId(2))?;
    append(&*log, &sample::batch(2, 3, id.as_str())?).await?;
    let wanted = sample::batch(0, 3, id.as_str())?;
    trial.expect_holds(&id, &wanted).await
}

async fn a_batch_with_a_gap_is_invalid_and_changes_nothing(trial: &Trial) -> Checked {
    let id = session("gap")?;
    let log = trial.filled(&id, 2).await?;
    for ids in [[2, 4], [2, 2], [2, 1]] {
        let mut batch = Vec::new();
        for id in ids {
            batch.push(sample::event(id, "wrong")?);
        }
        let appended = log.append(EventId(2), log.epoch(), &batch).await;
        let what = format!("appending a batch with the ids {ids:?}");
        expect_kind(&what, appended, ErrorKind::InvalidInput)?;
        expect_eq("the next id", log.next(), EventId(2))?;
    }
    append(&*log, &sample::batch(2, 5, id.as_str())?).await?;
    let wanted = sample::batch(0, 5, id.as_str())?;
    trial.expect_holds(&id, &wanted).await
}

async fn a_batch_that_begins_elsewhere_changes_nothing(trial: &Trial) -> Checked {
    let id = session("elsewhere")?;
    let log = trial.filled(&id, 2).await?;
    let batch = sample::batch(3, 5, "wrong")?;
    let appended = log.append(EventId(2), log.epoch(), &batch).await;
    let allowed = [ErrorKind::InvalidInput, ErrorKind::Conflict];
    expect_one_of("appending 3 as 2", appended, &allowed)?;
    expect_eq("the next id", log.next(), EventId(2))?;
    let wanted = sample::batch(0, 2, id.as_str())?;
    trial.expect_holds(&id, &wanted).await
}

async fn what_was_acknowledged_is_there_for_everyone(trial: &Trial) -> Checked {
    let id = session("everyone")?;
    let log = trial.open(&id).await?;
    let mut wanted = Vec::new();
    for (from, to) in [(0, 1), (1, 2), (2, 40), (40, 41)] {
        let batch = sample::batch(from, to, "event")?;
        append(&*log, &batch).await?;
        wanted.extend(batch);
        trial.expect_holds(&id, &wanted).await?;
    }
    Ok(())
}

async fn what_was_acknowledged_is_there_after_a_writer_that_did_not_close(
    trial: &Trial,
) -> Checked {
    let id = session("dropped")?;
    let log = trial.filled(&id, 12).await?;
    let held = log.epoch();
    drop(log);
    let other = trial.other().await?;
    let log = trial.open_when_free(&other, &id).await?;
    expect_eq("the next id", log.next(), EventId(12))?;
    expect_eq("the epoch rises", log.epoch() > held, true)?;
    let wanted = sample::batch(0, 12, id.as_str())?;
    expect_events("the log", &*log.reader(), &wanted).await
}

async fn sync_names_the_next_id(trial: &Trial) -> Checked {
    let id = session("sync")?;
    let log = trial.open(&id).await?;
    expect_eq("sync of an empty log", log.sync().await?, EventId(0))?;
    append(&*log, &sample::batch(0, 4, "event")?).await?;
    expect_eq("sync after 4 events", log.sync().await?, EventId(4))?;
    append(&*log, &sample::batch(4, 5, "event")?).await?;
    expect_eq("sync after 5 events", log.sync().await?, EventId(5))
}

async fn a_log_goes_on_after_it_was_closed(trial: &Trial) -> Checked {
    let id = session("again")?;
    let mut wanted = Vec::new();
    let mut epoch = None;
    for round in 0..4_u64 {
        // By turns here and elsewhere.
        let store = match round % 2 {
            0 => trial.store().clone(),
            _ => trial.other().await?,
        };
        let log = trial.open_in(&store, &id).await?;
        let next = wanted.len() as u64;
        expect_eq("the next id", log.next(), EventId(next))?;
        expect_eq("the next id of the report", log.report().next.0, next)?;
        expect_eq("the epoch rises", Some(log.epoch()) > epoch, true)?;
        epoch = Some(log.epoch());
        expect_events("the log", &*log.reader(), &wanted).await?;
        let batch = sample::batch(next, next + 9, "event")?;
        append(&*log, &batch).await?;
        wanted.extend(batch);
        log.close().await?;
    }
    trial.expect_holds(&id, &wanted).await
}

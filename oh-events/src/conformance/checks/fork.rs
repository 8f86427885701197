//! Sessions that share a past.

use bytes::Bytes;
use oh_core::{ByteRange, ErrorKind, EventId, SessionId};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, End, expect_bytes, expect_eq, expect_kind, expect_names,
};
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, blobs, expect_events, session};

const FAMILY: Family = Family::Fork;

pub(super) const CHECKS: &[Check] = &[
    check!(a_fork_shares_the_past),
    check!(a_fork_goes_its_own_way),
    check!(a_fork_at_either_end_is_whole),
    check!(a_session_with_a_writer_can_be_forked),
    check!(a_fork_can_be_forked),
    check!(a_fork_has_the_blobs_that_its_past_names),
    check!(a_fork_outlives_what_it_came_from),
    check!(a_fork_onto_a_session_already_exists_and_changes_nothing),
    check!(a_fork_beyond_the_end_is_invalid_and_makes_nothing),
    check!(a_fork_of_nothing_is_not_found_and_makes_nothing),
    check!(a_refused_fork_makes_nothing),
];

async fn fork(trial: &Trial, from: &SessionId, at: u64, to: &SessionId) -> Checked {
    match trial.store().fork(from, EventId(at), to).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(End::unsupported(NO_FORKS)),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(End::unsupported(NO_FORKS)),
        Err(error) => Err(End::from(error).at("forking")),
    }
}

const NO_FORKS: &str = "the store has no way to fork that is cheaper than copying";

/// Whether this store forks at all, tried on sessions of its own.
async fn needs_forks(trial: &Trial) -> Checked {
    let (from, to) = (session("probe")?, session("probed")?);
    trial.filled(&from, 1).await?.close().await?;
    fork(trial, &from, 1, &to).await
}

async fn expect_missing(trial: &Trial, id: &SessionId) -> Checked {
    expect_kind(
        "viewing it",
        trial.store().view(id).await,
        ErrorKind::NotFound,
    )?;
    let named = trial.other().await?.sessions(None, 1000).await?;
    expect_eq("whether it is named", named.contains(id), false)
}

async fn a_fork_shares_the_past(trial: &Trial) -> Checked {
    let (from, to) = (session("from")?, session("to")?);
    trial.filled(&from, 90).await?.close().await?;
    fork(trial, &from, 37, &to).await?;
    let past = sample::batch(0, 37, from.as_str())?;
    trial.expect_holds(&to, &past).await?;
    let all = sample::batch(0, 90, from.as_str())?;
    trial.expect_holds(&from, &all).await?;
    let named = trial.store().sessions(None, 10).await?;
    expect_eq("the sessions", named, vec![from, to])
}

async fn a_fork_goes_its_own_way(trial: &Trial) -> Checked {
    let (from, to) = (session("from")?, session("to")?);
    trial.filled(&from, 60).await?.close().await?;
    fork(trial, &from, 31, &to).await?;
    let other = trial.other().await?;
    let (old, new) = (trial.open(&from).await?, trial.open_in(&other, &to).await?);
    expect_eq("the next id of the fork", new.next(), EventId(31))?;
    append(&*new, &sample::batch(31, 80, "fork")?).await?;
    append(&*old, &sample::batch(60, 70, from.as_str())?).await?;
    let mut wanted = sample::batch(0, 31, from.as_str())?;
    wanted.extend(sample::batch(31, 80, "fork")?);
    trial.expect_holds(&to, &wanted).await?;
    new.close().await?;
    old.close().await?;
    trial.expect_holds(&to, &wanted).await?;
    let all = sample::batch(0, 70, from.as_str())?;
    trial.expect_holds(&from, &all).await
}

async fn a_fork_at_either_end_is_whole(trial: &Trial) -> Checked {
    let from = session("from")?;
    trial.filled(&from, 55).await?.close().await?;
    for at in [0, 1, 54, 55] {
        let to = session(&format!("at-{at}"))?;
        fork(trial, &from, at, &to).await?;
        let mut wanted = sample::batch(0, at, from.as_str())?;
        trial.expect_holds(&to, &wanted).await?;
        let log = trial.open(&to).await?;
        expect_eq("the next id", log.next(), EventId(at))?;
        let more = sample::batch(at, at + 3, "fork")?;
        append(&*log, &more).await?;
        wanted.extend(more);
        trial.expect_holds(&to, &wanted).await?;
    }
    Ok(())
}

async fn a_session_with_a_writer_can_be_forked(trial: &Trial) -> Checked {
    let (from, to) = (session("from")?, session("to")?);
    let log = trial.filled(&from, 20).await?;
    fork(trial, &from, 20, &to).await?;
    append(&*log, &sample::batch(20, 22, from.as_str())?).await?;
    let past = sample::batch(0, 20, from.as_str())?;
    trial.expect_holds(&to, &past).await?;
    let elsewhere = session("elsewhere")?;
    let other = trial.other().await?;
    let forked = other.fork(&from, EventId(21), &elsewhere).await?;
    expect_eq("forking from elsewhere", forked, true)?;
    let past = sample::batch(0, 21, from.as_str())?;
    trial.expect_holds(&elsewhere, &past).await
}

async fn a_fork_can_be_forked(trial: &Trial) -> Checked {
    let (one, two, three) = (session("one")?, session("two")?, session("three")?);
    trial.filled(&one, 40).await?.close().await?;
    fork(trial, &one, 30, &two).await?;
    let log = trial.open(&two).await?;
    append(&*log, &sample::batch(30, 35, "two")?).await?;
    fork(trial, &two, 33, &three).await?;
    let mut wanted = sample::batch(0, 30, one.as_str())?;
    wanted.extend(sample::batch(30, 33, "two")?);
    trial.expect_holds(&three, &wanted).await
}

async fn a_fork_has_the_blobs_that_its_past_names(trial: &Trial) -> Checked {
    let (from, to) = (session("from")?, session("to")?);
    let log = trial.filled(&from, 3).await?;
    let store = blobs(&*log)?;
    let content = sample::bytes(9_000);
    let mut blob = store.create().await?;
    blob.write(Bytes::copy_from_slice(&content)).await?;
    let named = blob.finish().await?;
    append(&*log, &[sample::event_with(3, &named)?]).await?;
    log.close().await?;
    fork(trial, &from, 4, &to).await?;
    let fork = trial.open(&to).await?;
    let store = blobs(&*fork)?;
    let read = store.read(&named.id, ByteRange::from(0..)).await?;
    expect_bytes("the blob of the past", &read, &content)?;
    let mut blob = store.create().await?;
    blob.write(Bytes::from_static(b"own")).await?;
    let own = blob.finish().await?;
    let read = store.read(&own.id, ByteRange::from(0..)).await?;
    expect_bytes("a blob of the fork", &read, b"own")?;
    let read = store.read(&named.id, ByteRange::from(0..)).await?;
    expect_bytes("the blob of the past", &read, &content)
}

async fn a_fork_outlives_what_it_came_from(trial: &Trial) -> Checked {
    let (from, to) = (session("from")?, session("to")?);
    trial.filled(&from, 45).await?.close().await?;
    fork(trial, &from, 28, &to).await?;
    match trial.store().remove(&from).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return Err(End::unsupported("the store removes no sessions"));
        }
        removed => removed?,
    }
    let mut wanted = sample::batch(0, 28, from.as_str())?;
    trial.expect_holds(&to, &wanted).await?;
    let log = trial.open(&to).await?;
    let more = sample::batch(28, 30, "fork")?;
    append(&*log, &more).await?;
    wanted.extend(more);
    expect_events("the fork", &*log.reader(), &wanted).await
}

async fn a_fork_onto_a_session_already_exists_and_changes_nothing(trial: &Trial) -> Checked {
    needs_forks(trial).await?;
    let (from, to) = (session("from")?, session("to")?);
    trial.filled(&from, 9).await?.close().await?;
    trial.filled(&to, 4).await?.close().await?;
    let forked = trial.store().fork(&from, EventId(9), &to).await;
    let error = expect_kind("forking", forked, ErrorKind::AlreadyExists)?;
    expect_names(&error, to.as_str())?;
    let itself = trial.store().fork(&from, EventId(9), &from).await;
    expect_kind("forking onto itself", itself, ErrorKind::AlreadyExists)?;
    let wanted = sample::batch(0, 4, to.as_str())?;
    trial.expect_holds(&to, &wanted).await?;
    let wanted = sample::batch(0, 9, from.as_str())?;
    trial.expect_holds(&from, &wanted).await
}

async fn a_fork_beyond_the_end_is_invalid_and_makes_nothing(trial: &Trial) -> Checked {
    needs_forks(trial).await?;
    let (from, to) = (session("from")?, session("to")?);
    trial.filled(&from, 9).await?.close().await?;
    for at in [10, 1000, u64::MAX] {
        let forked = trial.store().fork(&from, EventId(at), &to).await;
        expect_kind("forking", forked, ErrorKind::InvalidInput)?;
        expect_missing(trial, &to).await?;
    }
    fork(trial, &from, 9, &to).await
}

async fn a_fork_of_nothing_is_not_found_and_makes_nothing(trial: &Trial) -> Checked {
    needs_forks(trial).await?;
    let (from, to) = (session("nowhere")?, session("to")?);
    let forked = trial.store().fork(&from, EventId(0), &to).await;
    let error = expect_kind("forking", forked, ErrorKind::NotFound)?;
    expect_names(&error, from.as_str())?;
    expect_missing(trial, &from).await?;
    expect_missing(trial, &to).await
}

async fn a_refused_fork_makes_nothing(trial: &Trial) -> Checked {
    let (from, to) = (session("from")?, session("to")?);
    trial.filled(&from, 5).await?.close().await?;
    let ended = fork(trial, &from, 3, &to).await;
    if let Err(End::Unsupported(_)) = &ended {
        expect_missing(trial, &to)
            .await
            .map_err(|end| end.at("after `false`"))?;
    }
    ended
}

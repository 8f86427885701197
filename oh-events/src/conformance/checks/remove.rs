//! Removing sessions.

use bytes::Bytes;
use oh_core::{ByteRange, ErrorKind, EventId, SessionId};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, End, expect_eq, expect_kind, expect_names};
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, session};
use crate::store::Snapshot;

const FAMILY: Family = Family::Remove;

pub(super) const CHECKS: &[Check] = &[
    check!(a_removed_session_is_gone),
    check!(a_removed_session_can_be_begun_anew),
    check!(removing_leaves_other_sessions_alone),
    check!(removing_what_is_not_there_is_not_found),
    check!(a_session_with_a_writer_is_not_removed),
];

async fn remove(trial: &Trial, id: &SessionId) -> Checked {
    match trial.store().remove(id).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(End::unsupported("the store removes no sessions"))
        }
        removed => removed.map_err(|error| End::from(error).at("removing")),
    }
}

async fn a_removed_session_is_gone(trial: &Trial) -> Checked {
    let id = session("gone")?;
    trial.filled(&id, 70).await?.close().await?;
    remove(trial, &id).await?;
    for store in [trial.store().clone(), trial.other().await?] {
        let viewed = store.view(&id).await;
        expect_kind("viewing it", viewed, ErrorKind::NotFound)?;
        expect_eq("the sessions", store.sessions(None, 10).await?, Vec::new())?;
    }
    let again = trial.store().remove(&id).await;
    expect_kind("removing it again", again, ErrorKind::NotFound).map(drop)
}

async fn a_removed_session_can_be_begun_anew(trial: &Trial) -> Checked {
    let id = session("anew")?;
    let log = trial.filled(&id, 40).await?;
    let mut named = None;
    if let Some(store) = log.blobs() {
        let mut blob = store.create().await?;
        blob.write(Bytes::from_static(b"old")).await?;
        named = Some(blob.finish().await?);
    }
    let snapshot = Snapshot::new(EventId(40), &b"old"[..]);
    log.save_snapshot(&snapshot).await?;
    log.close().await?;
    drop(log);
    remove(trial, &id).await?;
    let other = trial.other().await?;
    let log = trial.open_in(&other, &id).await?;
    expect_eq("the next id", log.next(), EventId(0))?;
    expect_eq("the snapshot", log.reader().snapshot().await?, None)?;
    if let (Some(store), Some(old)) = (log.blobs(), named) {
        let read = store.read(&old.id, ByteRange::from(0..)).await;
        expect_kind("reading a removed blob", read, ErrorKind::NotFound)?;
    }
    let events = sample::batch(0, 5, "anew")?;
    append(&*log, &events).await?;
    trial.expect_holds(&id, &events).await
}

async fn removing_leaves_other_sessions_alone(trial: &Trial) -> Checked {
    let (id, near) = (session("a")?, session("a.b")?);
    let log = trial.filled(&near, 8).await?;
    trial.filled(&id, 8).await?.close().await?;
    remove(trial, &id).await?;
    append(&*log, &sample::batch(8, 9, near.as_str())?).await?;
    let wanted = sample::batch(0, 9, near.as_str())?;
    trial.expect_holds(&near, &wanted).await?;
    let named = trial.store().sessions(None, 10).await?;
    expect_eq("the sessions", named, vec![near])
}

async fn removing_what_is_not_there_is_not_found(trial: &Trial) -> Checked {
    let id = session("nowhere")?;
    match trial.store().remove(&id).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(End::unsupported("the store removes no sessions"))
        }
        removed => {
            let error = expect_kind("removing", removed, ErrorKind::NotFound)?;
            expect_names(&error, "nowhere")
        }
    }
}

async fn a_session_with_a_writer_is_not_removed(trial: &Trial) -> Checked {
    let id = session("held")?;
    let log = trial.filled(&id, 6).await?;
    for store in [trial.store().clone(), trial.other().await?] {
        let removed = store.remove(&id).await;
        if let Err(error) = &removed
            && error.kind() == ErrorKind::Unsupported
        {
            return Err(End::unsupported("the store removes no sessions"));
        }
        let error = expect_kind("removing a log that is held", removed, ErrorKind::Conflict)?;
        expect_names(&error, id.as_str())?;
    }
    append(&*log, &sample::batch(6, 7, id.as_str())?).await?;
    let wanted = sample::batch(0, 7, id.as_str())?;
    trial.expect_holds(&id, &wanted).await?;
    log.close().await?;
    remove(trial, &id).await
}

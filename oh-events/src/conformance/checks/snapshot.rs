//! What a log folds to.

use oh_core::EventId;

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, End, expect_bytes, expect_eq};
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, session};
use crate::store::{EventLog, EventReader, Snapshot};

const FAMILY: Family = Family::Snapshot;

pub(super) const CHECKS: &[Check] = &[
    check!(a_log_without_a_snapshot_has_none),
    check!(a_snapshot_is_kept),
    check!(a_snapshot_replaces_the_former_one),
    check!(a_snapshot_survives_opening_again),
    check!(a_snapshot_of_1_mib_is_kept),
    check!(sessions_have_snapshots_of_their_own),
    check!(a_snapshot_leaves_the_events_alone),
];

async fn save(log: &dyn EventLog, next: u64, data: &[u8]) -> Checked<Snapshot> {
    let snapshot = Snapshot::new(EventId(next), data.to_vec());
    log.save_snapshot(&snapshot).await?;
    match log.reader().snapshot().await? {
        Some(_) => Ok(snapshot),
        None => Err(End::unsupported("the store keeps no snapshots")),
    }
}

async fn expect_kept(what: &str, reader: &dyn EventReader, wanted: &Snapshot) -> Checked {
    let kept = reader
        .snapshot()
        .await?
        .ok_or_else(|| End::failed(format!("{what}: there is no snapshot")))?;
    expect_eq(&format!("{what}: the next id"), kept.next, wanted.next)?;
    expect_bytes(&format!("{what}: the snapshot"), &kept.data, &wanted.data)
}

async fn a_log_without_a_snapshot_has_none(trial: &Trial) -> Checked {
    let id = session("none")?;
    let log = trial.filled(&id, 2).await?;
    expect_eq("the snapshot", log.reader().snapshot().await?, None)?;
    let reader = trial.other().await?.view(&id).await?;
    expect_eq("the snapshot", reader.snapshot().await?, None)
}

async fn a_snapshot_is_kept(trial: &Trial) -> Checked {
    let id = session("kept")?;
    let log = trial.filled(&id, 5).await?;
    for data in [&b"state"[..], b"", &[0, 255, 10, 13, 0, 128]] {
        let saved = save(&*log, 5, data).await?;
        expect_kept("here", &*log.reader(), &saved).await?;
        let other = trial.other().await?.view(&id).await?;
        expect_kept("elsewhere", &*other, &saved).await?;
    }
    Ok(())
}

async fn a_snapshot_replaces_the_former_one(trial: &Trial) -> Checked {
    let id = session("replaced")?;
    let log = trial.filled(&id, 3).await?;
    save(&*log, 2, b"a former and longer one").await?;
    let reader = trial.other().await?.view(&id).await?;
    let second = save(&*log, 3, b"second").await?;
    expect_kept("the reader of the log", &*log.reader(), &second).await?;
    expect_kept("a reader that was there", &*reader, &second).await
}

async fn a_snapshot_survives_opening_again(trial: &Trial) -> Checked {
    let id = session("survives")?;
    let log = trial.filled(&id, 4).await?;
    let saved = save(&*log, 4, b"state").await?;
    append(&*log, &sample::batch(4, 6, id.as_str())?).await?;
    log.close().await?;
    drop(log);
    let other = trial.other().await?;
    let log = trial.open_in(&other, &id).await?;
    expect_eq("the next id", log.next(), EventId(6))?;
    expect_kept("opened again", &*log.reader(), &saved).await
}

async fn a_snapshot_of_1_mib_is_kept(trial: &Trial) -> Checked {
    let id = session("large")?;
    let log = trial.filled(&id, 1).await?;
    let saved = save(&*log, 1, &sample::bytes(1024 * 1024)).await?;
    let other = trial.other().await?.view(&id).await?;
    expect_kept("elsewhere", &*other, &saved).await
}

async fn sessions_have_snapshots_of_their_own(trial: &Trial) -> Checked {
    let (one, two) = (session("one")?, session("two")?);
    let first = trial.filled(&one, 1).await?;
    let second = trial.filled(&two, 1).await?;
    let saved = save(&*first, 1, b"one").await?;
    expect_eq("the snapshot", second.reader().snapshot().await?, None)?;
    save(&*second, 1, b"two").await?;
    expect_kept("the first session", &*first.reader(), &saved).await
}

async fn a_snapshot_leaves_the_events_alone(trial: &Trial) -> Checked {
    let id = session("events")?;
    let log = trial.filled(&id, 30).await?;
    save(&*log, 10, b"state").await?;
    append(&*log, &sample::batch(30, 31, id.as_str())?).await?;
    let wanted = sample::batch(0, 31, id.as_str())?;
    trial.expect_holds(&id, &wanted).await
}

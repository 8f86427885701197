//! Many sessions.

use std::sync::Arc;

use oh_core::{EventId, SessionId};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, End, expect_eq};
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, session};

const FAMILY: Family = Family::Sessions;

pub(super) const CHECKS: &[Check] = &[
    check!(a_store_without_sessions_names_none),
    check!(sessions_are_named_in_order),
    check!(sessions_are_named_in_pages),
    check!(a_session_is_named_once_it_was_opened),
    check!(every_allowed_name_works),
    check!(many_sessions_are_written_at_once),
];

async fn names(trial: &Trial) -> Checked<Vec<SessionId>> {
    let here = trial.store().sessions(None, 10_000).await?;
    let there = trial.other().await?.sessions(None, 10_000).await?;
    expect_eq("the sessions named elsewhere", &there, &here)?;
    Ok(here)
}

async fn a_store_without_sessions_names_none(trial: &Trial) -> Checked {
    expect_eq("the sessions", names(trial).await?, Vec::new())
}

async fn make(trial: &Trial, names: &[&str]) -> Checked<Vec<SessionId>> {
    let mut sessions = Vec::new();
    for name in names {
        let id = session(name)?;
        trial.filled(&id, 1).await?.close().await?;
        sessions.push(id);
    }
    sessions.sort();
    Ok(sessions)
}

async fn sessions_are_named_in_order(trial: &Trial) -> Checked {
    let wanted = make(
        trial,
        &["b", "a-2", "a", "a10", "B", "a2", "_", "-", "0", "a.b"],
    )
    .await?;
    expect_eq("the sessions", names(trial).await?, wanted)
}

async fn sessions_are_named_in_pages(trial: &Trial) -> Checked {
    let wanted = make(trial, &["m", "c", "x", "a", "q", "b"]).await?;
    for limit in [1, 2, 3, 5, 6, 7] {
        let mut found: Vec<SessionId> = Vec::new();
        loop {
            let page = trial.store().sessions(found.last(), limit).await?;
            if page.is_empty() {
                break;
            }
            let most = page.len() <= limit;
            expect_eq("a page within its limit", most, true)?;
            found.extend(page);
        }
        expect_eq("the sessions in pages", &found, &wanted)?;
    }
    // It need not be the name of a session.
    let after = session("n")?;
    let page = trial.store().sessions(Some(&after), 10).await?;
    expect_eq(
        "the sessions after n",
        page,
        vec![session("q")?, session("x")?],
    )
}

async fn a_session_is_named_once_it_was_opened(trial: &Trial) -> Checked {
    let id = session("opened")?;
    let log = trial.open(&id).await?;
    append(&*log, &sample::batch(0, 1, "event")?).await?;
    expect_eq("the sessions", names(trial).await?, vec![id.clone()])?;
    log.close().await?;
    expect_eq("the sessions", names(trial).await?, vec![id])
}

async fn every_allowed_name_works(trial: &Trial) -> Checked {
    let letters: String = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
    let all = format!("{letters}-_.");
    let long = "x".repeat(128);
    let dots = "a..b...c.";
    let odd = [
        "con", "lock", "events", "x.json", "x.log", "-rf", "_", "A", "a", "0.0",
    ];
    let ids = odd.iter().copied().chain([all.as_str(), &long, dots]);
    let mut wanted = Vec::new();
    for name in ids {
        let id = session(name)?;
        let log = trial
            .filled(&id, 3)
            .await
            .map_err(|end| end.at(format_args!("the session {name}")))?;
        log.close().await?;
        wanted.push(id);
    }
    for id in &wanted {
        let events = sample::batch(0, 3, id.as_str())?;
        trial.expect_holds(id, &events).await?;
    }
    wanted.sort();
    expect_eq("the sessions", names(trial).await?, wanted)
}

async fn many_sessions_are_written_at_once(trial: &Trial) -> Checked {
    const SESSIONS: usize = 32;
    const EVENTS: u64 = 20;
    let other = trial.other().await?;
    let mut tasks = Vec::new();
    for number in 0..SESSIONS {
        let store = match number % 2 {
            0 => Arc::clone(trial.store()),
            _ => Arc::clone(&other),
        };
        let (id, writer) = (session(&format!("s{number:02}"))?, trial.writer("many"));
        tasks.push(tokio::spawn(async move {
            let log = store.open(&id, writer).await?;
            for event in sample::batch(0, EVENTS, id.as_str())?.chunks(3) {
                append(&*log, event).await?;
                tokio::task::yield_now().await;
            }
            expect_eq("the next id", log.next(), EventId(EVENTS))?;
            log.close().await?;
            Ok(id)
        }));
    }
    let mut sessions = Vec::new();
    for task in tasks {
        let done: Checked<SessionId> = task
            .await
            .map_err(|error| End::failed(format!("appending panicked: {error}")))?;
        sessions.push(done?);
    }
    for id in &sessions {
        let wanted = sample::batch(0, EVENTS, id.as_str())?;
        trial.expect_holds(id, &wanted).await?;
    }
    expect_eq("the sessions", names(trial).await?, sessions)
}

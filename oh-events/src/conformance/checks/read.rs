//! Reading what was appended.

use oh_core::{ErrorKind, EventId};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, End, ensure, expect_eq, expect_kind, expect_names};
use crate::conformance::paging;
use crate::conformance::sample;
use crate::conformance::trial::{Trial, append, expect_events, same_events, session};
use crate::store::{Direction, Encoded, EventReader, ReadRange};

const FAMILY: Family = Family::Read;

pub(super) const CHECKS: &[Check] = &[
    check!(an_unknown_session_is_not_found),
    check!(a_log_without_events_can_be_read),
    check!(any_range_is_read_in_both_directions),
    check!(a_range_beyond_the_end_is_empty),
    check!(pages_keep_their_limit_and_lose_nothing),
    check!(a_page_of_few_bytes_holds_one_event),
    check!(the_exact_bytes_come_back),
    check!(an_event_of_1_mib_comes_back),
    check!(a_reader_sees_what_was_appended_after_it_was_made),
    check!(a_reader_outlives_the_log),
    check!(several_readers_read_at_once),
    check!(reading_changes_nothing),
];

async fn an_unknown_session_is_not_found(trial: &Trial) -> Checked {
    let id = session("nowhere")?;
    let viewed = trial.store().view(&id).await;
    let error = expect_kind("viewing an unknown session", viewed, ErrorKind::NotFound)?;
    expect_names(&error, "nowhere")?;
    let sessions = trial.store().sessions(None, 10).await?;
    ensure!(
        sessions.is_empty(),
        "viewing an unknown session made {sessions:?}"
    );
    Ok(())
}

async fn a_log_without_events_can_be_read(trial: &Trial) -> Checked {
    let id = session("empty")?;
    let log = trial.open(&id).await?;
    trial.expect_holds(&id, &[]).await?;
    log.close().await?;
    trial.expect_holds(&id, &[]).await
}

async fn any_range_is_read_in_both_directions(trial: &Trial) -> Checked {
    let id = session("ranges")?;
    let log = trial.filled(&id, 130).await?;
    let all = sample::batch(0, 130, id.as_str())?;
    let other = trial.other().await?.view(&id).await?;
    for reader in [&*log.reader(), &*other] {
        for (from, to) in [(0, 130), (0, 1), (129, 130), (24, 26), (25, 75), (30, 100)] {
            let wanted = all.get(from..to).unwrap_or_default();
            let range = ReadRange::new(EventId(from as u64), EventId(to as u64));
            let found = paging::read_all(reader, range).await?;
            same_events(&format!("the range {from} to {to}"), &found, wanted)?;
            let reverse = range.direction(Direction::Reverse);
            let mut found = paging::read_all(reader, reverse).await?;
            found.reverse();
            same_events(&format!("the range {to} to {from}"), &found, wanted)?;
        }
    }
    Ok(())
}

async fn a_range_beyond_the_end_is_empty(trial: &Trial) -> Checked {
    let id = session("beyond")?;
    let log = trial.filled(&id, 10).await?;
    let reader = log.reader();
    let empty = [(10, 11), (10, u64::MAX), (500, 900), (4, 4), (6, 3)];
    for (from, to) in empty {
        for direction in [Direction::Forward, Direction::Reverse] {
            let range = ReadRange::new(EventId(from), EventId(to)).direction(direction);
            let page = reader.read(range).await?;
            ensure!(
                page.is_empty(),
                "the range {from} to {to} holds {} events",
                page.len()
            );
        }
    }
    let wanted = sample::batch(8, 10, id.as_str())?;
    let range = ReadRange::new(EventId(8), EventId(u64::MAX));
    let found = paging::read_all(&*reader, range).await?;
    same_events("what is there of a range", &found, &wanted)?;
    let reverse = range.direction(Direction::Reverse);
    let mut found = paging::read_all(&*reader, reverse).await?;
    found.reverse();
    same_events("what is there of a reverse range", &found, &wanted)
}

async fn pages_keep_their_limit_and_lose_nothing(trial: &Trial) -> Checked {
    let id = session("pages")?;
    let log = trial.filled(&id, 90).await?;
    let all = sample::batch(0, 90, id.as_str())?;
    let one = all.first().map_or(0, |event| event.json().len());
    let reader = log.reader();
    for limit in [1, 2, 7, 25, 89, 90, 91] {
        for max_bytes in [one * 3, usize::MAX] {
            let range = ReadRange::default().limit(limit).max_bytes(max_bytes);
            let found = paging::read_all(&*reader, range).await?;
            same_events("the log in pages", &found, &all)?;
            let reverse = range.direction(Direction::Reverse);
            let mut found = paging::read_all(&*reader, reverse).await?;
            found.reverse();
            same_events("the log in reverse pages", &found, &all)?;
        }
    }
    Ok(())
}

async fn a_page_of_few_bytes_holds_one_event(trial: &Trial) -> Checked {
    let id = session("few")?;
    let log = trial.filled(&id, 40).await?;
    let reader = log.reader();
    for max_bytes in [0, 1] {
        for direction in [Direction::Forward, Direction::Reverse] {
            let range = ReadRange::default()
                .max_bytes(max_bytes)
                .direction(direction);
            let page = reader.read(range).await?;
            ensure!(
                page.len() == 1,
                "a page of at most {max_bytes} bytes holds {} events",
                page.len()
            );
            let found = paging::read_all(&*reader, range).await?;
            expect_eq("the number of events", found.len(), 40)?;
        }
    }
    Ok(())
}

async fn the_exact_bytes_come_back(trial: &Trial) -> Checked {
    let id = session("exact")?;
    let log = trial.open(&id).await?;
    let events = sample::odd()?;
    append(&*log, &events).await?;
    expect_events("the log", &*log.reader(), &events).await?;
    trial.expect_holds(&id, &events).await?;
    log.close().await?;
    trial.expect_holds(&id, &events).await
}

async fn an_event_of_1_mib_comes_back(trial: &Trial) -> Checked {
    let id = session("large")?;
    let log = trial.open(&id).await?;
    let text: String = (0..1024 * 128).map(|n| format!("{n:07} ")).collect();
    let mut events = sample::batch(0, 2, "small")?;
    events.push(sample::event(2, &text)?);
    events.push(sample::event(3, "small")?);
    for event in &events {
        append(&*log, std::slice::from_ref(event)).await?;
    }
    let batch = [sample::event(4, &text)?, sample::event(5, &text)?];
    append(&*log, &batch).await?;
    events.extend(batch);
    expect_events("the log", &*log.reader(), &events).await?;
    log.close().await?;
    trial.expect_holds(&id, &events).await?;
    let reader = trial.store().view(&id).await?;
    let reverse = ReadRange::default().direction(Direction::Reverse);
    let mut found = paging::read_all(&*reader, reverse).await?;
    found.reverse();
    same_events("the log in reverse", &found, &events)
}

async fn a_reader_sees_what_was_appended_after_it_was_made(trial: &Trial) -> Checked {
    let id = session("later")?;
    let log = trial.open(&id).await?;
    let reader = log.reader();
    expect_events("an empty log", &*reader, &[]).await?;
    let events = sample::batch(0, 60, "event")?;
    for (at, event) in events.iter().enumerate() {
        append(&*log, std::slice::from_ref(event)).await?;
        expect_eq("the next id", reader.next(), event.id().next())?;
        let range = ReadRange::new(event.id(), EventId(u64::MAX));
        let found = reader.read(range).await?;
        same_events(
            "the newest event",
            &found,
            events.get(at..=at).unwrap_or_default(),
        )?;
    }
    expect_events("the log", &*reader, &events).await
}

async fn a_reader_outlives_the_log(trial: &Trial) -> Checked {
    let id = session("outlived")?;
    let log = trial.filled(&id, 50).await?;
    let reader = log.reader();
    log.close().await?;
    drop(log);
    let wanted = sample::batch(0, 50, id.as_str())?;
    expect_events("the log", &*reader, &wanted).await
}

async fn several_readers_read_at_once(trial: &Trial) -> Checked {
    let id = session("several")?;
    let log = trial.filled(&id, 120).await?;
    let mut readers = vec![log.reader(), log.reader(), trial.store().view(&id).await?];
    readers.push(trial.other().await?.view(&id).await?);
    let mut tasks = Vec::new();
    for (number, reader) in readers.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            let range = ReadRange::default().limit(number + 3);
            paging::read_all(&*reader, range).await
        }));
    }
    let all = sample::batch(0, 120, id.as_str())?;
    // Appending goes on beside them.
    append(&*log, &sample::batch(120, 125, id.as_str())?).await?;
    for task in tasks {
        let found = task
            .await
            .map_err(|error| End::failed(format!("reading panicked: {error}")))??;
        let begin = found.get(..all.len()).unwrap_or(&found);
        same_events("a reader's log", begin, &all)?;
    }
    Ok(())
}

async fn reading_changes_nothing(trial: &Trial) -> Checked {
    let id = session("still")?;
    let log = trial.filled(&id, 30).await?;
    log.close().await?;
    let wanted: Vec<Encoded> = sample::batch(0, 30, id.as_str())?;
    for _ in 0..3 {
        let reader = trial.store().view(&id).await?;
        let part = ReadRange::new(EventId(3), EventId(20)).limit(4);
        paging::read_all(&*reader, part).await?;
        expect_events("the log", &*reader as &dyn EventReader, &wanted).await?;
    }
    let log = trial.open(&id).await?;
    expect_eq("the next id", log.next(), EventId(30))
}

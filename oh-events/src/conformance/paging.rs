//! Reading page by page, as followers do.

use oh_core::EventId;

use crate::store::{Direction, Encoded, EventReader, ReadRange};

use super::expect::{Checked, ensure};

/// Reads all of a range, and holds each page to the rules of pages.
pub(super) async fn read_all(reader: &dyn EventReader, range: ReadRange) -> Checked<Vec<Encoded>> {
    let mut all = Vec::new();
    let mut rest = range;
    loop {
        let page = reader.read(rest).await?;
        check_page(&page, rest)?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        match rest.direction {
            Direction::Forward => rest.from = last.id().next(),
            Direction::Reverse => rest.to = last.id(),
        }
        all.extend(page);
    }
}

fn check_page(page: &[Encoded], range: ReadRange) -> Checked {
    ensure!(
        page.len() <= range.limit,
        "a page has {} events, its limit is {}",
        page.len(),
        range.limit
    );
    let ids: Vec<EventId> = page.iter().map(Encoded::id).collect();
    let inside = |id: &EventId| *id >= range.from && *id < range.to;
    ensure!(
        ids.iter().all(inside),
        "a page of {} to {} holds the ids {ids:?}",
        range.from,
        range.to
    );
    let follows = |pair: &[EventId]| match (range.direction, pair) {
        (Direction::Reverse, [one, two]) => two.next() == *one,
        (_, [one, two]) => one.next() == *two,
        _ => true,
    };
    ensure!(
        ids.windows(2).all(follows),
        "the ids of a page of direction {:?} are {ids:?}",
        range.direction
    );
    // The event that reaches the limit may be in the page or begin the next one.
    let but_last = page.len().saturating_sub(1);
    let bytes: usize = page.iter().take(but_last).map(|e| e.json().len()).sum();
    ensure!(
        page.len() < 2 || bytes <= range.max_bytes,
        "a page went on after {bytes} bytes, its limit is {}",
        range.max_bytes
    );
    for event in page {
        let id = event.id();
        ensure!(
            Encoded::id_in(event.json()) == Some(id),
            "the event {id} has another id in its JSON"
        );
    }
    Ok(())
}

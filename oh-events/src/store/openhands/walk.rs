//! Reading a range of events, by pages where there are some.

use std::io::Result;

use oh_core::EventId;

use crate::store::{Damage, Direction, Encoded, ReadRange};

use super::folder::Folder;
use super::found::Found;
use super::page;

/// After this many events without a file, the next one that has one is looked for.
const HOLES: u64 = page::EVENTS;

/// Reads a page of a log that ends before `next`. Damage is returned if nothing comes before it.
pub(super) fn read(
    folder: &Folder,
    next: u64,
    range: ReadRange,
) -> Result<std::result::Result<Vec<Encoded>, Damage>> {
    let mut walk = Walk {
        folder,
        next,
        from: range.from.0,
        to: range.to.0.min(next),
        direction: range.direction,
        page: None,
        holes: 0,
    };
    let (mut events, mut bytes) = (Vec::new(), 0);
    while events.len() < range.limit && (events.is_empty() || bytes < range.max_bytes) {
        match walk.step()? {
            None => break,
            Some(Found::Nothing) => {}
            Some(Found::Event(event)) => {
                bytes += event.json().len();
                events.push(event);
            }
            Some(Found::Damage(damage)) if events.is_empty() => return Ok(Err(damage)),
            Some(Found::Damage(_)) => break,
        }
    }
    Ok(Ok(events))
}

struct Walk<'a> {
    folder: &'a Folder,
    next: u64,
    /// What is left of the range.
    from: u64,
    to: u64,
    direction: Direction,
    /// The last page that was looked for, and what it held.
    page: Option<(u64, Option<Vec<Encoded>>)>,
    /// How many events in a row had no file.
    holes: u64,
}

impl Walk<'_> {
    fn step(&mut self) -> Result<Option<Found>> {
        if self.holes >= HOLES && !self.pass_holes()? {
            return Ok(None);
        }
        if self.from >= self.to {
            return Ok(None);
        }
        let id = match self.direction {
            Direction::Forward => self.from,
            Direction::Reverse => self.to - 1,
        };
        let found = self.at(id)?;
        match self.direction {
            Direction::Forward => self.from = id + 1,
            Direction::Reverse => self.to = id,
        }
        self.holes = match found {
            Found::Nothing => self.holes + 1,
            _ => 0,
        };
        Ok(Some(found))
    }

    /// Goes to the next event that has a file; false if there is none.
    fn pass_holes(&mut self) -> Result<bool> {
        self.holes = 0;
        Ok(match self.direction {
            Direction::Forward => match self.folder.first_in(self.from, self.to)? {
                Some(first) => {
                    self.from = first;
                    true
                }
                None => false,
            },
            Direction::Reverse => match self.folder.last_in(self.from, self.to)? {
                Some(last) => {
                    self.to = last + 1;
                    true
                }
                None => false,
            },
        })
    }

    fn at(&mut self, id: u64) -> Result<Found> {
        let start = page::start_of(id);
        let is_full = page::end_of(start).is_some_and(|end| end <= self.next);
        // For one event its own file is less to read.
        let wants_more = self.to - self.from > 1;
        let looked_for = |page: &(u64, _)| page.0 == start;
        if is_full && wants_more && !self.page.as_ref().is_some_and(looked_for) {
            self.page = Some((start, page::read(self.folder, start)?));
        }
        let in_page = match &self.page {
            Some((at, Some(events))) if *at == start => {
                let index = usize::try_from(id - start).unwrap_or(usize::MAX);
                events.get(index).filter(|event| event.id() == EventId(id))
            }
            _ => None,
        };
        match in_page {
            Some(event) => Ok(Found::Event(event.clone())),
            None => Found::read(self.folder, id),
        }
    }
}

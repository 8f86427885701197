//! Pages of a log, from messages.

use std::sync::Arc;

use async_nats::jetstream::message::StreamMessage;
use futures_util::future::join_all;
use oh_core::{EventId, Result};

use crate::store::{Damage, Direction, Encoded, ReadRange};

use super::page::{More, Page, Window};
use super::piece::{Assembly, Batch, Heading, Piece};
use super::place::{End, Place};
use super::server::Server;

/// Messages that are close enough to be read instead of searched.
const NEAR: u64 = 4;

/// Reads the events of one stream.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    pub(super) server: Server,
    pub(super) stream: String,
    pub(super) subject: String,
    pub(super) place: Arc<Place>,
}

impl Pages {
    /// Reads a page of what lies before the end that is given.
    pub(super) async fn read(&self, range: &ReadRange, end: End) -> Result<Vec<Encoded>> {
        let to = range.to.0.min(end.next);
        if range.from.0 >= to || range.limit == 0 {
            return Ok(Vec::new());
        }
        match range.direction {
            Direction::Forward => self.forward(range, to, end).await,
            Direction::Reverse => self.reverse(range, to, end).await,
        }
    }

    async fn forward(&self, range: &ReadRange, to: u64, end: End) -> Result<Vec<Encoded>> {
        let mut page = Page::new(range);
        let mut wanted = range.from.0;
        let mut walk = self.walk(wanted, end).await?;
        while let Some(batch) = walk.next(self).await? {
            if batch.next() <= wanted {
                walk.before = walk.before.max(batch.next());
                continue;
            }
            if batch.first > wanted {
                return page.end_before(self.damage(walk.before, batch.first.min(to)));
            }
            let Some(events) = batch.events() else {
                return page.end_before(self.damage(batch.first, batch.next()));
            };
            for event in events {
                let id = event.id().0;
                if id < wanted {
                    continue;
                }
                if id >= to || page.push(event) == More::No {
                    return Ok(page.events);
                }
            }
            wanted = batch.next();
            walk.before = wanted;
            if wanted >= to {
                return Ok(page.events);
            }
        }
        page.end_before(self.damage(walk.before, to))
    }

    async fn reverse(&self, range: &ReadRange, to: u64, end: End) -> Result<Vec<Encoded>> {
        let mut page = Page::new(range);
        let mut high = to;
        let mut last = match self.holding(to - 1, end).await? {
            Ok(batch) => batch.end,
            Err(damage) => return Err(damage.into()),
        };
        let mut window = Window::new(2);
        while last > 0 {
            let begin = last.saturating_sub(window.messages() - 1).max(1);
            let pieces = self.run_up_to(begin, last).await?;
            window.grow(&pieces);
            last -= pieces.len() as u64;
            let mut assembly = Assembly::default();
            let batches = pieces.into_iter().flatten();
            let batches: Vec<_> = batches.filter_map(|piece| assembly.push(piece)).collect();
            for batch in batches.into_iter().rev().filter(|batch| batch.count > 0) {
                self.place.note(batch.first, batch.begin);
                if batch.next() < high {
                    return page.end_before(self.damage(batch.next(), high));
                }
                let Some(events) = batch.events() else {
                    return page.end_before(self.damage(batch.first, batch.next()));
                };
                for event in events.into_iter().rev() {
                    let id = event.id().0;
                    if id >= high {
                        continue;
                    }
                    if id < range.from.0 || page.push(event) == More::No {
                        return Ok(page.events);
                    }
                }
                high = batch.first;
                if high <= range.from.0 {
                    return Ok(page.events);
                }
            }
        }
        page.end_before(self.damage(0, high))
    }

    /// The last message that a writer of events wrote, and the number of the last of all.
    pub(super) async fn last(&self) -> Result<Option<(Heading, u64)>> {
        let mut found = self.server.last(&self.stream, &self.subject).await?;
        if found.is_none() {
            // A server that had its last message deleted says that there is none.
            let info = self.server.info(&self.stream).await?;
            if let Some(state) = info.map(|info| info.state).filter(|at| at.messages > 0) {
                found = self.last_before(state.last_sequence + 1).await?;
            }
        }
        let end = found.as_ref().map_or(0, |message| message.sequence);
        while let Some(message) = found {
            if let Some(heading) = Heading::read(&message.headers) {
                return Ok(Some((heading, end)));
            }
            found = self.last_before(message.sequence).await?;
        }
        Ok(None)
    }

    /// The last message before a number.
    async fn last_before(&self, end: u64) -> Result<Option<StreamMessage>> {
        for sequence in (1..end).rev() {
            let found = self
                .server
                .at_or_after(&self.stream, &self.subject, sequence);
            let found = found.await?.filter(|found| found.sequence == sequence);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The batch that holds an event, or what is in its place.
    async fn holding(&self, id: u64, end: End) -> Result<Result<Batch, Damage>> {
        let mut walk = self.walk(id, end).await?;
        while let Some(batch) = walk.next(self).await? {
            if batch.next() <= id {
                walk.before = walk.before.max(batch.next());
            } else if batch.first <= id {
                return Ok(Ok(batch));
            } else {
                return Ok(Err(self.damage(walk.before, batch.first)));
            }
        }
        Ok(Err(self.damage(walk.before, end.next)))
    }

    fn damage(&self, from: u64, to: u64) -> Damage {
        Damage::new(EventId(from), EventId(to), self.stream.as_str(), 0)
    }

    /// Begins to read at a message that lies before an event, close to it.
    async fn walk(&self, id: u64, end: End) -> Result<Walk> {
        let (mut low, mut high) = self.place.around(id, end);
        let mut halve = false;
        while low.0 < id && high.1.saturating_sub(low.1) > NEAR {
            let messages = high.1 - low.1;
            let ahead = if halve {
                messages / 2
            } else {
                part(id - low.0, high.0.saturating_sub(low.0), messages)
            };
            halve = !halve;
            let probe = low.1 + ahead.clamp(1, messages - 1);
            let found = self.at_or_after(probe).await?;
            match found {
                Found::Piece(piece) if piece.sequence < high.1 => {
                    let (first, begin) = (piece.heading.first, piece.begin());
                    if first > id {
                        high = (first, piece.sequence);
                    } else if begin > low.1 {
                        low = (first, begin);
                    } else {
                        break;
                    }
                }
                Found::Other(sequence) if sequence < high.1 => break,
                // Nothing is left between the two.
                _ => high.1 = probe,
            }
        }
        Ok(Walk {
            next: low.1,
            end: end.sequence,
            before: low.0,
            window: Window::new(NEAR),
            pieces: Vec::new().into_iter(),
            assembly: Assembly::default(),
        })
    }

    async fn at_or_after(&self, sequence: u64) -> Result<Found> {
        let found = self
            .server
            .at_or_after(&self.stream, &self.subject, sequence);
        Ok(match found.await? {
            None => Found::Nothing,
            Some(message) => {
                let sequence = message.sequence;
                Piece::read(message).map_or(Found::Other(sequence), Found::Piece)
            }
        })
    }

    /// The messages with these numbers; nothing in the place of one that is not there.
    async fn run(&self, begin: u64, end: u64) -> Result<Vec<Option<Piece>>> {
        let pieces = (begin..=end).map(|sequence| async move {
            match self.at_or_after(sequence).await {
                Ok(Found::Piece(piece)) if piece.sequence == sequence => Ok(Some(piece)),
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            }
        });
        join_all(pieces).await.into_iter().collect()
    }

    /// As [`run`](Self::run), and from the beginning of the first batch on.
    async fn run_up_to(&self, begin: u64, end: u64) -> Result<Vec<Option<Piece>>> {
        let pieces = self.run(begin, end).await?;
        let earlier = match pieces.iter().flatten().next() {
            Some(first) if first.begin() < begin => first.begin(),
            _ => return Ok(pieces),
        };
        let mut all = self.run(earlier, begin - 1).await?;
        all.extend(pieces);
        Ok(all)
    }
}

enum Found {
    Piece(Piece),
    /// A message that no writer of events wrote.
    Other(u64),
    Nothing,
}

/// Reads batches in their order.
struct Walk {
    /// Number of the message that is asked for next.
    next: u64,
    end: u64,
    /// The events before this id were passed.
    before: u64,
    window: Window,
    pieces: std::vec::IntoIter<Option<Piece>>,
    assembly: Assembly,
}

impl Walk {
    async fn next(&mut self, pages: &Pages) -> Result<Option<Batch>> {
        loop {
            for piece in self.pieces.by_ref().flatten() {
                if let Some(batch) = self.assembly.push(piece)
                    && batch.count > 0
                {
                    pages.place.note(batch.first, batch.begin);
                    return Ok(Some(batch));
                }
            }
            if self.next > self.end {
                return Ok(None);
            }
            let last = self.end.min(self.next + self.window.messages() - 1);
            let pieces = pages.run(self.next, last).await?;
            self.next = last + 1;
            self.window.grow(&pieces);
            self.pieces = pieces.into_iter();
        }
    }
}

/// `whole` in the proportion of `share` to `of`.
fn part(share: u64, of: u64, whole: u64) -> u64 {
    let part = u128::from(share) * u128::from(whole) / u128::from(of.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

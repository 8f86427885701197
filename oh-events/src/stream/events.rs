//! Reading a range once.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use oh_core::{Event, EventId, Result};

use crate::filter::Filter;
use crate::store::{Damage, Direction, Dropped, EventReader, ReadRange};

use super::page::{self, Reading};
use super::query::Query;

/// The events that a [`Query`] names, read page by page; it ends with the range.
///
/// Events that the log does not hold any more when it begins are left out. After
/// [`Corrupt`](oh_core::ErrorKind::Corrupt) it goes on behind the [`Damage`], after
/// [`Gone`](oh_core::ErrorKind::Gone) behind events that were [`Dropped`] while it was reading;
/// any other error ends it.
#[must_use = "events are read when they are polled"]
pub struct Events {
    reader: Arc<dyn EventReader>,
    /// What is left to read.
    query: Query,
    /// How many may still be yielded.
    left: usize,
    ready: VecDeque<Arc<Event>>,
    reading: Option<Reading>,
    failed: bool,
}

impl Events {
    /// Reads what was published up to, and without, an id.
    pub(super) fn new(reader: Arc<dyn EventReader>, mut query: Query, published: EventId) -> Self {
        query.to = query.to.min(published);
        query.from = query.from.max(reader.first());
        Self {
            reader,
            left: query.limit.unwrap_or(usize::MAX),
            query,
            ready: VecDeque::new(),
            reading: None,
            failed: false,
        }
    }

    /// The next event; `None` at the end. The same as [`Stream::poll_next`].
    ///
    /// # Errors
    /// [`Corrupt`](oh_core::ErrorKind::Corrupt) for events that cannot be read,
    /// [`Gone`](oh_core::ErrorKind::Gone) for those that were [`Dropped`]; the kinds of the store.
    ///
    /// # Cancel safety
    /// A dropped call loses no event.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// All of them, or the first error.
    pub(super) async fn collect(mut self) -> Result<Vec<Arc<Event>>> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event?);
        }
        Ok(all)
    }

    fn read(&self) -> Reading {
        let mut range = ReadRange::new(self.query.from, self.query.to);
        if self.query.filter == Filter::default() {
            range.limit = range.limit.min(self.left);
        }
        let range = range.direction(self.query.direction);
        page::read(Arc::clone(&self.reader), range)
    }

    /// Takes the ids from `low` up to `high` off what is left to read.
    fn narrow(&mut self, low: EventId, high: EventId) {
        match self.query.direction {
            Direction::Forward => self.query.from = high.max(self.query.from.next()),
            Direction::Reverse => {
                self.query.to = low.min(EventId(self.query.to.0.saturating_sub(1)));
            }
        }
    }

    fn take_page(&mut self, page: Result<Vec<Arc<Event>>>) -> Result<()> {
        match page {
            Ok(page) => {
                let mut dropped = None;
                match (page.first(), page.last()) {
                    (Some(first), Some(last)) => {
                        let is_forward = self.query.direction == Direction::Forward;
                        if is_forward && first.id > self.query.from {
                            dropped = Some(Dropped::new(self.query.from, first.id));
                        }
                        let (low, high) = (first.id.min(last.id), first.id.max(last.id));
                        self.narrow(low, high.next());
                    }
                    _ => self.query.to = self.query.from,
                }
                self.ready.extend(page);
                dropped.map_or(Ok(()), |dropped| Err(dropped.into()))
            }
            Err(error) => {
                match Damage::of(&error) {
                    Some(damage) => self.narrow(damage.from, damage.to),
                    None => self.failed = true,
                }
                Err(error)
            }
        }
    }
}

impl Stream for Events {
    type Item = Result<Arc<Event>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.left == 0 || this.failed {
                return Poll::Ready(None);
            }
            while let Some(event) = this.ready.pop_front() {
                if this.query.filter.matches(&event) {
                    this.left -= 1;
                    return Poll::Ready(Some(Ok(event)));
                }
            }
            if this.query.from >= this.query.to {
                return Poll::Ready(None);
            }
            let fresh = match this.reading.take() {
                Some(reading) => reading,
                None => this.read(),
            };
            let reading = this.reading.insert(fresh);
            let page = ready!(reading.as_mut().poll(context));
            this.reading = None;
            if let Err(error) = this.take_page(page) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

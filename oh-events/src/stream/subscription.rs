//! Followers, each with a place of its own.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use oh_core::{Event, EventId, Result};

use crate::filter::Filter;
use crate::store::{Damage, Dropped, EventReader, ReadRange};

use super::hub::{Hub, Taken};
use super::page::{self, Reading};

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cursor {
    /// At the first event that the log holds.
    Start,
    /// At this id; one that is not there yet is waited for, and one that is not there any more is
    /// answered with the [`Dropped`] events.
    From(EventId),
    /// At the first event that is published after the call.
    Live,
}

impl Cursor {
    /// The id to begin at, in a log that holds `first` and publishes `next` next.
    pub(super) fn id(self, first: u64, next: u64) -> u64 {
        match self {
            Self::Start => first,
            Self::From(id) => id.0,
            Self::Live => next,
        }
    }
}

/// Events in the order of their ids, those of the past first, without gap or duplicate.
///
/// It ends after the last event of a stream that was closed or whose last handle was dropped, or
/// where [`to`](Self::to) says. An error does not end it: after
/// [`Corrupt`](oh_core::ErrorKind::Corrupt) it goes on behind the [`Damage`], after
/// [`Gone`](oh_core::ErrorKind::Gone) behind the events that the log [`Dropped`] before they were
/// read, after any other it tries the same place again.
///
/// One that is not read holds up no one and takes no memory; it reads from the store what has left
/// memory meanwhile. One that would rather skip that is a
/// [`LossySubscription`](crate::LossySubscription).
#[must_use = "a subscription yields events when it is polled"]
pub struct Subscription {
    place: Place,
    next: u64,
    /// First id that it does not come to.
    to: u64,
    ready: VecDeque<Arc<Event>>,
    /// A page that is being read, and the end of its range.
    reading: Option<(Reading, u64)>,
    filter: Filter,
}

enum Place {
    /// Beside the writer.
    Live { hub: Arc<Hub>, key: u64 },
    /// On a log that someone else may write.
    View(Arc<dyn EventReader>),
}

impl Subscription {
    pub(super) fn live(hub: &Arc<Hub>, cursor: Cursor) -> Self {
        let (key, next) = hub.enter();
        let (hub, first) = (Arc::clone(hub), hub.reader.first().0);
        Self::new(Place::Live { hub, key }, cursor, first, next)
    }

    pub(super) fn view(reader: Arc<dyn EventReader>, cursor: Cursor) -> Self {
        let (first, next) = (reader.first().0, reader.next().0);
        Self::new(Place::View(reader), cursor, first, next)
    }

    fn new(place: Place, cursor: Cursor, first: u64, next: u64) -> Self {
        Self {
            place,
            next: cursor.id(first, next),
            to: u64::MAX,
            ready: VecDeque::new(),
            reading: None,
            filter: Filter::default(),
        }
    }

    /// Yields only these events from now on.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Ends the subscription before this id, without waiting for the event.
    pub fn to(mut self, to: EventId) -> Self {
        self.to = to.0;
        self.ready.retain(|event| event.id < to);
        // It can go beyond the end.
        self.reading = None;
        self
    }

    /// Id of the event that this subscription comes to next, wanted or not.
    pub fn position(&self) -> EventId {
        let ready = self.ready.front().map(|event| event.id);
        ready.unwrap_or(EventId(self.next))
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

    fn take_page(&mut self, page: Result<Vec<Arc<Event>>>, to: u64) -> Result<()> {
        match page {
            Ok(page) => {
                let wanted = self.next;
                let found = match (page.first(), &self.place) {
                    (Some(first), _) => first.id.0,
                    (None, Place::Live { .. }) => to,
                    (None, Place::View(reader)) => reader.first().0.min(to),
                };
                self.next = page
                    .last()
                    .map_or(found, |last| last.id.next().0)
                    .max(wanted);
                self.ready.extend(page);
                match found > wanted {
                    true => Err(Dropped::new(EventId(wanted), EventId(found)).into()),
                    false => Ok(()),
                }
            }
            Err(error) => {
                if let Some(damage) = Damage::of(&error) {
                    self.next = damage.to.0.max(self.next.saturating_add(1));
                }
                Err(error)
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<Arc<Event>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            while let Some(event) = this.ready.pop_front() {
                if this.filter.matches(&event) {
                    return Poll::Ready(Some(Ok(event)));
                }
            }
            if let Some((reading, to)) = &mut this.reading {
                let (page, to) = (ready!(reading.as_mut().poll(context)), *to);
                this.reading = None;
                if let Err(error) = this.take_page(page, to) {
                    return Poll::Ready(Some(Err(error)));
                }
                continue;
            }
            if this.next >= this.to {
                return Poll::Ready(None);
            }
            let from = EventId(this.next);
            match &this.place {
                Place::View(reader) => {
                    let range = ReadRange::new(from, EventId(this.to));
                    let reading = page::follow(Arc::clone(reader), range);
                    this.reading = Some((reading, range.to.0));
                }
                Place::Live { hub, key } => match hub.take(*key, this.next, context) {
                    Taken::Events(events) => {
                        this.next += events.len() as u64;
                        let to = EventId(this.to);
                        this.ready
                            .extend(events.into_iter().filter(|event| event.id < to));
                    }
                    Taken::InStore { to, .. } => {
                        let to = to.min(this.to);
                        let range = ReadRange::new(from, EventId(to));
                        this.reading = Some((page::read(Arc::clone(&hub.reader), range), to));
                    }
                    Taken::Wait => return Poll::Pending,
                    Taken::End => return Poll::Ready(None),
                },
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Place::Live { hub, key } = &self.place {
            hub.leave(*key);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("position", &self.position())
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

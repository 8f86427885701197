//! Followers that would rather miss events than read them from the store.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use oh_core::{Event, EventId};

use crate::filter::Filter;

use super::hub::{Hub, Taken};
use super::subscription::Cursor;

/// What a [`LossySubscription`] yields.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Feed {
    /// An event that is wanted.
    Event(Arc<Event>),
    /// These events left memory before they were read, wanted or not.
    Lagged {
        /// First event that was missed.
        from: EventId,
        /// First event after those: reading goes on here.
        to: EventId,
    },
}

/// Where a [`LossySubscription`] goes on after it fell behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// At the oldest event in memory: as little as possible is missed.
    #[default]
    Oldest,
    /// At the newest event: nothing old is shown.
    Newest,
}

/// Events in the order of their ids, of which those are left out that left memory before they
/// were read; a [`Lagged`](Feed::Lagged) record stands in their place.
///
/// It never reads the store, so it has no errors. Every event from its beginning on is either
/// yielded, or not wanted, or inside of exactly one record. It ends like a
/// [`Subscription`](crate::Subscription).
#[must_use = "a subscription yields events when it is polled"]
pub struct LossySubscription {
    hub: Arc<Hub>,
    key: u64,
    next: u64,
    /// First id that it does not come to.
    to: u64,
    ready: VecDeque<Arc<Event>>,
    resume: Resume,
    filter: Filter,
}

impl LossySubscription {
    pub(super) fn new(hub: &Arc<Hub>, cursor: Cursor) -> Self {
        let (key, next) = hub.enter();
        Self {
            hub: Arc::clone(hub),
            key,
            next: cursor.id(hub.reader.first().0, next),
            to: u64::MAX,
            ready: VecDeque::new(),
            resume: Resume::default(),
            filter: Filter::default(),
        }
    }

    /// Yields only these events from now on. Records count events that are not wanted, too.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Ends the subscription before this id, without waiting for the event.
    pub fn to(mut self, to: EventId) -> Self {
        self.to = to.0;
        self.ready.retain(|event| event.id < to);
        self
    }

    /// Sets where it goes on after it fell behind.
    pub fn resume(mut self, resume: Resume) -> Self {
        self.resume = resume;
        self
    }

    /// Id of the event that this subscription comes to next, wanted or not.
    pub fn position(&self) -> EventId {
        let ready = self.ready.front().map(|event| event.id);
        ready.unwrap_or(EventId(self.next))
    }

    /// The next event or record; `None` at the end. The same as [`Stream::poll_next`].
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Feed> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for LossySubscription {
    type Item = Feed;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Feed>> {
        let this = self.get_mut();
        loop {
            while let Some(event) = this.ready.pop_front() {
                if this.filter.matches(&event) {
                    return Poll::Ready(Some(Feed::Event(event)));
                }
            }
            if this.next >= this.to {
                return Poll::Ready(None);
            }
            match this.hub.take(this.key, this.next, context) {
                Taken::Events(events) => {
                    this.next += events.len() as u64;
                    let to = EventId(this.to);
                    this.ready
                        .extend(events.into_iter().filter(|event| event.id < to));
                }
                Taken::InStore { to, newest } => {
                    let on = match this.resume {
                        Resume::Oldest => to,
                        Resume::Newest => newest,
                    };
                    let from = EventId(this.next);
                    this.next = on.min(this.to);
                    let to = EventId(this.next);
                    return Poll::Ready(Some(Feed::Lagged { from, to }));
                }
                Taken::Wait => return Poll::Pending,
                Taken::End => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for LossySubscription {
    fn drop(&mut self) {
        self.hub.leave(self.key);
    }
}

impl fmt::Debug for LossySubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossySubscription")
            .field("position", &self.position())
            .field("resume", &self.resume)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

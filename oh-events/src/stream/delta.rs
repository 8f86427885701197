//! Live fragments: not kept, and lost for whoever is too slow.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;
use oh_core::{EventId, OutputStream};

use super::ring::Ring;
use super::waiters::Waiters;

/// What a live fragment is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeltaChannel {
    /// Standard output of a command.
    Stdout,
    /// Standard error of a command.
    Stderr,
    /// Text of a model's answer.
    Text,
    /// What a model thinks before it answers.
    Reasoning,
}

impl From<OutputStream> for DeltaChannel {
    fn from(stream: OutputStream) -> Self {
        match stream {
            OutputStream::Stdout => Self::Stdout,
            OutputStream::Stderr => Self::Stderr,
        }
    }
}

/// A live fragment of what an event will hold in the end.
///
/// Whoever publishes it masks it first: an [`OutputSink`](crate::OutputSink) does both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delta {
    /// The event that it belongs to: the action, as a rule.
    pub cause: EventId,
    /// What it is part of.
    pub channel: DeltaChannel,
    /// Position of its first byte in the masked channel.
    pub at: u64,
    /// The bytes. A character may be cut at either end.
    pub data: Bytes,
}

impl Delta {
    /// Creates a fragment.
    pub fn new(
        cause: EventId,
        channel: impl Into<DeltaChannel>,
        at: u64,
        data: impl Into<Bytes>,
    ) -> Self {
        Self {
            cause,
            channel: channel.into(),
            at,
            data: data.into(),
        }
    }
}

/// What a [`DeltaSubscription`] yields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Live {
    /// A fragment.
    Delta(Delta),
    /// Fragments left memory before they were read.
    Lost {
        /// How many.
        deltas: u64,
        /// How many bytes they held.
        bytes: u64,
    },
}

pub(super) struct DeltaHub(Mutex<State>);

struct State {
    /// Each with the number of bytes before it.
    ring: Ring<(Delta, u64)>,
    bytes: u64,
    followers: usize,
    waiters: Waiters,
    closed: bool,
}

impl DeltaHub {
    pub(super) fn new(max_bytes: usize) -> Self {
        const MAX_DELTAS: usize = 4096;
        Self(Mutex::new(State {
            ring: Ring::new(0, MAX_DELTAS, max_bytes),
            bytes: 0,
            followers: 0,
            waiters: Waiters::default(),
            closed: false,
        }))
    }

    pub(super) fn publish(&self, delta: Delta) {
        let woken = {
            let mut state = self.lock();
            if state.followers == 0 || state.closed || delta.data.is_empty() {
                return;
            }
            let (before, size) = (state.bytes, delta.data.len());
            state.bytes += size as u64;
            state.ring.push((delta, before), size);
            state.waiters.take()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    pub(super) fn close(&self) {
        let woken = {
            let mut state = self.lock();
            state.closed = true;
            state.waiters.take()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for DeltaHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeltaHub").finish_non_exhaustive()
    }
}

/// Live fragments from the call on, in the order of publishing. One that is too slow loses the
/// oldest and is told how many; it ends when the stream is closed.
#[must_use = "a subscription yields fragments when it is polled"]
pub struct DeltaSubscription {
    hub: Arc<DeltaHub>,
    key: u64,
    next: u64,
    /// Bytes before the fragment that comes next.
    bytes: u64,
}

impl DeltaSubscription {
    pub(super) fn new(hub: &Arc<DeltaHub>) -> Self {
        let mut state = hub.lock();
        state.followers += 1;
        Self {
            hub: Arc::clone(hub),
            key: state.waiters.key(),
            next: state.ring.next(),
            bytes: state.bytes,
        }
    }

    /// The next fragment or loss; `None` at the end. The same as [`Stream::poll_next`].
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Live> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for DeltaSubscription {
    type Item = Live;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Live>> {
        let this = self.get_mut();
        let mut state = this.hub.lock();
        let first = state.ring.first();
        let wanted = this.next.max(first);
        let Some((delta, before)) = state.ring.from(wanted).next().cloned() else {
            if state.closed {
                return Poll::Ready(None);
            }
            let before = state.waiters.wait(this.key, context.waker());
            drop(state);
            drop(before);
            return Poll::Pending;
        };
        if this.next < first {
            let lost = Live::Lost {
                deltas: first - this.next,
                bytes: before.saturating_sub(this.bytes),
            };
            this.next = first;
            this.bytes = before;
            return Poll::Ready(Some(lost));
        }
        this.next += 1;
        this.bytes = before + delta.data.len() as u64;
        Poll::Ready(Some(Live::Delta(delta)))
    }
}

impl Drop for DeltaSubscription {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        let forgotten = state.waiters.forget(self.key);
        state.followers = state.followers.saturating_sub(1);
        drop(state);
        drop(forgotten);
    }
}

impl fmt::Debug for DeltaSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeltaSubscription")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

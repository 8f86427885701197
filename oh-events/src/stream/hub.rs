//! What the writer and the followers of a stream share.

use std::fmt;
use std::sync::{Arc, PoisonError};
#[cfg(not(loom))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};
use std::task::{Context, Waker};

#[cfg(loom)]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};
use oh_core::{AgentState, Event, EventId, RuntimeStatus};
use tokio::sync::watch;

use crate::fold::SessionState;
use crate::store::EventReader;

use super::ring::Ring;
use super::waiters::Waiters;

/// Largest number of events that a follower takes out at once.
const TAKE: usize = 64;

/// Events that were published: the latest in memory, all of them in the store.
pub(super) struct Hub {
    pub(super) reader: Arc<dyn EventReader>,
    state: Mutex<State>,
    /// End of the ring, for those who need nothing else: the writer asks often.
    next: AtomicU64,
    present: watch::Sender<Present>,
}

struct State {
    ring: Ring<Arc<Event>>,
    /// What is before the end of the ring, folded.
    session: SessionState,
    waiters: Waiters,
    closed: bool,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) agent: AgentState,
    pub(super) runtime: RuntimeStatus,
    pub(super) closed: bool,
}

impl Present {
    fn of(session: &SessionState) -> Self {
        Self {
            agent: session.agent_state(),
            runtime: session.runtime_status(),
            closed: false,
        }
    }
}

/// What there is for a follower.
pub(super) enum Taken {
    Events(Vec<Arc<Event>>),
    /// They left memory; the store has them, up to and without the id `to`.
    InStore {
        to: u64,
        /// The newest event in memory, or the next one if there is none.
        newest: u64,
    },
    /// Nothing yet; the follower is woken.
    Wait,
    /// Nothing any more.
    End,
}

impl Hub {
    pub(super) fn new(
        reader: Arc<dyn EventReader>,
        ring: Ring<Arc<Event>>,
        session: SessionState,
    ) -> Self {
        Self {
            reader,
            present: watch::Sender::new(Present::of(&session)),
            next: AtomicU64::new(ring.next()),
            state: Mutex::new(State {
                ring,
                session,
                waiters: Waiters::default(),
                closed: false,
            }),
        }
    }

    /// Id of the event that is published next.
    pub(super) fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Makes events visible, in the order of their ids.
    pub(super) fn publish(&self, events: impl IntoIterator<Item = (Arc<Event>, usize)>) {
        let (woken, before, now) = {
            let mut state = self.lock();
            let before = Present::of(&state.session);
            for (event, bytes) in events {
                state.session.apply(&event);
                state.ring.push(event, bytes);
            }
            self.next.store(state.ring.next(), Ordering::Release);
            (state.waiters.take(), before, Present::of(&state.session))
        };
        if now != before {
            self.present.send_modify(|present| {
                (present.agent, present.runtime) = (now.agent, now.runtime);
            });
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Ends every follower after the last event.
    pub(super) fn close(&self) {
        let woken = {
            let mut state = self.lock();
            state.closed = true;
            state.waiters.take()
        };
        self.present.send_modify(|present| present.closed = true);
        woken.into_iter().for_each(Waker::wake);
    }

    pub(super) fn present(&self) -> Present {
        *self.present.borrow()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Present> {
        self.present.subscribe()
    }

    /// What was published, folded.
    pub(super) fn session(&self) -> SessionState {
        self.lock().session.clone()
    }

    /// An event, if it is in memory.
    pub(super) fn recent(&self, id: EventId) -> Option<Arc<Event>> {
        let state = self.lock();
        let is_there = (state.ring.first()..state.ring.next()).contains(&id.0);
        is_there.then(|| state.ring.from(id.0).next().cloned())?
    }

    /// Whether an action is open, after everything that was published.
    pub(super) fn is_open(&self, action: EventId) -> bool {
        self.lock().session.is_open(action)
    }

    /// A key for a follower, and the id that is published next.
    pub(super) fn enter(&self) -> (u64, u64) {
        let mut state = self.lock();
        (state.waiters.key(), state.ring.next())
    }

    pub(super) fn leave(&self, key: u64) {
        let forgotten = self.lock().waiters.forget(key);
        drop(forgotten);
    }

    /// What there is for the follower that wants this id next.
    pub(super) fn take(&self, key: u64, wanted: u64, context: &Context<'_>) -> Taken {
        let mut state = self.lock();
        let (first, next) = (state.ring.first(), state.ring.next());
        if wanted < first {
            let newest = first.max(next - 1);
            return Taken::InStore { to: first, newest };
        }
        if wanted < next {
            return Taken::Events(state.ring.from(wanted).take(TAKE).cloned().collect());
        }
        if state.closed {
            return Taken::End;
        }
        let before = state.waiters.wait(key, context.waker());
        drop(state);
        drop(before);
        Taken::Wait
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("reader", &self.reader)
            .field("next", &self.next())
            .finish_non_exhaustive()
    }
}

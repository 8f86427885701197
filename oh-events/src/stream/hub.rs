//! What the writer and the followers of a stream share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use oh_core::{AgentState, Event};
use tokio::sync::watch;

use crate::store::EventReader;

use super::ring::Ring;
use super::state::recorded_state;
use super::waiters::Waiters;

/// Largest number of events that a follower takes out at once.
const TAKE: usize = 64;

/// Events that were published: the latest in memory, all of them in the store.
pub(super) struct Hub {
    pub(super) reader: Arc<dyn EventReader>,
    state: Mutex<State>,
    agent: watch::Sender<Agent>,
}

struct State {
    ring: Ring<Arc<Event>>,
    waiters: Waiters,
    closed: bool,
}

/// What the recorded states fold to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agent {
    pub(super) state: AgentState,
    pub(super) closed: bool,
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
        state: AgentState,
    ) -> Self {
        Self {
            reader,
            state: Mutex::new(State {
                ring,
                waiters: Waiters::default(),
                closed: false,
            }),
            agent: watch::Sender::new(Agent {
                state,
                closed: false,
            }),
        }
    }

    /// Id of the event that is published next.
    pub(super) fn next(&self) -> u64 {
        self.lock().ring.next()
    }

    /// Makes events visible, in the order of their ids.
    pub(super) fn publish(&self, events: impl IntoIterator<Item = (Arc<Event>, usize)>) {
        let mut changed = None;
        let woken = {
            let mut state = self.lock();
            for (event, bytes) in events {
                changed = recorded_state(&event.body).or(changed);
                state.ring.push(event, bytes);
            }
            state.waiters.take()
        };
        if let Some(changed) = changed {
            self.agent.send_modify(|agent| agent.state = changed);
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
        self.agent.send_modify(|agent| agent.closed = true);
        woken.into_iter().for_each(Waker::wake);
    }

    pub(super) fn agent(&self) -> AgentState {
        self.agent.borrow().state
    }

    pub(super) fn watch_agent(&self) -> watch::Receiver<Agent> {
        self.agent.subscribe()
    }

    /// A key for a follower, and the id that is published next.
    pub(super) fn enter(&self) -> (u64, u64) {
        let mut state = self.lock();
        (state.waiters.key(), state.ring.next())
    }

    pub(super) fn leave(&self, key: u64) {
        self.lock().waiters.forget(key);
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
        state.waiters.wait(key, context.waker());
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

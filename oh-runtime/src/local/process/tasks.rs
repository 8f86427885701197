//! The tasks of one runtime.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{EnterGuard, Handle};
use tokio::task::JoinSet;

/// Owns every task that a runtime starts. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    handle: Handle,
    set: Arc<Mutex<JoinSet<()>>>,
}

impl Tasks {
    /// For the current tokio runtime.
    pub(crate) fn new() -> Self {
        Self {
            handle: Handle::current(),
            set: Arc::default(),
        }
    }

    /// Starts a task. Can be called from anywhere, a destructor on a foreign thread included.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while set.try_join_next().is_some() {}
        set.spawn_on(task, &self.handle);
    }

    /// Has what is started while the guard lives belong to the tokio runtime of the tasks. The caller
    /// may be on another one, which may end earlier.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Drops every task and waits until they are gone.
    pub(crate) async fn end(&self) {
        let mut running = {
            let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *set)
        };
        running.shutdown().await;
    }

    /// Lets the tasks go on by themselves: they reap what was just killed, and end with that.
    pub(crate) fn detach(&self) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        set.detach_all();
    }
}

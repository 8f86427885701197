//! The runtime's status: looking at it, changing it, waiting for it.

use std::sync::Arc;

use oh_core::event::StatusChange;
use oh_core::{Draft, Error, ErrorKind, Result, RuntimeStatus, RuntimeTrigger, Source};

use super::event_stream::EventStream;

/// A change of the runtime's status, before it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeChange {
    /// What happened.
    pub trigger: RuntimeTrigger,
    /// More about it, for people.
    pub detail: String,
}

impl RuntimeChange {
    /// Describes a change without a detail.
    pub fn new(trigger: RuntimeTrigger) -> Self {
        Self {
            trigger,
            detail: String::new(),
        }
    }

    /// Sets the [`detail`](Self::detail).
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl From<RuntimeTrigger> for RuntimeChange {
    fn from(trigger: RuntimeTrigger) -> Self {
        Self::new(trigger)
    }
}

impl EventStream {
    /// The runtime's status: that of the last status event.
    pub fn runtime_status(&self) -> RuntimeStatus {
        self.core().hub.present().runtime
    }

    /// Changes the runtime's status and appends a status event. Where the trigger changes nothing,
    /// nothing is appended.
    ///
    /// What a runtime reports of itself is appended as it is
    /// ([`EventBody::Status`](oh_core::EventBody::Status)) and checked by no one.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if the present status does not accept the trigger, with
    /// an [`InvalidTransition`](oh_core::InvalidTransition) as source; those of
    /// [`append`](Self::append).
    ///
    /// # Cancel safety
    /// A dropped call may have changed the status.
    pub async fn set_runtime_status(
        &self,
        change: impl Into<RuntimeChange> + Send,
    ) -> Result<RuntimeStatus> {
        let change = change.into();
        let gate = Arc::clone(&self.core().state_gate).lock_owned().await;
        let present = self.runtime_status();
        let next = present.next(change.trigger)?;
        if next != present {
            let body = StatusChange::new(next, change.detail);
            let draft = Draft::new(Source::Environment, body);
            self.core().append_holding(draft, Some(gate)).await?;
        }
        Ok(next)
    }

    /// Waits until the runtime has a status that is wanted; returns at once if it has.
    ///
    /// Statuses that pass between two looks can be missed; a
    /// [`Subscription`](crate::Subscription) sees each of them.
    ///
    /// # Errors
    /// [`Gone`](ErrorKind::Gone) if the stream is closed in another status.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn wait_for_runtime_status(
        &self,
        mut wanted: impl FnMut(RuntimeStatus) -> bool + Send,
    ) -> Result<RuntimeStatus> {
        let mut present = self.core().hub.watch();
        let seen = present
            .wait_for(|present| wanted(present.runtime) || present.closed)
            .await
            .map(|present| present.runtime);
        match seen {
            Ok(status) if wanted(status) => Ok(status),
            _ => Err(Error::new(ErrorKind::Gone, "wait for runtime status")
                .with_object(self.session().as_str())
                .with_detail("the stream was closed before")),
        }
    }
}

//! Roles that only one part of a host may play.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oh_core::EventId;

/// What is known of the roles of a stream.
pub(super) type Roles = Arc<Mutex<HashMap<String, Role>>>;

#[derive(Debug, Default)]
pub(super) struct Role {
    taken: bool,
    reached: EventId,
}

/// A role on a stream, as long as this lives; see [`EventStream::claim`](crate::EventStream::claim).
#[derive(Debug)]
#[must_use = "the role is given back when the claim is dropped"]
pub struct Claim {
    role: String,
    roles: Roles,
}

impl Claim {
    /// Takes a role, or returns `None` if it is taken.
    pub(super) fn take(roles: &Roles, role: &str) -> Option<Self> {
        let mut known = lock(roles);
        let entry = known.entry(role.to_owned()).or_default();
        if std::mem::replace(&mut entry.taken, true) {
            return None;
        }
        Some(Self {
            role: role.to_owned(),
            roles: Arc::clone(roles),
        })
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Notes that everything before this event was dealt with, for who plays the role next. It is
    /// kept in memory, as long as the stream is open.
    pub fn reach(&self, before: EventId) {
        if let Some(role) = lock(&self.roles).get_mut(&self.role) {
            role.reached = role.reached.max(before);
        }
    }

    /// How far this holder of the role and those before came on this stream since it was opened:
    /// the largest id of [`reach`](Self::reach), 0 if there is none.
    pub fn reached(&self) -> EventId {
        lock(&self.roles)
            .get(&self.role)
            .map_or(EventId(0), |role| role.reached)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(role) = lock(&self.roles).get_mut(&self.role) {
            role.taken = false;
        }
    }
}

fn lock(roles: &Roles) -> MutexGuard<'_, HashMap<String, Role>> {
    roles.lock().unwrap_or_else(PoisonError::into_inner)
}

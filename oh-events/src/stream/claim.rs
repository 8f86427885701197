//! Roles that only one part of a host may play.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A role on a stream, as long as this lives; see [`EventStream::claim`](crate::EventStream::claim).
#[derive(Debug)]
#[must_use = "the role is given back when the claim is dropped"]
pub struct Claim {
    role: String,
    claims: Arc<Mutex<HashSet<String>>>,
}

impl Claim {
    /// Takes a role, or returns `None` if it is taken.
    pub(super) fn take(claims: &Arc<Mutex<HashSet<String>>>, role: &str) -> Option<Self> {
        let fresh = claims
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(role.to_owned());
        fresh.then(|| Self {
            role: role.to_owned(),
            claims: Arc::clone(claims),
        })
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.role
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.role);
    }
}

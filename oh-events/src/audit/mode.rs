//! With what the values of a chain are made.

use std::fmt;

use oh_core::secret::Secret;
use oh_core::{Error, Result};

use super::seal::Method;

/// Shortest key, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// Starts every chain.
pub(super) const START: [u8; 32] = [0; 32];

/// How a log is hash-chained: each event carries a value over its own JSON and the value of the
/// event before it, so that no event can be changed, removed, put in or moved without breaking
/// the chain.
///
/// Without a key, whoever can write the log can also make a new chain; what tells then is an
/// [`AuditHead`](crate::AuditHead) that is kept elsewhere. With a key, only its holders can.
/// In both cases such a head alone shows that events were cut off at the end, or that the values
/// of all events were taken out. Events that were taken away at the beginning look like those that
/// retention dropped: [`AuditReport::from`](crate::AuditReport::from) says where the chain begins.
/// A chain without its beginning holds from the second event on: what the first one followed is gone.
#[derive(Clone, Default)]
pub struct Audit {
    key: Option<Secret>,
}

impl Audit {
    /// Chains with SHA-256.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chains with HMAC-SHA-256.
    ///
    /// # Errors
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) for a key of less than 16 bytes.
    pub fn keyed(key: Secret) -> Result<Self> {
        if key.expose().len() < MIN_KEY_BYTES {
            let detail = "a key needs at least 16 bytes";
            return Err(Error::invalid("audit event log", detail));
        }
        Ok(Self { key: Some(key) })
    }

    pub(super) fn method(&self) -> Method {
        match self.key {
            None => Method::Plain,
            Some(_) => Method::Keyed,
        }
    }

    /// The value of an event: over the value before it and its JSON without its own value.
    pub(super) fn value<'p>(
        &self,
        before: &[u8; 32],
        json: impl IntoIterator<Item = &'p [u8]>,
    ) -> [u8; 32] {
        match &self.key {
            None => {
                let mut hash = hmac_sha256::Hash::new();
                hash.update(before);
                json.into_iter().for_each(|part| hash.update(part));
                hash.finalize()
            }
            Some(key) => {
                let mut mac = hmac_sha256::HMAC::new(key.expose());
                mac.update(before);
                json.into_iter().for_each(|part| mac.update(part));
                mac.finalize()
            }
        }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audit({})", self.method().name())
    }
}

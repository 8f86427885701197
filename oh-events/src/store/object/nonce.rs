//! Names that no one else makes.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::SystemTime;

use crate::hex;

/// Sixteen digits that differ from those of every other call, here and on other machines.
pub(super) fn nonce() -> String {
    let mut seed = Vec::new();
    for _ in 0..2 {
        // The keys of the hasher come from the system's source of randomness.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        if let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            hasher.write_u128(now.as_nanos());
        }
        seed.extend_from_slice(&hasher.finish().to_le_bytes());
    }
    let mut digits = hex::lower(&hmac_sha256::Hash::hash(&seed));
    digits.truncate(16);
    digits
}

//! The system's clock as event logs write it.

use std::time::{SystemTime, UNIX_EPOCH};

use oh_core::Timestamp;

/// The present moment; a clock before 1970 or after the year 9999 counts as 1970.
pub(crate) fn now() -> Timestamp {
    let micros = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_micros()).ok())
        .unwrap_or_default();
    Timestamp::from_micros(micros)
}

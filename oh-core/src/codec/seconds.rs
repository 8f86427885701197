//! Durations as V0 spells them: a float number of seconds, `120.0`.

use std::time::Duration;

use crate::codec::DecodeError;
use crate::codec::fields::Field;
use crate::event::RawJson;

/// Writes the exact decimal number with at least one digit after the point.
pub(crate) fn encode(duration: Duration) -> RawJson {
    let fraction = format!("{:09}", duration.subsec_nanos());
    let digits = fraction.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    RawJson::parse(format!("{}.{digits}", duration.as_secs())).unwrap_or_default()
}

pub(crate) fn decode(json: &Field<'_>) -> Result<Option<Duration>, DecodeError> {
    json.decode::<Option<f64>>()?
        .map(|seconds| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| DecodeError::new("is no length of time in seconds"))
        })
        .transpose()
}

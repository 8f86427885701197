//! When a request that failed is sent again. Pure: no clock, no client, no randomness of its own.

use std::time::Duration;

use crate::error::Error;

/// When a request that failed is sent again.
///
/// Only what failed before the first byte of an answer was given out is retried, and only if
/// [`Error::is_retryable`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a request is sent at most, the first time included; 5 by default.
    pub attempts: u32,
    /// Longest wait before the second attempt; it doubles with each. 1 s by default.
    pub first_wait: Duration,
    /// Longest wait before any attempt; 64 s by default. A provider that asks for more than this
    /// gets no further attempt.
    pub max_wait: Duration,
    /// Time for all attempts and waits together; 10 min by default.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_wait: Duration::from_secs(1),
            max_wait: Duration::from_secs(64),
            deadline: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// Sends each request once.
    pub fn never() -> Self {
        Self::default().attempts(1)
    }

    /// Sets the number of [`attempts`](Self::attempts).
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the [`first_wait`](Self::first_wait).
    #[must_use]
    pub fn first_wait(mut self, wait: Duration) -> Self {
        self.first_wait = wait;
        self
    }

    /// Sets the [`max_wait`](Self::max_wait).
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Sets the [`deadline`](Self::deadline).
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long to wait after the failure of attempt `attempt` (from 1), or `None` to give up.
    ///
    /// `spent` is the time since the first attempt began; `random`, of 0 to 1, spreads the waits
    /// of many clients evenly over the whole span ("full jitter"). A wait that the provider asked
    /// for is kept, and up to a quarter is added.
    pub fn wait(
        &self,
        attempt: u32,
        error: &Error,
        spent: Duration,
        random: f64,
    ) -> Option<Duration> {
        if attempt >= self.attempts || !error.is_retryable() {
            return None;
        }
        let random = random.clamp(0.0, 1.0);
        let wait = match error.retry_after() {
            Some(asked) if asked > self.max_wait => return None,
            Some(asked) => asked + asked.mul_f64(random / 4.0),
            None => {
                let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
                let longest = self.first_wait.saturating_mul(doubled).min(self.max_wait);
                longest.mul_f64(random)
            }
        };
        (spent.saturating_add(wait) < self.deadline).then_some(wait)
    }
}

/// A request failed and is sent again after a wait.
#[derive(Debug)]
#[non_exhaustive]
pub struct RetryNotice<'e> {
    /// Number of the attempt that failed, from 1.
    pub attempt: u32,
    /// Largest number of attempts.
    pub attempts: u32,
    /// How long it waits now.
    pub wait: Duration,
    /// Why it failed.
    pub error: &'e Error,
}

impl<'e> RetryNotice<'e> {
    pub(crate) fn new(attempt: u32, attempts: u32, wait: Duration, error: &'e Error) -> Self {
        Self {
            attempt,
            attempts,
            wait,
            error,
        }
    }
}

/// What the headers `retry-after-ms` and `retry-after` ask for, the latter in seconds or as an
/// HTTP date, which `now` (seconds since 1970) turns into a span.
pub(super) fn retry_after(
    milliseconds: Option<&str>,
    seconds_or_date: Option<&str>,
    now: u64,
) -> Option<Duration> {
    if let Some(milliseconds) = milliseconds.and_then(|text| text.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(milliseconds / 1000.0).ok();
    }
    let text = seconds_or_date?.trim();
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            let date = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
            Some(Duration::from_secs(date.saturating_sub(now)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RetryPolicy, retry_after};
    use crate::error::{Error, ErrorKind};
    use std::time::Duration;

    fn overloaded() -> Error {
        Error::new(
            ErrorKind::Overloaded { retry_after: None },
            "the provider is overloaded",
        )
    }

    fn limited(seconds: u64) -> Error {
        let retry_after = Some(Duration::from_secs(seconds));
        Error::new(ErrorKind::RateLimited { retry_after }, "too many requests")
    }

    #[test]
    fn waits_double_up_to_a_limit_and_end_with_the_attempts() {
        let policy = RetryPolicy::default()
            .attempts(5)
            .max_wait(Duration::from_secs(5));
        let waits: Vec<_> = (1..=5)
            .map(|attempt| policy.wait(attempt, &overloaded(), Duration::ZERO, 1.0))
            .collect();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(
            waits,
            [seconds(1), seconds(2), seconds(4), seconds(5), None]
        );
        assert_eq!(
            policy.wait(1, &overloaded(), Duration::ZERO, 0.25),
            Some(Duration::from_millis(250))
        );
    }

    #[test]
    fn a_wait_that_the_provider_asks_for_is_kept() {
        let policy = RetryPolicy::default();
        let wait = |error, random| policy.wait(1, &error, Duration::ZERO, random);
        assert_eq!(wait(limited(30), 0.0), Some(Duration::from_secs(30)));
        assert_eq!(wait(limited(20), 1.0), Some(Duration::from_secs(25)));
        assert_eq!(wait(limited(3600), 0.0), None);
    }

    #[test]
    fn what_cannot_succeed_and_what_would_come_too_late_is_given_up() {
        let policy = RetryPolicy::default().deadline(Duration::from_secs(10));
        let refused = Error::new(ErrorKind::Auth, "the key was refused");
        assert_eq!(policy.wait(1, &refused, Duration::ZERO, 1.0), None);
        let late = Duration::from_secs(9);
        assert_eq!(policy.wait(1, &overloaded(), late, 1.0), None);
        assert!(policy.wait(1, &overloaded(), late, 0.5).is_some());
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let ms = Duration::from_millis;
        assert_eq!(retry_after(Some("1500"), Some("9"), 0), Some(ms(1500)));
        assert_eq!(retry_after(None, Some(" 2 "), 0), Some(ms(2000)));
        assert_eq!(retry_after(None, Some("0.5"), 0), Some(ms(500)));
        // 2015-10-21T07:28:00Z
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(retry_after(None, date, 1_445_412_470), Some(ms(10_000)));
        assert_eq!(retry_after(None, date, 1_445_412_999), Some(ms(0)));
        for text in ["soon", "-1", "NaN"] {
            assert_eq!(retry_after(None, Some(text), 0), None, "{text}");
        }
        assert_eq!(retry_after(None, None, 0), None);
    }
}

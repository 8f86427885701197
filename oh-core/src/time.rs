//! Moments in time, as event logs write them. There is no clock here.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment as the text that a log holds, with its value where the text can be read.
///
/// Logs of the Python implementation hold naive local times (`2025-11-20T10:00:00.123456`) and
/// drop the fraction when it is zero. The text is kept as it was read, so that a log is written
/// back byte for byte; what this crate writes itself is UTC without a zone mark.
#[derive(PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(String);

impl Clone for Timestamp {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    /// Uses the memory that is there.
    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl Timestamp {
    /// Keeps a text as it is; [`micros`](Self::micros) is `None` if it cannot be read.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Formats microseconds since 1970-01-01T00:00:00 UTC. Years outside 0 to 9999 are clamped.
    pub fn from_micros(micros: i64) -> Self {
        const YEAR_0: i64 = -62_167_219_200;
        const YEAR_9999_END: i64 = 253_402_300_799;
        let seconds = micros.div_euclid(1_000_000).clamp(YEAR_0, YEAR_9999_END);
        let fraction = micros.rem_euclid(1_000_000);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let mut text = String::with_capacity(26);
        push_pair(&mut text, year / 100);
        push_pair(&mut text, year % 100);
        for (before, number) in [
            ('-', month),
            ('-', day),
            ('T', hour),
            (':', minute),
            (':', second),
        ] {
            text.push(before);
            push_pair(&mut text, number);
        }
        if fraction != 0 {
            text.push('.');
            for number in [fraction / 10_000, fraction / 100 % 100, fraction % 100] {
                push_pair(&mut text, number);
            }
        }
        Self(text)
    }

    /// The text as it stands in the log.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Microseconds since the epoch; a text without a zone is taken as UTC. `None` if the text is
    /// no ISO 8601 date and time.
    pub fn micros(&self) -> Option<i64> {
        parse_micros(&self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({:?})", self.0)
    }
}

impl PartialOrd for Timestamp {
    /// By time where both texts can be read, `None` otherwise.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.0 == other.0 {
            return Some(Ordering::Equal);
        }
        match self.micros()?.cmp(&other.micros()?) {
            // Two spellings of one moment are not the same value.
            Ordering::Equal => None,
            unequal => Some(unequal),
        }
    }
}

/// Writes a number of 0 to 99 in two digits.
fn push_pair(text: &mut String, number: i64) {
    for digit in [number / 10, number % 10] {
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
    }
}

/// Days since the epoch to a date of the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Inverse of [`civil_from_days`], same source.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `YYYY-MM-DD(T| )HH:MM:SS[.f…][Z|±HH[:]MM]` to microseconds.
fn parse_micros(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        part.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| part.parse().ok())?
    };
    let is =
        |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|b| allowed.contains(b));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"T ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let six: String = fraction
            .get(..digits)?
            .chars()
            .chain("000000".chars())
            .take(6)
            .collect();
        micros = six.parse().ok()?;
        rest = fraction.get(digits..)?;
    }
    let offset_minutes = match rest.as_bytes() {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, ..] => {
            let hours: i64 = rest.get(1..3)?.parse().ok()?;
            let tail = rest.get(3..)?;
            let tail = tail.strip_prefix(':').unwrap_or(tail);
            let minutes: i64 = match tail.len() {
                0 => 0,
                2 => tail.parse().ok()?,
                _ => return None,
            };
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let days = days_from_civil(year, month, day);
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
    Some(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_naive_utc_and_read_back() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00"),
            (1_763_632_800_123_456, "2025-11-20T10:00:00.123456"),
            (-1, "1969-12-31T23:59:59.999999"),
            (951_782_400_000_000, "2000-02-29T00:00:00"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).as_str(), text);
            assert_eq!(Timestamp::from_text(text).micros(), Some(micros));
        }
    }

    #[test]
    fn zones_are_understood_and_nonsense_is_kept_as_text() {
        let zoned = Timestamp::from_text("2025-11-20T12:00:00+02:00");
        assert_eq!(
            zoned.micros(),
            Timestamp::from_text("2025-11-20T10:00:00Z").micros()
        );
        for text in [
            "",
            "yesterday",
            "2025-13-01T00:00:00",
            "2025-11-20T10:00:00.",
            "2025-11-20",
        ] {
            assert_eq!(Timestamp::from_text(text).micros(), None, "{text}");
            assert_eq!(Timestamp::from_text(text).as_str(), text);
        }
    }
}

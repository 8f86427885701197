//! Money.

use std::fmt;

/// An amount of money in billionths of a US dollar: sums of it are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoDollars(pub u64);

impl NanoDollars {
    /// Reads an amount in dollars, as logs hold it.
    ///
    /// The digits that stand in the log count, the shortest decimal number that names this binary
    /// one: 0.1 is one hundred million, without the error of its binary form. What lies behind the
    /// ninth decimal place is rounded to the nearest, halves up. `None` for what is negative, no
    /// number or more than eighteen billion dollars.
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        if dollars == 0.0 {
            return Some(Self(0));
        }
        if !dollars.is_finite() || dollars < 0.0 {
            return None;
        }
        // Rust writes every digit and no exponent.
        let digits = dollars.to_string();
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let mut nanos = fraction.bytes().chain(std::iter::repeat(b'0'));
        let places = (0..9).try_fold(0_u64, |sum, _| {
            Some(sum * 10 + u64::from(nanos.next()?.checked_sub(b'0')?))
        })?;
        let up = u64::from(nanos.next()? >= b'5');
        let whole: u64 = whole.parse().ok()?;
        let sum = whole.checked_mul(1_000_000_000)?.checked_add(places + up)?;
        Some(Self(sum))
    }
}

impl fmt::Display for NanoDollars {
    /// In dollars, with two to nine decimal places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.0 % 1_000_000_000);
        let short = fraction.trim_end_matches('0');
        write!(f, "${}.{short:0<2}", self.0 / 1_000_000_000)
    }
}

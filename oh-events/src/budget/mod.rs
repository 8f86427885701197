//! Limits for steps, tokens, money and time, counted over a log.
//!
//! Steps and money follow the control flags of OpenHands V0; tokens and time, which it does not
//! limit, follow its rule for money. Nothing but events is looked at, so that a budget that is
//! rebuilt from a log says what the live one said.

mod limits;
mod meter;
mod money;
mod spent;
#[cfg(test)]
mod tests;

pub use limits::{Budget, Pauses};
pub use money::NanoDollars;
pub use spent::{Exceeded, Left, Limit, Spent};

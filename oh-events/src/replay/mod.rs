//! Doing a recorded session again: its actions one by one, and how what comes of them differs.
//!
//! The rules are those of OpenHands V0 (`openhands.controller.replay`): events of the environment
//! and null observations are left out, ids are cleared, a message waits for an answer only if it
//! is the last event, and each step takes the next action. Beyond them,
//!
//! - what steered the recorded run alone is not done again: changes of the agent's state,
//!   confirmations, condensations (they name events by ids of the recorded log);
//! - what the user refused is not done again, and what the user was asked about is done once;
//! - times, costs and idempotency keys are cleared, since a key of the past would find the past
//!   result.

mod compare;
mod difference;
mod session;
#[cfg(test)]
mod tests;

pub use compare::{Divergence, compare_logs};
pub use difference::{Difference, compare};
pub use session::{Replay, Step};

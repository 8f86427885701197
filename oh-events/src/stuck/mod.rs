//! Telling an agent that goes round in circles from one that waits.
//!
//! The five scenarios and the equality of events are those of OpenHands V0
//! (`openhands.controller.stuck`). It departs from them in these points:
//!
//! - A wait is no repetition. Looks at a command that runs on, commands that begin with `sleep` or
//!   `wait`, and the same check made after each of them leave the history that is compared, and
//!   while the agent waits it is not stuck. What is counted instead is how many waits in a row
//!   brought nothing new: [`LoopKind::WaitingWithoutChange`].
//! - A context window loop is ten condensations in a row at the end of the history. V0 wants ten
//!   of them anywhere, and any two of the last ten side by side.
//! - The start of a loop is the first event that was compared. V0 names the first event of the
//!   history that equals it, which may lie long before, and after errors the action before the
//!   loop.
//! - A command whose end has no number (a signal, a deadline) is compared by how it ended.
//! - Idempotency keys do not count: a host may give each action its own.
//! - What a delegate does is a history of its own, and leaves its parent's when it is done.

mod detector;
mod found;
mod frame;
mod print;
mod syntax_error;
#[cfg(test)]
mod tests;
mod wait;
mod window;

pub use detector::{StuckDetector, StuckOptions, find_loop};
pub use found::{LoopKind, Stuck};

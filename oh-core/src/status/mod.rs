//! The two state machines: what an agent does, and what a runtime does.
//!
//! Both are pure transition tables with the names of OpenHands V0. `next` is for the live writer
//! and refuses what is not listed; `fold` is for recorded logs, accepts everything and marks what
//! is not listed.

mod agent_state;
mod agent_trigger;
mod fold;
mod machine;
mod named;
mod runtime_status;
mod runtime_trigger;
#[cfg(test)]
mod tests;

pub use agent_state::AgentState;
pub use agent_trigger::AgentTrigger;
pub use fold::{Folded, Irregular};
pub use machine::{InvalidTransition, Transition};
pub use runtime_status::RuntimeStatus;
pub use runtime_trigger::RuntimeTrigger;

//! The two state machines: what an agent does, and what a runtime does.

mod runtime_status;

pub use runtime_status::RuntimeStatus;

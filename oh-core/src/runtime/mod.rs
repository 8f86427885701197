//! The `Runtime` trait and everything that its methods take and give.

mod exit;

pub use exit::{CpuTime, Exit, Measured, SpawnError, SpawnErrorKind, Usage, UsageSource};

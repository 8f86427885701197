//! The local runtime: processes, shells and files of this machine.

mod builder;
mod runtime;

pub use builder::LocalRuntimeBuilder;
pub use runtime::LocalRuntime;

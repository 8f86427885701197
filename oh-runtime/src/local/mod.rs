//! The local runtime: processes, shells and files of this machine.

mod builder;
#[allow(dead_code, unused_imports)]
mod process;
mod runtime;
#[allow(dead_code)]
mod sys;

pub use builder::LocalRuntimeBuilder;
pub use runtime::LocalRuntime;

//! The local runtime: processes, shells and files of this machine.

mod builder;
pub(crate) mod file;
#[allow(dead_code, unused_imports)]
mod process;
mod runtime;
#[allow(dead_code)]
mod sys;

pub use builder::LocalRuntimeBuilder;
pub use file::{FileScope, LocalFiles};
pub use runtime::LocalRuntime;

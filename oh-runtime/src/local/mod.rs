//! The local runtime: processes, shells and files of this machine.

mod builder;
mod confine;
pub(crate) mod file;
mod process;
mod runtime;
mod shell;
mod sys;

pub use builder::LocalRuntimeBuilder;
pub use confine::ContainmentChoice;
pub use file::{FileScope, LocalFiles};
pub use runtime::LocalRuntime;

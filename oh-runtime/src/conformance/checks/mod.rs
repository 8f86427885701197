//! The checks, one file for each family.

mod attach;
mod copy;
mod deadline_and_cancel;
mod edit;
mod env;
mod errors;
mod file_read;
mod file_write;
mod glob_grep;
mod hostile_archives;
mod lifecycle;
mod limits;
mod list_stat;
mod manage;
mod output;
mod process;
mod pty;
mod registry;
mod session;
mod session_shell_state;
mod stdin;

pub use registry::checks;

//! Persistent shells: one terminal each, one command at a time, state that stays.
//!
//! A command is over when the shell says so. The shell is asked in three ways (see [`line`]): the
//! typed line reports, the prompt hook reports, and a shell that waits for its next line without
//! having reported is asked again. The report comes over a pipe and carries a secret of the
//! command; a mark with the same secret in the stream of the terminal shows where the output ends.
//!
//! Nothing that a command *prints* is taken for a report. Code of the same user can read the
//! secret out of the shell and forge one: only the wait status of a process without a session is
//! the kernel's own word.

mod command;
mod drive;
mod line;
mod mark;
mod memory;
mod pool;
mod report;
mod running;
mod session;
mod sweep;
mod terminal;

#[cfg(test)]
mod tests;

pub(crate) use pool::{ShellSettings, Shells};

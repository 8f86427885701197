//! Processes: how they are started, recorded, followed and ended.

mod channel;
mod engine;
mod environment;
mod follower;
mod input;
mod launch;
mod leader;
mod local_process;
mod order;
mod owner;
mod probe;
mod procfs;
mod pty;
mod recording;
mod segment;
mod spool;
mod supervise;
mod table;
mod tasks;
mod tree;

#[cfg(test)]
mod tests;

pub(crate) use engine::{Engine, EngineSettings};
pub(crate) use launch::{Launch, LaunchIo, Launched, launch};
pub(crate) use leader::Leader;
pub(crate) use owner::{MARK_VARIABLE, Mark, Owner};
pub(crate) use probe::{InputProbe, InputSource};
pub(crate) use procfs::{Stat, Variable, all as all_processes, ticks_now, variable};
pub(crate) use pty::Pty;
pub(crate) use recording::Recording;
pub(crate) use spool::SpoolSettings;
#[cfg(test)]
pub(crate) use table::follow;
pub(crate) use table::{Retention, Tracked};
pub(crate) use tasks::Tasks;

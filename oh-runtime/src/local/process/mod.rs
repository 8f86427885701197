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

pub(crate) use channel::Channel;
pub(crate) use engine::{Engine, EngineSettings};
pub(crate) use environment::directory;
pub(crate) use follower::Follower;
pub(crate) use launch::{Launch, LaunchIo, LaunchStdin, Launched, launch};
pub(crate) use leader::{Fate, Leader};
pub(crate) use owner::{MARK_VARIABLE, Mark, Owner};
pub(crate) use probe::{InputProbe, InputSource, NoProbe};
pub(crate) use procfs::{Stat, Variable, all as all_processes, ticks_now, variable};
pub(crate) use pty::Pty;
pub(crate) use recording::Recording;
pub(crate) use spool::SpoolSettings;
pub(crate) use table::{Retention, Tracked, follow};
pub(crate) use tasks::Tasks;
pub(crate) use tree::{Ladder, Tree};

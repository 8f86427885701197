//! Processes: how they are started, recorded, followed and ended.

mod channel;
mod follower;
mod launch;
mod leader;
mod order;
mod probe;
mod pty;
mod recording;
mod spool;

#[cfg(test)]
mod tests;

pub(crate) use channel::Channel;
pub(crate) use follower::Follower;
pub(crate) use launch::{Launch, LaunchIo, LaunchStdin, Launched, launch};
pub(crate) use leader::Leader;
pub(crate) use probe::{InputProbe, NoProbe};
pub(crate) use pty::Pty;
pub(crate) use recording::Recording;
pub(crate) use spool::SpoolSettings;

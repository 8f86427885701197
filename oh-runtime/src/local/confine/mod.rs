//! What holds the processes of a command together beside their mark.

mod cgroup;

pub(crate) use cgroup::{Cgroup, CgroupRoot};

/// How the local runtime holds the processes of a command together; see
/// [`LocalRuntimeBuilder::containment`](super::LocalRuntimeBuilder::containment).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContainmentChoice {
    /// By a mark in the environment, session and parents. Works everywhere and costs nothing.
    #[default]
    Marker,
    /// By a control group (version 2) for each command, and the mark. Costs a shell that joins the
    /// group and turns into the program, a millisecond or so, and needs a group that this program
    /// may divide. A command that may write to the group file system itself can leave its group.
    Cgroup,
    /// By control groups where they can be had, else by the mark. The descriptor says which.
    Auto,
}

//! How far paths may reach.

/// Which files the methods of a local runtime may touch.
///
/// This is a guard rail against mistakes, not isolation: commands of the runtime can reach every
/// file that its user can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileScope {
    /// Only files below the workspace. `..` and links may be used as long as they stay inside.
    #[default]
    Workspace,
    /// Every file that the user of this process can reach.
    Anywhere,
}

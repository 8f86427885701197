//! A check: its name, its family, what it needs and what it does.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::expect::Checked;
use super::trial::Trial;
use oh_core::Capability;

/// The future of a check.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Checked> + Send + 'a>>;

/// One thing that every runtime has to do right.
#[derive(Clone, Copy)]
pub struct Check {
    family: Family,
    name: &'static str,
    pub(super) capabilities: &'static [Capability],
    pub(super) programs: &'static [&'static str],
    pub(super) scoped_files: bool,
    pub(super) fresh_runtime: bool,
    pub(super) run: for<'a> fn(&'a Trial<'a>) -> Running<'a>,
}

impl Check {
    pub(super) const fn new(
        family: Family,
        name: &'static str,
        run: for<'a> fn(&'a Trial<'a>) -> Running<'a>,
    ) -> Self {
        Self {
            family,
            name,
            capabilities: &[],
            programs: &[],
            scoped_files: false,
            fresh_runtime: false,
            run,
        }
    }

    /// Names the capabilities without which the check makes no sense.
    pub(super) const fn needs(mut self, capabilities: &'static [Capability]) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Names programs beyond those that every sandbox has.
    pub(super) const fn programs(mut self, programs: &'static [&'static str]) -> Self {
        self.programs = programs;
        self
    }

    /// Says that the check is about the border of the workspace.
    pub(super) const fn scoped(mut self) -> Self {
        self.scoped_files = true;
        self
    }

    /// Says that the check starts and closes runtimes itself.
    pub(super) const fn fresh(mut self) -> Self {
        self.fresh_runtime = true;
        self
    }

    /// The family.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The name: what is right when the check passes, as a sentence in snake case.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Capabilities without which the check is reported as unsupported.
    pub const fn capabilities(&self) -> &'static [Capability] {
        self.capabilities
    }

    /// Family and name as one text, which [`Options::only`](super::Options::only) looks at.
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.family.name(), self.name)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("family", &self.family)
            .field("name", &self.name)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

/// Makes a [`Check`] of the family `FAMILY` out of an async function.
macro_rules! check {
    ($function:ident) => {
        $crate::conformance::check::Check::new(FAMILY, stringify!($function), |trial| {
            Box::pin($function(trial))
        })
    };
}
pub(super) use check;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Starting programs and how they end.
    Process,
    /// What comes out of them.
    Output,
    /// What goes into them.
    Stdin,
    /// Terminals.
    Pty,
    /// Waiting, deadlines, cancelling and dropping.
    DeadlineAndCancel,
    /// Persistent shells.
    Session,
    /// Environment variables.
    Env,
    /// Reading files.
    FileRead,
    /// Writing files.
    FileWrite,
    /// Editing text files.
    Edit,
    /// Finding and managing files.
    ListGlobGrep,
    /// Trees and files in and out.
    Copy,
    /// Following again.
    Attach,
    /// Resource limits.
    Limits,
    /// Requests that make no sense.
    Errors,
    /// The runtime itself.
    Lifecycle,
}

impl Family {
    /// The name in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Output => "output",
            Self::Stdin => "stdin",
            Self::Pty => "pty",
            Self::DeadlineAndCancel => "deadline_and_cancel",
            Self::Session => "session",
            Self::Env => "env",
            Self::FileRead => "file_read",
            Self::FileWrite => "file_write",
            Self::Edit => "edit",
            Self::ListGlobGrep => "list_glob_grep",
            Self::Copy => "copy",
            Self::Attach => "attach",
            Self::Limits => "limits",
            Self::Errors => "errors",
            Self::Lifecycle => "lifecycle",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

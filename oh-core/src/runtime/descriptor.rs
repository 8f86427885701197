//! What a runtime is and what it can do.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::path::SandboxPath;
use crate::id::RuntimeId;

/// Something that a runtime may or may not be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Capability {
    /// `attach` to a running or finished process.
    Attach,
    /// `read_output` by range.
    OutputRange,
    /// Standard input that is written while the process runs.
    Stdin,
    /// Terminals.
    Pty,
    /// Persistent shells.
    Sessions,
    /// Signals to processes.
    Signals,
    /// Resource limits of a command.
    Limits,
    /// Deadline and cancel end the whole tree, double forks with `setsid` included.
    TreeKill,
    /// Tells "waits for input" from "is silent".
    InputDetection,
    /// Processor time of a command.
    CpuUsage,
    /// Peak memory of a command.
    MemoryUsage,
    /// Idempotency keys.
    IdempotencyKeys,
    /// `processes`.
    ProcessList,
    /// `list`.
    List,
    /// `stat`.
    Stat,
    /// `glob`.
    Glob,
    /// `grep`.
    Grep,
    /// `remove`, `make_dir` and `rename`.
    Manage,
    /// `edit` with undo.
    Undo,
    /// Text in encodings other than UTF-8.
    Encodings,
    /// Conditional writes by version.
    Versions,
    /// `copy_to` and `copy_from`.
    Copy,
    /// `set_env`.
    Env,
    /// `browse`.
    Browse,
    /// `run_python`.
    Python,
    /// `stats`.
    Stats,
    /// `ports`.
    Ports,
    /// `pause` and `resume`.
    Pause,
    /// `snapshot`.
    Snapshot,
}

/// A set of [`Capability`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether a capability is there.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// Adds one.
    #[must_use]
    pub fn with(mut self, capability: Capability) -> Self {
        self.0.insert(capability);
        self
    }

    /// Takes one away.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.0.remove(&capability);
        self
    }

    /// All of them, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Capability> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

/// How the processes of a command are held together, so that all can be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Containment {
    /// A control group: nothing can leave it.
    Cgroup,
    /// A pid namespace: nothing can leave it.
    PidNamespace,
    /// A mark in the environment, the process group, the session and the parents, swept until
    /// nothing is left. A process that clears its environment *and* leaves its session *and*
    /// outlives its parents escapes.
    Marker,
    /// A container or machine of its own.
    Container,
    /// Nothing is known of it.
    Unknown,
}

/// What stands between a command and the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Isolation {
    /// Nothing: commands have the rights of the host program.
    None,
    /// The commands run in a container.
    Container,
    /// The commands run in a machine of their own.
    Machine,
    /// Nothing is known of it.
    Unknown,
}

/// What a runtime is and what it can do. Fixed for the life of the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Descriptor {
    /// Kind of runtime, such as `local`.
    pub kind: String,
    /// This one.
    pub id: RuntimeId,
    /// Directory that relative paths start from and commands run in, absolute.
    pub workspace: SandboxPath,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How process trees are ended.
    pub containment: Containment,
    /// What stands between a command and the host.
    pub isolation: Isolation,
    /// Whether a command can forge its own result for the host (it shares a user id with what
    /// reports the result).
    pub results_forgeable: bool,
    /// Operating system of the sandbox, such as `linux`.
    pub os: String,
    /// Architecture of the sandbox, such as `x86_64`.
    pub arch: String,
}

impl Descriptor {
    /// Describes a runtime of which nothing is known but kind, id and workspace: no capability, no
    /// isolation.
    pub fn new(kind: impl Into<String>, id: RuntimeId, workspace: SandboxPath) -> Self {
        Self {
            kind: kind.into(),
            id,
            workspace,
            capabilities: Capabilities::none(),
            containment: Containment::Unknown,
            isolation: Isolation::Unknown,
            results_forgeable: true,
            os: "unknown".to_owned(),
            arch: "unknown".to_owned(),
        }
    }

    /// Sets what it can do.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets how process trees are ended.
    #[must_use]
    pub fn containment(mut self, containment: Containment) -> Self {
        self.containment = containment;
        self
    }

    /// Sets what stands between a command and the host.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Sets operating system and architecture.
    #[must_use]
    pub fn platform(mut self, os: impl Into<String>, arch: impl Into<String>) -> Self {
        self.os = os.into();
        self.arch = arch.into();
        self
    }
}

//! What is known of a shell between two commands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oh_core::{CpuTime, SandboxPath};

/// What outlives a command, and in part the shell itself.
#[derive(Debug)]
pub(super) struct Memory {
    /// Last known working directory. A new shell starts there.
    pub(super) cwd: PathBuf,
    /// Changes of the environment that the running shell has not seen yet.
    pub(super) changes: BTreeMap<String, Option<String>>,
    /// Bytes that came since the last command.
    pub(super) stray: Vec<u8>,
    /// The shell ended between two commands; the next report says so.
    pub(super) replaced: bool,
    /// What the running shell said last.
    pub(super) shell: ShellMemory,
}

/// What is lost with the shell.
#[derive(Debug, Default)]
pub(super) struct ShellMemory {
    /// It has been told how to report, and did.
    pub(super) has_reported: bool,
    /// `$?` as the next command sees it.
    pub(super) status: i32,
    /// Of `set -x` and `set -v` those that are on for commands.
    pub(super) traces: String,
    /// The last background process that was reported.
    pub(super) background: Option<u32>,
    /// Its counters after the last command.
    pub(super) cpu: CpuTime,
}

impl Memory {
    /// Stray bytes beyond this are dropped from the front.
    pub(super) const STRAY_BYTES: usize = 64 * 1024;

    pub(super) fn new(cwd: PathBuf) -> Self {
        Self {
            cwd,
            changes: BTreeMap::new(),
            stray: Vec::new(),
            replaced: false,
            shell: ShellMemory::default(),
        }
    }

    /// Forgets what went with a shell that ended.
    pub(super) fn forget_shell(&mut self) {
        self.shell = ShellMemory::default();
    }

    pub(super) fn add_stray(&mut self, bytes: &[u8]) {
        self.stray.extend_from_slice(bytes);
        let surplus = self.stray.len().saturating_sub(Self::STRAY_BYTES);
        self.stray.drain(..surplus);
    }

    /// The working directory, if its name is text.
    pub(super) fn sandbox_cwd(&self) -> Option<SandboxPath> {
        SandboxPath::new(self.cwd.to_str()?).ok()
    }
}

impl ShellMemory {
    /// Notes the counters of the shell now; gives what they grew by.
    pub(super) fn cpu_since(&mut self, now: CpuTime) -> CpuTime {
        let grown = CpuTime {
            user: now.user.saturating_sub(self.cpu.user),
            system: now.system.saturating_sub(self.cpu.system),
        };
        self.cpu = now;
        grown
    }

    /// The text that goes before a script, on a line of its own, to switch traces on again.
    pub(super) fn traces_on(&self) -> String {
        if self.traces.is_empty() {
            String::new()
        } else {
            format!("\\set -{}\n", self.traces)
        }
    }
}

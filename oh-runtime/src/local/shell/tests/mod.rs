//! What users rely on, with a real shell.

mod breaking;
mod ending;
mod forging;
mod input;
mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oh_core::{
    CaptureLimit, Command, CommandOutput, Exit, Follow, Process, ProcessId, Result, SessionName,
    SessionReport,
};
use tempfile::TempDir;

use super::{ShellSettings, Shells};
use crate::local::process::{self, Owner, SpoolSettings, Tasks, Tracked};

/// Shells in a workspace of their own, without anything around them.
struct Lab {
    pub(self) shells: Shells,
    pub(self) workspace: TempDir,
    _private: TempDir,
    processes: AtomicU64,
}

impl Lab {
    fn new() -> Self {
        let path = std::env::var("PATH").unwrap();
        let bash = path.split(':').map(|place| format!("{place}/bash"));
        let bash = bash.into_iter().find(|bash| Path::new(bash).exists());
        Self::with_shell(&bash.unwrap())
    }

    fn with_shell(shell: &str) -> Self {
        let path = std::env::var("PATH").unwrap();
        let workspace = TempDir::new().unwrap();
        let private = TempDir::new().unwrap();
        let settings = ShellSettings {
            workspace: workspace.path().canonicalize().unwrap(),
            directory: private.path().to_owned(),
            spool: SpoolSettings {
                directory: private.path().to_owned(),
                limit_bytes: 64 * 1024 * 1024,
            },
            owner: Owner::this_process().unwrap(),
            tasks: Tasks::new(),
            cgroups: None,
            shell: shell.to_owned(),
        };
        let env = [
            ("PATH", path.as_str()),
            ("HOME", "/nonexistent"),
            ("TERM", "xterm"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            shells: Shells::new(settings, BTreeMap::from(env)),
            workspace,
            _private: private,
            processes: AtomicU64::new(0),
        }
    }

    fn spawn(&self, session: &str, command: &Command) -> Result<Process> {
        self.follow(session, command, Follow::default())
    }

    fn follow(&self, session: &str, command: &Command, follow: Follow) -> Result<Process> {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let id = ProcessId::new(format!("p{number}"));
        let name = SessionName::new(session)?;
        let process: Arc<dyn Tracked> = self.shells.spawn(&name, &id, command)?;
        process::follow(&process, follow)
    }

    async fn run_command(&self, session: &str, command: Command) -> CommandOutput {
        let mut process = self.spawn(session, &command).unwrap();
        process
            .output(CaptureLimit::each_bytes(1 << 25))
            .await
            .unwrap()
    }

    /// Runs a text in the session `main`.
    async fn run(&self, text: &str) -> Ran {
        Ran::from(self.run_command("main", Command::shell(text)).await)
    }
}

/// What is looked at in most tests.
#[derive(Debug)]
struct Ran {
    exit: Exit,
    text: String,
    session: SessionReport,
}

impl From<CommandOutput> for Ran {
    fn from(output: CommandOutput) -> Self {
        Self {
            exit: output.exit().unwrap().clone(),
            text: output.stdout_text().into_owned(),
            session: output.session.unwrap_or_default(),
        }
    }
}

impl Ran {
    fn gave(&self, code: i32, text: &str) -> bool {
        let matches = self.exit == Exit::Code(code) && self.text == text;
        if !matches {
            eprintln!("expected {code} {text:?}, got {self:?}");
        }
        matches
    }
}

/// Long enough for any machine, short enough for a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

//! What users rely on when they run commands on this machine. Real processes throughout.

// What clippy allows in test functions is needed in what they share, too.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod end;
mod input;
mod output;
mod place;
mod record;

use std::fs;
use std::time::Duration;

use oh_runtime::{Command, CommandOutput, Exit, Follow, LocalRuntime, Runtime};
use tempfile::TempDir;

/// A runtime in a fresh workspace, which goes when both go.
struct Sandbox {
    runtime: LocalRuntime,
    workspace: TempDir,
}

impl std::ops::Deref for Sandbox {
    type Target = LocalRuntime;

    fn deref(&self) -> &LocalRuntime {
        &self.runtime
    }
}

async fn sandbox() -> Sandbox {
    let workspace = tempfile::tempdir().unwrap();
    let runtime = LocalRuntime::builder(workspace.path())
        .start()
        .await
        .unwrap();
    Sandbox { runtime, workspace }
}

impl Sandbox {
    async fn run(&self, command: Command) -> CommandOutput {
        self.runtime.run(command, Follow::default()).await.unwrap()
    }

    async fn sh(&self, script: &str) -> CommandOutput {
        self.run(Command::shell(script)).await
    }
}

/// A word that only processes of one test have in their command line.
fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("oh-{name}-{}-{number}", std::process::id())
}

/// Living processes whose command line holds the word.
fn alive(word: &str) -> Vec<u32> {
    let me = std::process::id();
    let pids = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let found = line.windows(word.len()).any(|part| part == word.as_bytes());
            (found && pid != me).then_some(pid)
        });
    pids.collect()
}

/// A test that hangs should fail, and say where.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(30), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} took more than 30 s"),
    }
}

fn code(output: &CommandOutput) -> i32 {
    output
        .exit()
        .and_then(Exit::code)
        .unwrap_or_else(|| panic!("{:?}", output.outcome))
}

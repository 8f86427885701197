//! What a check works with: the runtime, and a place of its own on it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use oh_core::{
    Body, Capability, Command, CommandOutput, Follow, Process, ProcessControl, RemoveMode, Result,
    Runtime, RuntimeExt, SandboxPath, SessionName, WriteOptions,
};

use super::concurrent::Boxed;
use super::expect::{Checked, Failure, expect_code};
use super::follower::Follower;

/// Longest time that is spent on putting one thing away after a check.
const TIDY_TIME: Duration = Duration::from_secs(10);

/// Starts runtimes for checks that close them.
pub(super) trait Starter: Send + Sync {
    fn start(&self) -> Boxed<'_, Result<Box<dyn Runtime>>>;
}

/// One run of one check.
pub(super) struct Trial<'a> {
    runtime: &'a dyn Runtime,
    starter: Option<&'a dyn Starter>,
    mark: String,
    dir: String,
    processes: Mutex<Vec<ProcessControl>>,
    sessions: Mutex<Vec<SessionName>>,
}

impl<'a> Trial<'a> {
    /// Makes the directory of the check.
    pub(super) async fn start(
        runtime: &'a dyn Runtime,
        starter: Option<&'a dyn Starter>,
        mark: String,
    ) -> Checked<Self> {
        let trial = Self {
            runtime,
            starter,
            dir: format!("conformance-{mark}"),
            mark,
            processes: Mutex::default(),
            sessions: Mutex::default(),
        };
        if trial.has(Capability::Manage) {
            runtime.make_dir(&trial.path("")?).await?;
        } else {
            let made = runtime.shell(&format!("mkdir -p {}", trial.dir)).await?;
            expect_code(&made, 0)?;
        }
        Ok(trial)
    }

    /// Ends what the check left running and removes its directory.
    pub(super) async fn tidy(&self) {
        let processes = std::mem::take(&mut *lock(&self.processes));
        for process in processes {
            process.abandon();
        }
        let sessions = std::mem::take(&mut *lock(&self.sessions));
        for session in sessions {
            // What cannot be put away must not hide what the check found.
            let closing = self.runtime.close_session(&session);
            let _ = tokio::time::timeout(TIDY_TIME, closing).await;
        }
        let _ = tokio::time::timeout(TIDY_TIME, self.remove_dir()).await;
    }

    async fn remove_dir(&self) -> Checked {
        if self.has(Capability::Manage) {
            self.runtime
                .remove(&self.path("")?, RemoveMode::Tree)
                .await?;
        } else {
            self.runtime.shell(&format!("rm -rf {}", self.dir)).await?;
        }
        Ok(())
    }

    pub(super) fn runtime(&self) -> &'a dyn Runtime {
        self.runtime
    }

    pub(super) fn has(&self, capability: Capability) -> bool {
        self.runtime.descriptor().capabilities.has(capability)
    }

    /// Starts a runtime of its own for the check.
    pub(super) async fn fresh(&self) -> Checked<Box<dyn Runtime>> {
        let starter = self
            .starter
            .ok_or_else(|| Failure::new("the check needs a way to start a runtime"))?;
        Ok(starter.start().await?)
    }

    /// Directory of the check, relative to the workspace.
    pub(super) fn dir(&self) -> &str {
        &self.dir
    }

    /// A path in the directory of the check; the directory itself for the empty name.
    pub(super) fn path(&self, name: &str) -> Checked<SandboxPath> {
        Ok(SandboxPath::new(format!("{}/{name}", self.dir))?)
    }

    /// The same path from the root of the sandbox.
    pub(super) fn absolute(&self, name: &str) -> Checked<SandboxPath> {
        let workspace = &self.runtime.descriptor().workspace;
        Ok(workspace.join(self.path(name)?.as_str())?)
    }

    /// What a path is called in the directory of the check; the path itself if it is elsewhere.
    pub(super) fn below(&self, path: &SandboxPath) -> String {
        let parts = path.as_str().split_once(&format!("{}/", self.dir));
        parts.map_or(path.as_str(), |(_, rest)| rest).to_owned()
    }

    /// A program in the directory of the check.
    pub(super) fn program(&self, program: &str) -> Checked<Command> {
        Ok(Command::new(program).cwd(self.path("")?))
    }

    /// A POSIX shell script in the directory of the check.
    pub(super) fn script(&self, script: &str) -> Checked<Command> {
        Ok(self.program("sh")?.arg("-c").arg(script))
    }

    /// Runs a command to its end.
    pub(super) async fn run(&self, command: Command) -> Checked<CommandOutput> {
        Ok(self.runtime.run(command, Follow::default()).await?)
    }

    /// Runs a POSIX shell script to its end.
    pub(super) async fn sh(&self, script: &str) -> Checked<CommandOutput> {
        self.run(self.script(script)?).await
    }

    /// Runs a script that must succeed and gives what it prints.
    pub(super) async fn ok(&self, script: &str) -> Checked<String> {
        let output = self.sh(script).await?;
        expect_code(&output, 0).map_err(|failure| failure.at(script))?;
        Ok(output.stdout_text().into_owned())
    }

    /// Starts a command that is ended after the check at the latest.
    pub(super) async fn spawn(&self, command: Command, follow: Follow) -> Checked<Process> {
        let process = self.runtime.spawn(command, follow).await?;
        lock(&self.processes).push(process.control());
        Ok(process)
    }

    /// Starts a command and follows it.
    pub(super) async fn follow(&self, command: Command, follow: Follow) -> Checked<Follower> {
        let process = self.spawn(command, follow).await?;
        Ok(Follower::new(process, follow.from))
    }

    /// A session of the check; it is closed afterwards.
    pub(super) fn session(&self, name: &str) -> Checked<SessionName> {
        let session = SessionName::new(format!("c-{}-{name}", self.mark))?;
        let mut sessions = lock(&self.sessions);
        if !sessions.contains(&session) {
            sessions.push(session.clone());
        }
        Ok(session)
    }

    /// Runs a text in a session to its end.
    pub(super) async fn say(&self, session: &SessionName, text: &str) -> Checked<CommandOutput> {
        self.run(Command::shell(text).session(session.clone()))
            .await
            .map_err(|failure| failure.at(format_args!("{:?}", text.get(..80).unwrap_or(text))))
    }

    /// Writes a file of the check.
    pub(super) async fn put(&self, name: &str, content: impl Into<Bytes>) -> Checked {
        let body = Body::Bytes(content.into());
        let options = WriteOptions::default();
        self.runtime.write(&self.path(name)?, body, options).await?;
        Ok(())
    }

    /// Reads a file of the check.
    pub(super) async fn get(&self, name: &str) -> Checked<Bytes> {
        Ok(self.runtime.read_bytes(self.path(name)?.as_str()).await?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

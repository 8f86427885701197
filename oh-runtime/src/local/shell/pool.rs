//! All persistent shells of a runtime.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::command::ShellCommand;
use super::session::Session;
use crate::local::confine::{Cgroup, CgroupRoot};
use crate::local::process::{Owner, SpoolSettings, Tasks};
use oh_core::{Command, Error, ErrorKind, ProcessId, Result, SessionName, Stdin, Target};
use rustix::rand::GetRandomFlags;

/// How shells are set up.
#[derive(Clone, Debug)]
pub(crate) struct ShellSettings {
    /// Where shells start.
    pub(crate) workspace: PathBuf,
    /// The program: `bash`, or any POSIX shell.
    pub(crate) shell: String,
    /// Where each shell makes a directory of its own.
    pub(crate) directory: PathBuf,
    /// Where output is kept.
    pub(crate) spool: SpoolSettings,
    /// Whose mark everything carries that shells start.
    pub(crate) owner: Owner,
    /// Where each shell has a control group, if they are contained that way.
    pub(crate) cgroups: Option<Arc<CgroupRoot>>,
    /// Who owns the tasks.
    pub(crate) tasks: Tasks,
}

/// The persistent shells of a runtime, by name.
#[derive(Debug)]
pub(crate) struct Shells {
    shared: Arc<Shared>,
    sessions: Mutex<Option<HashMap<SessionName, Arc<Session>>>>,
}

/// What all sessions of a runtime use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: ShellSettings,
    env: Mutex<BTreeMap<String, String>>,
    numbers: AtomicU64,
}

impl Shared {
    /// The environment that a new shell starts with.
    pub(super) fn env(&self) -> BTreeMap<String, String> {
        lock(&self.env).clone()
    }

    /// A control group for a new shell, if shells have some.
    pub(super) fn next_cgroup(&self) -> io::Result<Option<Cgroup>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let cgroups = self.settings.cgroups.as_ref();
        cgroups
            .map(|root| root.child(&format!("sh{number}")))
            .transpose()
    }

    /// Path of a directory that is not there yet.
    pub(super) fn next_directory(&self) -> io::Result<PathBuf> {
        let owner = self.settings.owner.prefix();
        let name = format!("{DIRECTORY_PREFIX}{}{}", owner.as_str(), secret()?);
        Ok(self.settings.directory.join(name))
    }
}

/// Start of the name of the directory of a shell; its owner and a random part follow.
pub(super) const DIRECTORY_PREFIX: &str = "oh-shell-";

/// Removes directories of shells whose host was killed: texts and variables of commands are in
/// them. Those of other users stay.
pub(super) fn remove_orphans(of: &Path) -> io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(of)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .and_then(|name| name.strip_prefix(DIRECTORY_PREFIX));
        if !name.is_some_and(Owner::is_dead) {
            continue;
        }
        // Of the entry itself: a link is not followed.
        let is_mine = |meta: std::fs::Metadata| meta.is_dir() && meta.uid() == me;
        if entry.metadata().is_ok_and(is_mine)
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, "the directory of a shell whose host is gone stays");
        }
    }
    Ok(())
}

/// 128 random bits in hexadecimal digits.
pub(super) fn secret() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

impl Shells {
    /// Sets up without starting a shell. Must be called within a tokio runtime. `env` is the environment of shells.
    pub(crate) fn new(settings: ShellSettings, mut env: BTreeMap<String, String>) -> Self {
        env.entry("TERM".to_owned())
            .or_insert_with(|| "xterm-256color".to_owned());
        let directory = settings.directory.clone();
        settings.tasks.spawn(async move {
            let removed = tokio::task::spawn_blocking(move || remove_orphans(&directory)).await;
            if let Err(error) = removed.map_err(io::Error::other).flatten() {
                tracing::debug!(%error, "cannot look for directories of shells of dead hosts");
            }
        });
        Self {
            shared: Arc::new(Shared {
                settings,
                env: Mutex::new(env),
                numbers: AtomicU64::new(1),
            }),
            sessions: Mutex::new(Some(HashMap::new())),
        }
    }

    /// Starts a command in the session `name`. A shell that does not start is data: the recording
    /// then holds the reason.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what a command in a session cannot have,
    /// [`Conflict`](ErrorKind::Conflict) while another runs there,
    /// [`Gone`](ErrorKind::Gone) after [`close`](Self::close).
    pub(crate) fn spawn(
        &self,
        name: &SessionName,
        id: &ProcessId,
        command: &Command,
    ) -> Result<Arc<ShellCommand>> {
        let script = script(name, command)?;
        loop {
            let session = self.session(name)?;
            let Some(recording) = session.begin(id, command, &script)? else {
                // It was closed after it was looked up: the next look finds another.
                continue;
            };
            let command = ShellCommand::new(&session, id.clone(), recording, command);
            return Ok(Arc::new(command));
        }
    }

    /// Waits for the command of a session that is being ended, if there is one: who ended it, by
    /// dropping its future say, is not told that the session is busy with it.
    pub(crate) async fn settle(&self, name: &SessionName) {
        let session = lock(&self.sessions)
            .as_ref()
            .and_then(|all| all.get(name).cloned());
        if let Some(ending) = session.and_then(|session| session.ending()) {
            ending.wait_exit().await;
        }
    }

    fn session(&self, name: &SessionName) -> Result<Arc<Session>> {
        let mut sessions = lock(&self.sessions);
        let sessions = sessions.as_mut().ok_or_else(|| {
            Error::new(ErrorKind::Gone, "spawn")
                .with_object(name.as_str())
                .with_detail("the runtime was closed")
        })?;
        let number = &self.shared.numbers;
        let session = sessions.entry(name.clone()).or_insert_with(|| {
            let number = number.fetch_add(1, Ordering::Relaxed);
            Session::new(name.clone(), Arc::clone(&self.shared), number)
        });
        Ok(Arc::clone(session))
    }

    /// Sets (or, with `None`, unsets) variables of all shells, present and future. A running
    /// command is not disturbed: its shell sees them with its next command. Names and values have
    /// been checked.
    pub(crate) fn set_env(&self, variables: &BTreeMap<String, Option<String>>) {
        let mut env = lock(&self.shared.env);
        for (name, value) in variables {
            match value {
                Some(value) => env.insert(name.clone(), value.clone()),
                None => env.remove(name),
            };
        }
        let sessions = lock(&self.sessions);
        for session in sessions.iter().flat_map(HashMap::values) {
            session.set_env(variables);
        }
    }

    /// Ends a session with all that runs in it. One that is not there is fine.
    pub(crate) async fn close_session(&self, name: &SessionName) {
        let session = lock(&self.sessions)
            .as_mut()
            .and_then(|sessions| sessions.remove(name));
        if let Some(session) = session {
            session.close().await;
        }
    }

    /// Ends all sessions. Later commands are refused.
    pub(crate) async fn close(&self) {
        let sessions = lock(&self.sessions).take();
        let sessions: Vec<_> = sessions
            .into_iter()
            .flat_map(HashMap::into_values)
            .collect();
        for session in &sessions {
            session.start_close();
        }
        for session in &sessions {
            session.close().await;
        }
    }

    /// How many sessions there are.
    pub(crate) fn count(&self) -> u64 {
        lock(&self.sessions).as_ref().map_or(0, HashMap::len) as u64
    }
}

impl Drop for Shells {
    fn drop(&mut self) {
        for session in lock(&self.sessions).iter().flat_map(HashMap::values) {
            session.start_close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not take the shells with it; each change leaves the state whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text that the shell runs.
fn script(name: &SessionName, command: &Command) -> Result<String> {
    let refuse =
        |detail: &'static str| Err(Error::invalid("spawn", detail).with_object(name.as_str()));
    if command.cwd.is_some() {
        return refuse("cwd is not for a command in a session: run `cd` in it instead");
    }
    if !command.env.is_empty() {
        return refuse(
            "env is not for a command in a session: use set_env, or `export` in the session",
        );
    }
    if !command.limits.is_empty() {
        return refuse(
            "limits are not for a command in a session: run `ulimit` in it, or leave the session \
             out",
        );
    }
    if matches!(command.stdin, Stdin::Bytes(_)) {
        return refuse(
            "stdin bytes are not for a command in a session: write a here-document, or use \
             Stdin::Piped and write_stdin",
        );
    }
    let mut text = command.target.to_string();
    if text.contains('\0') {
        return refuse("a command cannot hold a NUL byte");
    }
    if matches!(command.target, Target::Program { .. }) {
        text.push('\n');
    }
    Ok(text)
}

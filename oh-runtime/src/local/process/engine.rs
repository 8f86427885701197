//! The process engine of one runtime.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use bytes::Bytes;
use oh_core::{
    ByteRange, Command, Error, ErrorKind, Follow, OutputMode, OutputStream, Process, ProcessId,
    ProcessInfo, Result, Stats, Stdin,
};

use super::environment::{self, Environment};
use super::input::Input;
use super::launch::{Launch, LaunchIo, LaunchStdin, Launched, launch};
use super::local_process::{Body, LocalProcess};
use super::owner::{MARK_VARIABLE, Owner};
use super::recording::Recording;
use super::spool::SpoolSettings;
use super::supervise::{Duties, Source, supervise};
use super::table::{self, Retention, Table, Tracked};
use super::tasks::Tasks;
use super::tree::{Ladder, Tree, sweep_orphans};
use crate::local::confine::{Cgroup, CgroupRoot};

/// What an [`Engine`] is made from.
#[derive(Debug)]
pub(crate) struct EngineSettings {
    /// Where commands run, absolute.
    pub(crate) workspace: PathBuf,
    /// Variables of every command.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) spool: SpoolSettings,
    pub(crate) retention: Retention,
    /// Path of the shell that runs texts.
    pub(crate) shell: String,
    pub(crate) owner: Owner,
    /// Where control groups are made, if commands get one each.
    pub(crate) cgroups: Option<Arc<CgroupRoot>>,
}

/// Starts commands, keeps their records, ends them.
#[derive(Debug)]
pub(crate) struct Engine {
    workspace: PathBuf,
    environment: Mutex<Environment>,
    spool: SpoolSettings,
    shell: String,
    owner: Owner,
    cgroups: Option<Arc<CgroupRoot>>,
    tasks: Tasks,
    table: Mutex<Table>,
    /// Held while a command with a key is started, so that two of them start it once.
    keyed: Mutex<()>,
    started: Instant,
    /// Held for reading while something is started, so that a close sees all there is.
    stage: RwLock<Stage>,
}

/// How far the engine is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Nothing starts any more.
    Closing,
    /// All that was there is gone, or could not be ended.
    Closed,
}

impl Engine {
    /// Starts the engine within the current tokio runtime.
    pub(crate) fn start(settings: EngineSettings) -> Self {
        let tasks = Tasks::new();
        tasks.spawn(async {
            match sweep_orphans().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "ended processes of a host that is gone"),
                Err(error) => tracing::warn!(%error, "cannot look for processes of dead hosts"),
            }
        });
        Self {
            workspace: settings.workspace,
            environment: Mutex::new(Environment::new(settings.environment)),
            spool: settings.spool,
            shell: settings.shell,
            owner: settings.owner,
            cgroups: settings.cgroups,
            tasks,
            table: Mutex::new(Table::new(settings.retention)),
            keyed: Mutex::default(),
            started: Instant::now(),
            stage: RwLock::new(Stage::Open),
        }
    }

    /// Starts a command that is not for a persistent shell, and follows it.
    ///
    /// Nothing is awaited between the start of the process and the moment in which the table owns
    /// it, so that no caller can lose one by giving up.
    ///
    /// # Errors
    /// As [`Runtime::spawn`](oh_core::Runtime::spawn).
    pub(crate) fn spawn(&self, command: &Command, follow: Follow) -> Result<Process> {
        self.track(command, follow, |id| {
            environment::check(command)?;
            let cwd = environment::directory(&self.workspace, command.cwd.as_ref())?;
            let process: Arc<dyn Tracked> = self.start_process(command, id, &cwd)?;
            Ok(process)
        })
    }

    /// Has the table own what `start` starts, and follows it.
    ///
    /// # Errors
    /// Those of `start`, and as [`spawn`](Self::spawn) for a key that was used.
    pub(crate) fn track(
        &self,
        command: &Command,
        follow: Follow,
        start: impl FnOnce(ProcessId) -> Result<Arc<dyn Tracked>>,
    ) -> Result<Process> {
        let _open = self.hold_open("spawn")?;
        let _keyed = command.key.as_ref().map(|_| lock(&self.keyed));
        // The table is let go before it is asked again.
        let known = self.table().by_key(command)?;
        if let Some(known) = known {
            return self.attach(&known, follow);
        }
        let id = self.table().next_id();
        let process = {
            let _home = self.tasks.enter();
            start(id.clone())?
        };
        {
            let mut table = self.table();
            table.bind_key(command, &id);
            table.insert(Arc::clone(&process));
        }
        table::follow(&process, follow)
    }

    fn start_process(
        &self,
        command: &Command,
        id: ProcessId,
        cwd: &std::path::Path,
    ) -> Result<Arc<LocalProcess>> {
        let mark = self.owner.mark(id.as_str());
        let mut env = self.variables();
        env.extend(command.env.clone());
        env.insert(MARK_VARIABLE.to_owned(), self.owner.value(&mark));
        if matches!(command.output, OutputMode::Pty(_)) {
            env.entry("TERM".to_owned())
                .or_insert_with(|| "xterm-256color".to_owned());
        }
        let words = environment::words(&command.target, &self.shell);
        let cgroup = match &self.cgroups {
            Some(root) => Some(
                root.child(id.as_str())
                    .map_err(|error| Error::io("spawn in a control group", error))?,
            ),
            None => None,
        };
        let launched = launch(&Launch {
            argv: &words,
            limits: &command.limits,
            cgroup: cgroup.as_ref().map(Cgroup::path),
            env: &env,
            cwd,
            io: descriptors(command)?,
        });
        let text = command.target.to_string();
        let Launched {
            leader,
            stdin,
            stdout,
            stderr,
            terminal,
        } = match launched {
            Ok(launched) => launched,
            Err(error) => {
                let recording = Recording::new(self.spool.clone(), None);
                let tasks = self.tasks.clone();
                return Ok(LocalProcess::not_started(id, text, recording, tasks, error));
            }
        };
        let leader = Arc::new(leader);
        let tree = Arc::new(Tree::new(Arc::clone(&leader), mark).within(cgroup));
        let recording = Recording::new(self.spool.clone(), Some(leader.number()));
        let terminal = terminal.map(Arc::new);
        let mut feed = None;
        let input = match (stdin, &terminal, &command.stdin) {
            (Some(pipe), _, Stdin::Bytes(bytes)) => {
                feed = Some((pipe, bytes.clone()));
                Input::Closed
            }
            (Some(pipe), _, _) => Input::pipe(pipe),
            (None, Some(pty), Stdin::Piped) => Input::terminal(Arc::clone(pty)),
            (None, _, _) => Input::Closed,
        };
        let body = Body::new(leader, tree, input, terminal.clone());
        let process = LocalProcess::new(
            id,
            text,
            command.grace,
            recording,
            self.tasks.clone(),
            Some(body),
        );
        let duties = Duties {
            stdout: terminal.map(Source::Terminal).or(stdout.map(Source::Pipe)),
            stderr: stderr.map(Source::Pipe),
            feed,
            deadline: command.deadline,
            grace: command.grace,
        };
        self.tasks.spawn(supervise(Arc::clone(&process), duties));
        Ok(process)
    }

    /// Follows a process that is known.
    ///
    /// # Errors
    /// As [`Runtime::attach`](oh_core::Runtime::attach).
    pub(crate) fn attach(&self, id: &ProcessId, follow: Follow) -> Result<Process> {
        let process = self.table().find(id, "attach")?;
        table::follow(&process, follow)
    }

    /// Reads kept output.
    ///
    /// # Errors
    /// As [`Runtime::read_output`](oh_core::Runtime::read_output).
    pub(crate) fn read_output(
        &self,
        id: &ProcessId,
        stream: OutputStream,
        range: ByteRange,
    ) -> Result<Bytes> {
        let process = self.table().find(id, "read_output")?;
        process
            .recording()
            .read(stream, range)
            .map_err(|error| error.with_object(id.as_str()))
    }

    /// Every process that is known, oldest first.
    pub(crate) fn processes(&self) -> Vec<ProcessInfo> {
        self.table().all().map(|process| process.info()).collect()
    }

    /// Figures of the engine; `sessions` is not its matter.
    pub(crate) fn stats(&self) -> Stats {
        let table = self.table();
        let running = |process: &&Arc<dyn Tracked>| process.recording().exit().is_none();
        let mut stats = Stats::default();
        stats.commands_started = table.started();
        stats.processes_running = table.all().filter(running).count() as u64;
        stats.kept_output_bytes = table
            .all()
            .map(|process| process.recording().kept_bytes())
            .sum();
        stats.uptime = self.started.elapsed();
        stats
    }

    /// Changes variables for all later commands.
    ///
    /// # Errors
    /// As [`Runtime::set_env`](oh_core::Runtime::set_env).
    pub(crate) fn set_env(&self, changes: BTreeMap<String, Option<String>>) -> Result<()> {
        self.check_open("set_env")?;
        lock(&self.environment).change(changes)
    }

    /// The variables of a command that is started now, without its mark.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        lock(&self.environment).variables().clone()
    }

    /// Makes up the mark of children, for those who start some themselves.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(crate) fn cgroups(&self) -> Option<&Arc<CgroupRoot>> {
        self.cgroups.as_ref()
    }

    pub(crate) fn workspace(&self) -> &std::path::Path {
        &self.workspace
    }

    pub(crate) fn shell(&self) -> &str {
        &self.shell
    }

    pub(crate) fn spool(&self) -> &SpoolSettings {
        &self.spool
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// # Errors
    /// [`Gone`](ErrorKind::Gone) after [`close`](Self::close).
    pub(crate) fn check_open(&self, operation: &'static str) -> Result<()> {
        self.hold_open(operation).map(|_| ())
    }

    /// Keeps a close from beginning as long as the guard is held.
    fn hold_open(&self, operation: &'static str) -> Result<RwLockReadGuard<'_, Stage>> {
        let stage = self.stage.read().unwrap_or_else(PoisonError::into_inner);
        if *stage != Stage::Open {
            return Err(
                Error::new(ErrorKind::Gone, operation).with_detail("the runtime was closed")
            );
        }
        Ok(stage)
    }

    fn enter_stage(&self, next: Stage) {
        *self.stage.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Ends every process with its tree and forgets all output.
    ///
    /// # Errors
    /// The first tree that could not be ended; the others are.
    pub(crate) async fn close(&self) -> Result<()> {
        self.enter_stage(Stage::Closing);
        let all: Vec<Arc<dyn Tracked>> = self.table().all().cloned().collect();
        for process in &all {
            if process.recording().exit().is_none() {
                process.abandon();
            }
        }
        // Background children of finished commands, forgotten ones included.
        let mut outcome = Arc::new(self.family()).end(Ladder::Kill).await;
        for process in &all {
            if process.recording().exit().is_some() {
                continue;
            }
            match process.cancel().await {
                Ok(()) => {
                    process.recording().wait_exit().await;
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        self.tasks.end().await;
        for process in all {
            process.recording().closed();
        }
        self.table().clear();
        self.enter_stage(Stage::Closed);
        outcome
    }
}

impl Engine {
    /// Everything that was ever started here, as one tree.
    fn family(&self) -> Tree {
        let leaders = self
            .table()
            .all()
            .filter_map(|process| process.leader().cloned())
            .collect();
        Tree::of_all(leaders, self.owner.prefix())
            .within(self.cgroups.as_ref().map(CgroupRoot::whole))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for process in self.table().all() {
            if process.recording().exit().is_none() {
                process.abandon();
            }
        }
        // A close that was given up has not ended all.
        if *self.stage.get_mut().unwrap_or_else(PoisonError::into_inner) == Stage::Closed {
            return;
        }
        let family = Arc::new(self.family());
        self.tasks.spawn(async move {
            if let Err(error) = family.end(Ladder::Kill).await {
                tracing::warn!(%error, "a dropped runtime left processes behind");
            }
        });
        self.tasks.detach();
    }
}

fn descriptors(command: &Command) -> Result<LaunchIo> {
    let stdin = match command.stdin {
        Stdin::Null => LaunchStdin::Null,
        _ => LaunchStdin::Pipe,
    };
    match (command.output, &command.stdin) {
        (OutputMode::Separate, _) => Ok(LaunchIo::Separate(stdin)),
        (OutputMode::Merged, _) => Ok(LaunchIo::Merged(stdin)),
        (OutputMode::Pty(size), Stdin::Piped) => Ok(LaunchIo::Terminal(size)),
        (OutputMode::Pty(size), _) => Ok(LaunchIo::TerminalOutput(size, stdin)),
        _ => Err(Error::unsupported("spawn")),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

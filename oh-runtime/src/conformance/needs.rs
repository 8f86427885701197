//! What a check needs and a runtime may lack; and whether the runtime is honest about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use oh_core::{
    Browse, ByteRange, Capability, Command, CopyOptions, Edit, ErrorKind, FileVersion, Follow,
    GlobQuery, GrepQuery, IdempotencyKey, Limits, LinkMode, ListOptions, OutputStream, ProcessId,
    PtySize, PythonCell, ReadAs, ReadOptions, RemoveMode, RenameMode, Result, Runtime, Signal,
    Stdin, WriteMode, WriteOptions,
};

use super::byte_stream::stream_of;
use super::check::Check;
use super::expect::{Checked, Failure, ensure, expect_kind};
use super::options::Options;
use super::trial::Trial;

/// Why a check could not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lack {
    /// The descriptor does not name this capability.
    Capability(Capability),
    /// The sandbox does not have this program.
    Program(&'static str),
    /// File operations are not confined, by [`Options::files_reach_anywhere`].
    ConfinedFiles,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability(capability) => write!(f, "the runtime declares no {capability:?}"),
            Self::Program(program) => write!(f, "the sandbox has no {program}"),
            Self::ConfinedFiles => f.write_str("file operations are not confined to the workspace"),
        }
    }
}

/// What a runtime lacks of all that the chosen checks need.
pub(super) struct Lacks {
    capabilities: BTreeMap<Capability, Checked>,
    programs: BTreeSet<&'static str>,
    unscoped: bool,
}

impl Lacks {
    /// Looks for programs, and asks for everything that is not declared.
    pub(super) async fn find(runtime: &dyn Runtime, checks: &[Check], options: &Options) -> Self {
        let mut capabilities = BTreeMap::new();
        let mut programs = BTreeSet::new();
        for check in checks {
            for capability in check.capabilities {
                let declared = runtime.descriptor().capabilities.has(*capability);
                if !declared && !capabilities.contains_key(capability) {
                    let honest = Box::pin(ask(runtime, *capability, options.guard)).await;
                    capabilities.insert(*capability, honest);
                }
            }
            programs.extend(check.programs);
        }
        let mut missing = BTreeSet::new();
        for program in programs {
            let command = Command::new("sh").args(["-c", "command -v \"$0\"", program]);
            // A runtime that cannot run this fails the checks themselves.
            let found = runtime.run(command, Follow::default()).await;
            if found.is_ok_and(|output| !output.is_success()) {
                missing.insert(program);
            }
        }
        Self {
            capabilities,
            programs: missing,
            unscoped: !options.files_are_confined,
        }
    }

    /// What a check lacks: nothing, something that was declared, or something that was not.
    pub(super) fn of(&self, check: &Check) -> Checked<Option<Lack>> {
        for capability in check.capabilities {
            if let Some(honest) = self.capabilities.get(capability) {
                honest.clone()?;
                return Ok(Some(Lack::Capability(*capability)));
            }
        }
        let program = check
            .programs
            .iter()
            .find(|program| self.programs.contains(*program));
        if let Some(program) = program {
            return Ok(Some(Lack::Program(program)));
        }
        Ok((check.scoped_files && self.unscoped).then_some(Lack::ConfinedFiles))
    }
}

async fn ask(runtime: &dyn Runtime, capability: Capability, guard: Duration) -> Checked {
    let asking = async {
        let mark = format!("{}-lacks", super::suite::new_mark());
        let trial = Trial::start(runtime, None, mark).await?;
        let answer = answers_unsupported(&trial, capability).await;
        trial.tidy().await;
        answer
    };
    let answer = tokio::time::timeout(guard, asking).await;
    answer
        .unwrap_or_else(|_| Err(Failure::new("no answer came in time")))
        .map_err(|failure| failure.at(format_args!("{capability:?} is not declared, but")))
}

async fn answers_unsupported(trial: &Trial<'_>, capability: Capability) -> Checked {
    use Capability as C;
    let runtime = trial.runtime();
    let nobody = ProcessId::new("nobody");
    let path = trial.path("file")?;
    trial.put("file", "text\n").await?;
    match capability {
        C::Attach => refused("attach", runtime.attach(&nobody, Follow::default()).await),
        C::OutputRange => {
            let range = ByteRange::from(0..1);
            let read = runtime.read_output(&nobody, OutputStream::Stdout, range);
            refused("read_output", read.await)
        }
        C::Stdin => spawn_refused(trial, Command::new("cat").stdin(Stdin::Piped)).await,
        C::Pty => spawn_refused(trial, Command::new("true").pty(PtySize::default())).await,
        C::Sessions => {
            let session = trial.session("lack")?;
            spawn_refused(trial, Command::shell("true").session(session)).await
        }
        C::Limits => {
            let limits = Limits::default().open_files(32);
            spawn_refused(trial, Command::new("true").limits(limits)).await
        }
        C::IdempotencyKeys => {
            let key = IdempotencyKey::new(trial.dir());
            spawn_refused(trial, Command::new("true").key(key)).await
        }
        C::Signals => {
            let sleep = trial.program("sleep")?.arg("300");
            let process = trial.spawn(sleep, Follow::default()).await?;
            refused("signal", process.signal(Signal::User1).await)
        }
        C::CpuUsage | C::MemoryUsage => {
            let usage = trial.run(trial.program("true")?).await?.usage;
            let known = usage.is_some_and(|usage| match capability {
                C::CpuUsage => usage.cpu.is_some(),
                _ => usage.peak_memory_bytes.is_some(),
            });
            ensure!(!known, "a figure is reported");
            Ok(())
        }
        C::ProcessList => refused("processes", runtime.processes().await),
        C::List => refused("list", runtime.list(&path, ListOptions::default()).await),
        C::Stat => refused("stat", runtime.stat(&path, LinkMode::Follow).await),
        C::Glob => refused("glob", runtime.glob(GlobQuery::new("*")).await),
        C::Grep => refused("grep", runtime.grep(GrepQuery::new("text")).await),
        C::Manage => {
            let other = trial.path("other")?;
            refused("make_dir", runtime.make_dir(&other).await)?;
            let renamed = runtime.rename(&path, &other, RenameMode::Replace);
            refused("rename", renamed.await)?;
            refused("remove", runtime.remove(&path, RemoveMode::Single).await)
        }
        C::Undo => refused("undo", runtime.edit(&path, Edit::Undo).await),
        C::Encodings => {
            let form = ReadAs::Encoded("windows-1252".to_owned());
            let options = ReadOptions::default().form(form);
            refused("read in an encoding", runtime.read(&path, options).await)
        }
        C::Versions => {
            let mode = WriteMode::IfVersion(FileVersion::new("other"));
            let options = WriteOptions::default().mode(mode);
            refused(
                "write by version",
                runtime.write(&path, "x".into(), options).await,
            )
        }
        C::Copy => {
            let copied = runtime.copy_from(&path, CopyOptions::file()).await;
            refused("copy_from", copied)?;
            let copied = runtime.copy_to(stream_of(Vec::new()), &path, CopyOptions::file());
            refused("copy_to", copied.await)
        }
        C::Env => refused("set_env", runtime.set_env(BTreeMap::new()).await),
        C::Browse => {
            let url = "about:blank".to_owned();
            refused("browse", runtime.browse(Browse::Open { url }).await)
        }
        C::Python => refused("run_python", runtime.run_python(PythonCell::new("1")).await),
        C::Stats => refused("stats", runtime.stats().await),
        C::Ports => refused("ports", runtime.ports().await),
        C::Pause => {
            refused("pause", runtime.pause().await)?;
            refused("resume", runtime.resume().await)
        }
        C::Snapshot => refused("snapshot", runtime.snapshot().await),
        // These have no method of their own that could refuse.
        _ => Ok(()),
    }
}

fn refused<T>(what: &str, result: Result<T>) -> Checked {
    expect_kind(what, result, ErrorKind::Unsupported).map(drop)
}

async fn spawn_refused(trial: &Trial<'_>, command: Command) -> Checked {
    match trial.runtime().spawn(command, Follow::default()).await {
        Ok(process) => {
            process.control().abandon();
            Err(Failure::new("spawn takes the command"))
        }
        refusal => refused("spawn", refusal),
    }
}

//! How a local runtime is set up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oh_core::{
    Capabilities, Capability, Containment, Descriptor, Error, ErrorKind, Isolation, Result,
    RuntimeId, SandboxPath,
};
use rustix::fs::{Access, AtFlags, CWD};

use super::confine::{CgroupRoot, ContainmentChoice};
use super::file::{FileScope, LocalFiles};
use super::process::{Engine, EngineSettings, Owner, Retention, SpoolSettings};
use super::runtime::LocalRuntime;

/// Sets up a [`LocalRuntime`]; see [`LocalRuntime::builder`].
#[derive(Clone, Debug)]
pub struct LocalRuntimeBuilder {
    workspace: PathBuf,
    passed: Vec<String>,
    variables: BTreeMap<String, String>,
    shell: Option<PathBuf>,
    spool_dir: PathBuf,
    spool_limit_bytes: u64,
    retention: Retention,
    scope: FileScope,
    containment: ContainmentChoice,
}

impl LocalRuntimeBuilder {
    pub(super) fn new(workspace: PathBuf) -> Self {
        Self {
            workspace,
            passed: ["PATH", "HOME", "LANG", "TERM"].map(str::to_owned).to_vec(),
            variables: BTreeMap::new(),
            shell: None,
            spool_dir: std::env::temp_dir(),
            spool_limit_bytes: 1 << 30,
            retention: Retention {
                processes: 128,
                bytes: 1 << 30,
            },
            scope: FileScope::default(),
            containment: ContainmentChoice::default(),
        }
    }

    /// Passes one more variable of this program to commands, where it is set. `PATH`, `HOME`,
    /// `LANG` and `TERM` are passed anyway.
    #[must_use]
    pub fn pass_env(mut self, name: impl Into<String>) -> Self {
        self.passed.push(name.into());
        self
    }

    /// Passes no variable of this program, not even the usual four.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.passed.clear();
        self.variables.clear();
        self
    }

    /// Sets a variable for all commands; it wins over one that is passed.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets the shell that runs texts. By default `bash` where the `PATH` has one, else `sh`.
    #[must_use]
    pub fn shell(mut self, path: impl Into<PathBuf>) -> Self {
        self.shell = Some(path.into());
        self
    }

    /// Sets the directory for output that does not fit into memory; by default that of the system
    /// for temporary files. The files have no names and vanish with the runtime, however it ends.
    #[must_use]
    pub fn spool_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spool_dir = directory.into();
        self
    }

    /// Sets how much output of one process is kept; 1 GiB by default. Beyond it the oldest goes,
    /// a quarter at a time, and is reported as a gap.
    #[must_use]
    pub fn spool_limit_bytes(mut self, limit: u64) -> Self {
        self.spool_limit_bytes = limit;
        self
    }

    /// Sets how many finished processes are kept, and how much of their output in all; 128 and
    /// 1 GiB by default. Beyond either the oldest are forgotten.
    #[must_use]
    pub fn output_retention(mut self, processes: usize, bytes: u64) -> Self {
        self.retention = Retention { processes, bytes };
        self
    }

    /// Sets which paths the file methods accept. Commands are not bound by it.
    #[must_use]
    pub fn file_scope(mut self, scope: FileScope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets how the processes of a command are held together; by their mark by default.
    #[must_use]
    pub fn containment(mut self, choice: ContainmentChoice) -> Self {
        self.containment = choice;
        self
    }

    /// Starts the runtime. Processes that a runtime of a dead host left behind are ended meanwhile.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) or [`NotADirectory`](ErrorKind::NotADirectory) for the
    /// workspace, which is never created, or the spool directory;
    /// [`NotFound`](ErrorKind::NotFound) without any shell;
    /// [`Unsupported`](ErrorKind::Unsupported) if control groups are demanded and cannot be had;
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a workspace whose path is not UTF-8, a
    /// variable with a malformed name or a NUL byte.
    ///
    /// # Cancel safety
    /// Safe: nothing is started before it is ready.
    pub async fn start(self) -> Result<LocalRuntime> {
        let workspace = directory(&self.workspace, "create the workspace before the start")?;
        let spool_dir = directory(&self.spool_dir, "choose another spool_dir")?;
        let variables = self.environment()?;
        let shell = self.find_shell(&variables)?;
        let text = workspace.to_str().ok_or_else(|| {
            Error::invalid("start", "the path of the workspace is not UTF-8")
                .with_object(workspace.to_string_lossy())
        })?;
        let owner = Owner::this_process().map_err(|error| Error::io("start", error))?;
        let cgroups = self.cgroups(&owner)?;
        let containment = match cgroups {
            Some(_) => Containment::Cgroup,
            None => Containment::Marker,
        };
        let descriptor = descriptor(SandboxPath::new(text)?).containment(containment);
        let files = LocalFiles::open(&workspace, self.scope)?;
        let engine = Engine::start(EngineSettings {
            workspace,
            environment: variables,
            spool: SpoolSettings {
                directory: spool_dir,
                limit_bytes: self.spool_limit_bytes,
            },
            retention: self.retention,
            shell,
            owner,
            cgroups,
        });
        Ok(LocalRuntime::new(descriptor, engine, files))
    }

    /// Refuses where groups are demanded and cannot be had: less than was asked for would be a
    /// silent loss of safety.
    fn cgroups(&self, owner: &Owner) -> Result<Option<Arc<CgroupRoot>>> {
        if self.containment == ContainmentChoice::Marker {
            return Ok(None);
        }
        match CgroupRoot::create(owner) {
            Ok(root) => Ok(Some(root)),
            Err(_) if self.containment == ContainmentChoice::Auto => Ok(None),
            Err(error) => Err(Error::unsupported("start")
                .with_object("control groups")
                .with_detail(format!("{error}; choose another containment"))
                .with_source(error)),
        }
    }

    fn environment(&self) -> Result<BTreeMap<String, String>> {
        let mut variables = BTreeMap::new();
        for name in &self.passed {
            // One that is no UTF-8 cannot be given to a command as text.
            if let Some(value) = std::env::var_os(name).and_then(|value| value.into_string().ok()) {
                variables.insert(name.clone(), value);
            }
        }
        variables.extend(self.variables.clone());
        for (name, value) in &variables {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(Error::invalid(
                    "start",
                    "a variable has a name without '=' and NUL, and a value without NUL",
                )
                .with_object(name.as_str()));
            }
        }
        Ok(variables)
    }

    fn find_shell(&self, variables: &BTreeMap<String, String>) -> Result<String> {
        let runs = |path: &Path| {
            path.is_file()
                && rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
        };
        let not_found = |object: &Path, detail: &'static str| {
            Error::new(ErrorKind::NotFound, "start")
                .with_object(object.to_string_lossy())
                .with_detail(detail)
        };
        let found = match &self.shell {
            Some(shell) if runs(shell) => shell.clone(),
            Some(shell) => return Err(not_found(shell, "the shell cannot be run")),
            None => {
                let path = variables.get("PATH").map_or("", String::as_str);
                let usual = ["/usr/local/bin", "/usr/bin", "/bin"];
                let places: Vec<&str> = path.split(':').chain(usual).collect();
                let places = &places;
                ["bash", "sh"]
                    .iter()
                    .flat_map(|name| places.iter().map(move |place| Path::new(place).join(name)))
                    .filter(|path| path.is_absolute())
                    .find(|path| runs(path))
                    .ok_or_else(|| {
                        not_found(Path::new("sh"), "there is no shell on this machine")
                    })?
            }
        };
        found
            .into_os_string()
            .into_string()
            .map_err(|path| not_found(Path::new(&path), "the path of the shell is not UTF-8"))
    }
}

/// A directory that is there, as an absolute path without links.
fn directory(path: &Path, advice: &'static str) -> Result<PathBuf> {
    let named = |error: Error| error.with_object(path.to_string_lossy());
    let absolute = std::fs::canonicalize(path).map_err(|error| {
        let error = named(Error::io("start", error));
        match error.kind() {
            ErrorKind::NotFound => error.with_detail(format!("no such directory; {advice}")),
            _ => error,
        }
    })?;
    if !absolute.is_dir() {
        let error = Error::new(ErrorKind::NotADirectory, "start");
        return Err(named(error).with_detail(format!("not a directory; {advice}")));
    }
    Ok(absolute)
}

fn descriptor(workspace: SandboxPath) -> Descriptor {
    static RUNTIMES: AtomicU64 = AtomicU64::new(1);
    let number = RUNTIMES.fetch_add(1, Ordering::Relaxed);
    let id = RuntimeId::new(format!("local-{}-{number}", std::process::id()));
    let capabilities = Capabilities::from_iter([
        Capability::Attach,
        Capability::OutputRange,
        Capability::Stdin,
        Capability::Pty,
        Capability::Sessions,
        Capability::Signals,
        Capability::Limits,
        Capability::TreeKill,
        Capability::InputDetection,
        Capability::CpuUsage,
        Capability::MemoryUsage,
        Capability::IdempotencyKeys,
        Capability::ProcessList,
        Capability::List,
        Capability::Stat,
        Capability::Glob,
        Capability::Grep,
        Capability::Copy,
        Capability::Manage,
        Capability::Undo,
        Capability::Encodings,
        Capability::Versions,
        Capability::Env,
        Capability::Stats,
    ]);
    Descriptor::new("local", id, workspace)
        .capabilities(capabilities)
        .isolation(Isolation::None)
        .platform(std::env::consts::OS, std::env::consts::ARCH)
}

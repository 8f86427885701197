//! What to run, and how long a call waits for it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::output::CaptureLimit;
use super::path::SandboxPath;
use crate::id::{IdempotencyKey, SessionName};

/// Something to run: a program with arguments, or a text for a shell.
///
/// The environment of a command is empty but for what the runtime is configured to pass (for the
/// local runtime: `PATH`, `HOME`, `LANG`, `TERM`, [`set_env`](super::Runtime::set_env) values) and
/// what [`env`](Self::env) adds.
///
/// ```
/// use std::time::Duration;
/// use oh_core::Command;
/// let build = Command::new("cargo").arg("build").deadline(Duration::from_secs(600));
/// let count = Command::shell("ls | wc -l");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// Program or shell text.
    pub target: Target,
    /// Working directory; the workspace if `None`. Not allowed in a session.
    pub cwd: Option<SandboxPath>,
    /// Variables on top of the configured ones. Not allowed in a session.
    pub env: BTreeMap<String, String>,
    /// The persistent shell to run in; a process of its own if `None`. The shell is started by the
    /// first command that names it.
    pub session: Option<SessionName>,
    /// What the process reads. In a session only [`Stdin::Null`] and [`Stdin::Piped`].
    pub stdin: Stdin,
    /// Where output goes. Ignored in a session, which always has one terminal.
    pub output: OutputMode,
    /// After this time the runtime ends the process and its whole tree
    /// ([`Exit::TimedOut`](crate::Exit::TimedOut)).
    pub deadline: Option<Duration>,
    /// Time between the polite signal and the kill, at a deadline or a cancel. Default 1 s.
    pub grace: Duration,
    /// Resource limits. Not allowed in a session.
    pub limits: Limits,
    /// How much of the output a result holds; the rest stays readable by range.
    pub capture: CaptureLimit,
    /// The same key with the same command is the same process; such a process outlives its client.
    pub key: Option<IdempotencyKey>,
}

impl Command {
    /// Runs a program, found through the `PATH` of the command, without any shell.
    pub fn new(program: impl Into<String>) -> Self {
        Self::of(Target::Program {
            program: program.into(),
            args: Vec::new(),
        })
    }

    /// Runs a text in the shell of the runtime (`bash` where there is one, else `sh`).
    pub fn shell(script: impl Into<String>) -> Self {
        Self::of(Target::Shell(script.into()))
    }

    fn of(target: Target) -> Self {
        Self {
            target,
            cwd: None,
            env: BTreeMap::new(),
            session: None,
            stdin: Stdin::Null,
            output: OutputMode::Separate,
            deadline: None,
            grace: Duration::from_secs(1),
            limits: Limits::default(),
            capture: CaptureLimit::default(),
            key: None,
        }
    }

    /// Adds an argument. To a shell text it appends a blank and the argument as one quoted word.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        match &mut self.target {
            Target::Program { args, .. } => args.push(arg.into()),
            Target::Shell(script) => {
                script.push(' ');
                script.push_str(&quote(&arg.into()));
            }
        }
        self
    }

    /// Adds arguments in order.
    #[must_use]
    pub fn args<A: Into<String>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, path: SandboxPath) -> Self {
        self.cwd = Some(path);
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Runs in the persistent shell of this name.
    #[must_use]
    pub fn session(mut self, name: SessionName) -> Self {
        self.session = Some(name);
        self
    }

    /// Sets what the process reads.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// Sets where output goes.
    #[must_use]
    pub fn output(mut self, output: OutputMode) -> Self {
        self.output = output;
        self
    }

    /// Gives the process a terminal of this size; stdin becomes that terminal.
    #[must_use]
    pub fn pty(mut self, size: PtySize) -> Self {
        self.output = OutputMode::Pty(size);
        self.stdin = Stdin::Piped;
        self
    }

    /// Ends the process after this time.
    #[must_use]
    pub fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }

    /// Sets the time between the polite signal and the kill.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets resource limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how much of the output a result holds.
    #[must_use]
    pub fn capture(mut self, capture: CaptureLimit) -> Self {
        self.capture = capture;
        self
    }

    /// Names the command, so that sending it twice runs it once.
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }
}

impl fmt::Debug for Command {
    /// Names the variables without their values, which are secrets as often as not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("target", &self.target)
            .field("cwd", &self.cwd)
            .field("env", &self.env.keys())
            .field("session", &self.session)
            .field("stdin", &self.stdin)
            .field("output", &self.output)
            .field("deadline", &self.deadline)
            .field("grace", &self.grace)
            .field("limits", &self.limits)
            .field("capture", &self.capture)
            .field("key", &self.key)
            .finish()
    }
}

impl fmt::Debug for Stdin {
    /// Tells how many bytes there are, and not which: they are a password as often as not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Piped => f.write_str("Piped"),
        }
    }
}

/// Quotes a word for a POSIX shell.
///
/// ```
/// assert_eq!(oh_core::runtime::quote("it's"), r"'it'\''s'");
/// assert_eq!(oh_core::runtime::quote("plain-1.0"), "plain-1.0");
/// ```
pub fn quote(word: &str) -> String {
    let plain = !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b));
    if plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Program or shell text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// A program and its arguments; no shell looks at them.
    Program {
        /// Name (searched in `PATH`) or path.
        program: String,
        /// Arguments after the program.
        args: Vec<String>,
    },
    /// A text for the shell of the runtime.
    Shell(String),
}

impl fmt::Display for Target {
    /// As one would type it in a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { program, args } => {
                f.write_str(&quote(program))?;
                args.iter().try_for_each(|arg| write!(f, " {}", quote(arg)))
            }
            Self::Shell(script) => f.write_str(script),
        }
    }
}

/// What a process reads.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stdin {
    /// Nothing: end of file at once.
    #[default]
    Null,
    /// These bytes, then end of file.
    Bytes(Bytes),
    /// What [`Process::write_stdin`](super::Process::write_stdin) sends, until it is closed.
    Piped,
}

/// Where the output of a process goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputMode {
    /// Two pipes. The order across the two is the order of arrival.
    #[default]
    Separate,
    /// One pipe for both, in the order of writing; everything is stdout.
    Merged,
    /// A terminal; everything is stdout.
    Pty(PtySize),
}

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtySize {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

impl Default for PtySize {
    /// 24 rows of 80 columns.
    fn default() -> Self {
        Self {
            rows: 24,
            columns: 80,
        }
    }
}

/// Resource limits of one command and what it starts. `None` is the limit of the runtime itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// Processor seconds of a single process (`RLIMIT_CPU`), whole seconds, rounded up.
    pub cpu_time: Option<Duration>,
    /// Address space of a single process (`RLIMIT_AS`), rounded up to KiB.
    pub memory_bytes: Option<u64>,
    /// Largest file that a process may write (`RLIMIT_FSIZE`), rounded up to 512 bytes.
    pub file_size_bytes: Option<u64>,
    /// Open descriptors of a single process (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Processes of the user id, all of them on the machine (`RLIMIT_NPROC`); root ignores it.
    pub processes: Option<u64>,
}

impl Limits {
    /// Whether no limit is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Limits the processor time of a process.
    #[must_use]
    pub fn cpu_time(mut self, limit: Duration) -> Self {
        self.cpu_time = Some(limit);
        self
    }

    /// Limits the address space of a process.
    #[must_use]
    pub fn memory_bytes(mut self, limit: u64) -> Self {
        self.memory_bytes = Some(limit);
        self
    }

    /// Limits the size of a written file.
    #[must_use]
    pub fn file_size_bytes(mut self, limit: u64) -> Self {
        self.file_size_bytes = Some(limit);
        self
    }

    /// Limits open descriptors.
    #[must_use]
    pub fn open_files(mut self, limit: u64) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Limits the number of processes of the user id.
    #[must_use]
    pub fn processes(mut self, limit: u64) -> Self {
        self.processes = Some(limit);
        self
    }
}

/// From where a call follows a process, and how long it waits. It never ends the process.
///
/// The runtime runs the timers. Either one ends the waiting of this call alone: the process goes
/// on and can be followed again, answered or cancelled.
///
/// ```
/// use std::time::Duration;
/// use oh_core::Follow;
/// let patient = Follow::default();
/// let ten_quiet_seconds = Follow::default().quiet(Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Follow {
    /// First byte of each stream to report.
    pub from: Position,
    /// Stop waiting when there was no output for this time.
    pub quiet: Option<Duration>,
    /// Stop waiting after this time.
    pub until: Option<Duration>,
}

impl Follow {
    /// Follows from a position.
    #[must_use]
    pub fn from(mut self, position: Position) -> Self {
        self.from = position;
        self
    }

    /// Stops waiting after this long without output.
    #[must_use]
    pub fn quiet(mut self, time: Duration) -> Self {
        self.quiet = Some(time);
        self
    }

    /// Stops waiting after this long.
    #[must_use]
    pub fn until(mut self, time: Duration) -> Self {
        self.until = Some(time);
        self
    }
}

/// A place in the output of a process: bytes of each stream before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes of stdout.
    pub stdout: u64,
    /// Bytes of stderr.
    pub stderr: u64,
}

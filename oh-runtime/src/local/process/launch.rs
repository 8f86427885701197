//! Starting a program with its descriptors in place.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use oh_core::{Limits, PtySize, SpawnError, SpawnErrorKind};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use tokio::io::Interest;

use super::channel::Channel;
use super::environment::confined;
use super::leader::Leader;
use super::procfs;
use super::pty::Pty;
use crate::local::sys::{self, Child, ChildIo};

/// A program to start. The strings hold no NUL byte; one that does is an error of kind `Other`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launch<'a> {
    /// The program first, then its arguments. A name without a slash is searched in the `PATH` of
    /// `env`.
    pub(crate) argv: &'a [String],
    /// Set before the program runs.
    pub(crate) limits: &'a Limits,
    /// Control group to join before the program runs.
    pub(crate) cgroup: Option<&'a Path>,
    /// The whole environment.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Working directory.
    pub(crate) cwd: &'a Path,
    /// What becomes of descriptors 0, 1 and 2; there are no others.
    pub(crate) io: LaunchIo,
}

/// Where input comes from and output goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LaunchIo {
    /// A pipe each for stdout and stderr.
    Separate(LaunchStdin),
    /// One pipe for both.
    Merged(LaunchStdin),
    /// A terminal for input and output.
    Terminal(PtySize),
    /// A terminal for output alone.
    TerminalOutput(PtySize, LaunchStdin),
    /// A terminal that neither echoes input nor changes output.
    PlainTerminal(PtySize),
}

/// What a child reads that does not read a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaunchStdin {
    Null,
    Pipe,
}

/// A started program and our ends of its descriptors.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) leader: Leader,
    pub(crate) stdin: Option<Channel>,
    pub(crate) stdout: Option<Channel>,
    pub(crate) stderr: Option<Channel>,
    pub(crate) terminal: Option<Pty>,
}

/// Where programs are searched when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Starts a program. Must be called within a tokio runtime, and does not yield: a caller that is
/// dropped leaves no process without an owner.
///
/// # Errors
/// Why the program does not run.
pub(crate) fn launch(launch: &Launch<'_>) -> Result<Launched, SpawnError> {
    let name = launch.argv.first().map_or("", String::as_str);
    start(launch, name).map_err(|error| describe(name, launch.cwd, &error))
}

fn start(launch: &Launch<'_>, name: &str) -> io::Result<Launched> {
    let mut program = find(name, launch.env, launch.cwd)?;
    let mut argv = launch.argv.to_vec();
    if launch.cgroup.is_some() || !launch.limits.is_empty() {
        // What is missing should be missed here and not in the shell that confines it.
        let path = program.to_string_lossy().into_owned();
        let seen_from_here = launch.cwd.join(&path);
        rustix::fs::accessat(CWD, &seen_from_here, Access::EXEC_OK, AtFlags::EACCESS)?;
        if let Some(first) = argv.first_mut() {
            *first = path;
        }
        argv = confined(launch.limits, launch.cgroup, argv);
        program = c"/bin/sh".to_owned();
    }
    let argv = strings(argv.into_iter())?;
    let env = strings(
        launch
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    )?;
    let cwd = c_path(launch.cwd)?;
    let run = |io: ChildIo<'_>| -> io::Result<Leader> {
        let (started, ticks) = (Instant::now(), procfs::ticks_now());
        let pid = sys::spawn(&Child {
            program: &program,
            argv: &argv,
            env: &env,
            cwd: &cwd,
            io,
        })?;
        Leader::new(pid, started, ticks)
    };
    let (stdin, their_stdin) = match launch.io {
        LaunchIo::Terminal(_) | LaunchIo::PlainTerminal(_) => (None, None),
        LaunchIo::Separate(stdin)
        | LaunchIo::Merged(stdin)
        | LaunchIo::TerminalOutput(_, stdin) => {
            let (ours, theirs) = input(stdin)?;
            (ours, Some(theirs))
        }
    };
    let their_stdin = their_stdin.as_ref().map(OwnedFd::as_fd);
    if let LaunchIo::Terminal(size)
    | LaunchIo::PlainTerminal(size)
    | LaunchIo::TerminalOutput(size, _) = launch.io
    {
        let pty = Pty::open(size)?;
        if matches!(launch.io, LaunchIo::PlainTerminal(_)) {
            pty.make_plain()?;
        }
        let leader = run(ChildIo::Terminal {
            path: pty.slave_path(),
            stdin: their_stdin,
        })?;
        return Ok(Launched {
            leader,
            stdin,
            stdout: None,
            stderr: None,
            terminal: Some(pty),
        });
    }
    let their_stdin = their_stdin.ok_or(Errno::BADF)?;
    let (ours, their_stdout) = pipe()?;
    let stdout = Channel::new(ours, Interest::READABLE)?;
    let (stderr, their_stderr) = match launch.io {
        LaunchIo::Separate(_) => {
            let (ours, theirs) = pipe()?;
            (Some(Channel::new(ours, Interest::READABLE)?), Some(theirs))
        }
        _ => (None, None),
    };
    let leader = run(ChildIo::Descriptors {
        stdin: their_stdin,
        stdout: their_stdout.as_fd(),
        stderr: their_stderr.as_ref().unwrap_or(&their_stdout).as_fd(),
    })?;
    Ok(Launched {
        leader,
        stdin,
        stdout: Some(stdout),
        stderr,
        terminal: None,
    })
}

/// Our end, if there is one, and the child's.
fn input(stdin: LaunchStdin) -> io::Result<(Option<Channel>, OwnedFd)> {
    match stdin {
        LaunchStdin::Null => Ok((None, null()?)),
        LaunchStdin::Pipe => {
            let (theirs, ours) = pipe()?;
            Ok((Some(Channel::new(ours, Interest::WRITABLE)?), theirs))
        }
    }
}

/// A pipe whose ends are numbered 3 or above, as the child's table needs it.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    Ok((above_stdio(read)?, above_stdio(write)?))
}

fn null() -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    above_stdio(rustix::fs::open(c"/dev/null", flags, Mode::empty())?)
}

/// A host that closed its own stdin would get the numbers below 3 handed out again.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?)
}

/// Finds a program as `execvp(3)` does, but with the child's own `PATH` and directory.
fn find(name: &str, env: &BTreeMap<String, String>, cwd: &Path) -> io::Result<CString> {
    if name.is_empty() {
        return Err(Errno::NOENT.into());
    }
    if name.contains('/') {
        // Relative to `cwd`, where the child is when it runs it.
        return c_path(Path::new(name));
    }
    let path = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let mut reason = Errno::NOENT;
    for directory in path.split(':') {
        let candidate = match directory {
            "" => PathBuf::from("."),
            directory => PathBuf::from(directory),
        }
        .join(name);
        let seen_from_here = cwd.join(&candidate);
        if !seen_from_here.is_file() {
            continue;
        }
        match rustix::fs::accessat(CWD, &seen_from_here, Access::EXEC_OK, AtFlags::EACCESS) {
            Ok(()) => return c_path(&candidate),
            Err(_) => reason = Errno::ACCESS,
        }
    }
    Err(reason.into())
}

fn strings(all: impl Iterator<Item = String>) -> io::Result<Vec<CString>> {
    all.map(|text| CString::new(text).map_err(io::Error::from))
        .collect()
}

fn c_path(path: &Path) -> io::Result<CString> {
    let text: &OsStr = path.as_os_str();
    CString::new(text.as_bytes()).map_err(io::Error::from)
}

fn describe(program: &str, cwd: &Path, error: &io::Error) -> SpawnError {
    use SpawnErrorKind as Kind;
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    let (kind, message) = match errno {
        Some(Errno::NOENT) if !cwd.is_dir() => (
            Kind::Other,
            format!("the working directory {} is gone", cwd.display()),
        ),
        Some(Errno::NOENT) => (
            Kind::NotFound,
            "no such program, or the interpreter that it names is missing".to_owned(),
        ),
        Some(Errno::ACCESS | Errno::PERM) => (Kind::PermissionDenied, error.to_string()),
        Some(Errno::NOEXEC | Errno::ISDIR | Errno::LIBBAD) => {
            (Kind::NotExecutable, error.to_string())
        }
        Some(Errno::TOOBIG) => (
            Kind::TooLarge,
            "arguments and environment are larger than the kernel takes; pass data by stdin or in \
             a file"
                .to_owned(),
        ),
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::NOSPC) => {
            (Kind::LimitExceeded, error.to_string())
        }
        _ => (Kind::Other, error.to_string()),
    };
    SpawnError::new(kind, program, message)
}

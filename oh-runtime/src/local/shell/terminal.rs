//! One shell on its terminal: what it is made of and what can be asked of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use oh_core::runtime::quote;
use oh_core::{Limits, PtySize, SpawnError, SpawnErrorKind, WaitsForInput};
use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, SpecialCodeIndex, Termios};

use super::line::{Dialect, Line, Names};
use crate::local::confine::Cgroup;
use crate::local::process::{
    InputSource, Launch, LaunchIo, Launched, Leader, Pty, Stat, all_processes, launch, ticks_now,
};

/// A running shell, its terminal, its report pipe and its private directory.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) leader: Leader,
    pub(super) terminal: Pty,
    /// Held open so that the shell's side never sees the end of it, and to empty its queue.
    slave: OwnedFd,
    reports: OwnedFd,
    names: Names,
    /// The flags that each command starts with.
    flags: Termios,
    directory: Directory,
    pub(super) cgroup: Option<Arc<Cgroup>>,
}

/// What a shell is started with.
#[derive(Debug)]
pub(super) struct ShellStart<'a> {
    /// The program: `bash`, or any POSIX shell.
    pub(super) program: &'a str,
    /// Must not exist; it is removed with the shell.
    pub(super) directory: &'a Path,
    pub(super) cgroup: Option<Arc<Cgroup>>,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) cwd: &'a Path,
}

/// A directory that goes with its owner.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn create(path: &Path) -> io::Result<Self> {
        rustix::fs::mkdirat(CWD, path, Mode::RWXU)?;
        Ok(Self(path.to_owned()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Shell {
    /// Most bytes taken from the terminal before others get a turn.
    const READ_BYTES: usize = 64 * 1024;

    /// Starts a shell. Must be called within a tokio runtime.
    pub(super) fn start(start: &ShellStart<'_>) -> Result<Self, SpawnError> {
        let failed = |error: io::Error| {
            SpawnError::new(SpawnErrorKind::Other, start.program, error.to_string())
        };
        let directory = Directory::create(start.directory).map_err(failed)?;
        let is_bash = Path::new(start.program).file_name() == Some(OsStr::new("bash"));
        let (dialect, launched) = if is_bash {
            let profile = directory.file("s");
            write_private(&profile, &[Names::START.as_bytes()]).map_err(failed)?;
            (Dialect::Bash, start_bash(start, &profile)?)
        } else {
            (Dialect::Posix, start_posix(start)?)
        };
        let cgroup = start.cgroup.clone();
        Self::assemble(dialect, launched, directory, cgroup).map_err(failed)
    }

    fn assemble(
        dialect: Dialect,
        launched: Launched,
        directory: Directory,
        cgroup: Option<Arc<Cgroup>>,
    ) -> io::Result<Self> {
        let Launched {
            leader, terminal, ..
        } = launched;
        let terminal = terminal.ok_or_else(|| io::Error::other("no terminal"))?;
        let flags = terminal.flags()?;
        let slave = rustix::fs::open(
            terminal.slave_path(),
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let text = |path: PathBuf| {
            path.into_os_string()
                .into_string()
                .map_err(|_| io::Error::other("the directory of the runtime is no UTF-8 path"))
        };
        let pipe = directory.file("r");
        let private = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, private, 0)?;
        let reports = rustix::fs::open(
            &pipe,
            OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let device = OsStr::from_bytes(terminal.slave_path().to_bytes()).to_owned();
        let names = Names {
            dialect,
            terminal: text(device.into())?,
            pipe: text(pipe)?,
            script: text(directory.file("c"))?,
            changes: text(directory.file("e"))?,
        };
        Ok(Self {
            leader,
            terminal,
            slave,
            reports,
            names,
            flags,
            directory,
            cgroup,
        })
    }

    /// Writes the text of the next command.
    pub(super) fn prepare(&self, script: &[&[u8]]) -> io::Result<()> {
        write_private(Path::new(&self.names.script), script)
    }

    /// Types the line that runs the text.
    pub(super) fn run(&self, line: Line<'_>) -> io::Result<()> {
        self.type_line(&self.names.run(line))
    }

    /// Writes what the next command reads first: variables to be set or unset.
    pub(super) fn change(&self, variables: &BTreeMap<String, Option<String>>) -> io::Result<()> {
        let builtin = match self.names.dialect {
            Dialect::Bash => "\\builtin ",
            Dialect::Posix => "\\",
        };
        let mut text = String::new();
        for (name, value) in variables {
            match value {
                Some(value) => {
                    text.push_str(&format!("{builtin}export {name}={}\n", quote(value)));
                }
                None => text.push_str(&format!("{builtin}unset -v {name}\n")),
            }
        }
        write_private(Path::new(&self.names.changes), &[text.as_bytes()])
    }

    /// Asks a shell that waits for its next line for the report that did not come.
    pub(super) fn repair(&self, id: &str) -> io::Result<()> {
        self.type_line(&self.names.repair(id))
    }

    fn type_line(&self, line: &str) -> io::Result<()> {
        // What was typed ahead is no part of this line, and a program may have changed the
        // terminal to anything.
        rustix::termios::tcflush(&self.slave, QueueSelector::IFlush)?;
        let terminal = &self.terminal;
        if !same_flags(&terminal.flags()?, &self.flags) {
            terminal.set_flags(&self.flags)?;
        }
        let written = self.write(line.as_bytes())?;
        if written < line.len() {
            return Err(io::Error::other(
                "the terminal does not take the whole line",
            ));
        }
        Ok(())
    }

    /// Writes to the terminal without waiting; gives how much it took.
    pub(super) fn write(&self, data: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(self.terminal.channel(), data) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Takes some of what the terminal has; `None` if it has nothing, empty at its end.
    pub(super) fn read_output(&self, buffer: &mut Vec<u8>) -> Option<Bytes> {
        buffer.reserve(Self::READ_BYTES);
        while buffer.len() < Self::READ_BYTES {
            match rustix::io::read(self.terminal.channel(), spare_capacity(buffer)) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if buffer.is_empty() => return None,
                // `EIO`: the session on the other side is over.
                Err(_) => break,
            }
        }
        // A large buffer is handed on as it is, a small piece does not keep a large one.
        if buffer.len() > buffer.capacity() / 4 {
            return Some(Bytes::from(std::mem::take(buffer)));
        }
        let data = Bytes::copy_from_slice(buffer);
        buffer.clear();
        Some(data)
    }

    /// Takes what is in the report pipe; `None` if it is empty.
    pub(super) fn read_reports(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            bytes.reserve(1024);
            match rustix::io::read(&self.reports, spare_capacity(&mut bytes)) {
                Err(Errno::INTR) => {}
                Ok(count) if count > 0 => {}
                // We hold the other end as well, so there is no end.
                _ => return (!bytes.is_empty()).then_some(bytes),
            }
        }
    }

    /// Whether the kernel shows the shell in the foreground, asleep, with its own standard input
    /// in place: then it waits for its next line. A command has another standard input.
    pub(super) fn waits_for_line(&self) -> bool {
        let pid = self.leader.number();
        if !self.is_in_foreground() {
            return false;
        }
        let input = PathBuf::from(format!("/proc/{pid}/fd/0"));
        let both = 0o600;
        std::fs::symlink_metadata(&input).is_ok_and(|link| link.mode() & both == both)
            && std::fs::read_link(&input).is_ok_and(|path| path == Path::new(&self.names.terminal))
            && Stat::of(pid).is_some_and(|stat| stat.state == 'S')
            && !(self.names.dialect == Dialect::Bash && self.is_within_redirection())
    }

    /// Whether `bash` has put its own standard input or output aside for the time of a command,
    /// which may read the terminal by another descriptor. It holds one more, for job control.
    fn is_within_redirection(&self) -> bool {
        // `O_CLOEXEC` in the octal digits of `fdinfo`; descriptors of users have no such flag.
        const CLOSED_BY_EXEC: u32 = 0o2_000_000;
        let pid = self.leader.number();
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let is_aside = |entry: &std::fs::DirEntry| {
            let name = entry.file_name();
            let number: Option<u32> = name.to_str().and_then(|name| name.parse().ok());
            let Some(number) = number.filter(|&number| number >= 10) else {
                return false;
            };
            let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
            let info = info.unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
            flags.is_some_and(|flags| flags & CLOSED_BY_EXEC != 0)
                && std::fs::read_link(entry.path())
                    .is_ok_and(|path| path == Path::new(&self.names.terminal))
        };
        let aside = entries.into_iter().flatten().flatten().filter(is_aside);
        aside.count() > 1
    }

    /// Whether the shell itself is in the foreground.
    pub(super) fn is_in_foreground(&self) -> bool {
        self.terminal.foreground_group() == Some(self.leader.pid())
    }

    /// Whether the foreground may be changing: the shell has it, or a process some hundredths of a
    /// second old.
    pub(super) fn is_starting_a_program(&self) -> bool {
        let Some(group) = self.terminal.foreground_group() else {
            return false;
        };
        let number = group.as_raw_nonzero().get().unsigned_abs();
        let is_young = |stat: Stat| ticks_now() <= stat.start + 3;
        group == self.leader.pid() || Stat::of(number).is_some_and(is_young)
    }

    /// Whether something in the foreground waits for the terminal.
    pub(super) fn waits_for_input(&self) -> WaitsForInput {
        let Ok(mut processes) = all_processes() else {
            return WaitsForInput::Unknown;
        };
        let shell = self.leader.number();
        processes.retain(|stat| stat.session == shell);
        InputSource::Terminal(self.names.terminal.clone()).is_awaited_by(&processes)
    }

    /// The working directory: by the name that the shell has for it if the kernel agrees, else by
    /// the kernel's.
    pub(super) fn cwd(&self, named: &[u8]) -> Option<PathBuf> {
        let link = PathBuf::from(format!("/proc/{}/cwd", self.leader.number()));
        let real = std::fs::read_link(&link).ok()?;
        let named = Path::new(OsStr::from_bytes(named));
        if real == named {
            return Some(real);
        }
        let there = std::fs::metadata(&link).ok()?;
        let same = std::fs::metadata(named)
            .is_ok_and(|at| (at.dev(), at.ino()) == (there.dev(), there.ino()));
        if same && named.is_absolute() {
            return Some(named.to_owned());
        }
        let mut bytes = real.into_os_string().into_vec();
        if there.nlink() == 0 && bytes.ends_with(b" (deleted)") {
            bytes.truncate(bytes.len() - b" (deleted)".len());
        }
        Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
    }

    /// Whether the files that a command needs are still there.
    pub(super) fn is_intact(&self) -> bool {
        self.directory.file("r").exists()
    }
}

fn start_bash(start: &ShellStart<'_>, profile: &Path) -> Result<Launched, SpawnError> {
    let profile = profile.to_string_lossy();
    let options = ["--noprofile", "--noediting", "--rcfile", &profile, "-i"];
    start_on_terminal(start, &options, start.env)
}

fn start_posix(start: &ShellStart<'_>) -> Result<Launched, SpawnError> {
    let mut env = start.env.clone();
    // There is no file that every `sh` reads when it starts.
    for prompt in ["PS1", "PS2"] {
        env.insert(prompt.to_owned(), String::new());
    }
    start_on_terminal(start, &["-i"], &env)
}

fn start_on_terminal(
    start: &ShellStart<'_>,
    options: &[&str],
    env: &BTreeMap<String, String>,
) -> Result<Launched, SpawnError> {
    let words = [start.program].into_iter().chain(options.iter().copied());
    let argv: Vec<String> = words.map(str::to_owned).collect();
    launch(&Launch {
        argv: &argv,
        limits: &Limits::default(),
        cgroup: start.cgroup.as_ref().map(|cgroup| cgroup.path()),
        env,
        cwd: start.cwd,
        io: LaunchIo::PlainTerminal(PtySize::default()),
    })
}

/// Setting flags wakes whoever reads the terminal, so it is done only when something differs.
fn same_flags(a: &Termios, b: &Termios) -> bool {
    use SpecialCodeIndex as Code;
    let codes = [
        Code::VINTR,
        Code::VQUIT,
        Code::VERASE,
        Code::VKILL,
        Code::VEOF,
        Code::VSUSP,
        Code::VEOL,
        Code::VMIN,
        Code::VTIME,
    ];
    (a.input_modes, a.output_modes, a.local_modes) == (b.input_modes, b.output_modes, b.local_modes)
        && codes
            .into_iter()
            .all(|code| a.special_codes[code] == b.special_codes[code])
}

/// Replaces the content of a file that only this user can read. Nothing becomes an empty line.
///
/// The file is cut after it was written, and never to nothing: ext4 takes a file that is emptied
/// and written anew for one that has to reach the disk when it is closed, which takes a
/// millisecond.
fn write_private(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let parts = if length == 0 { &[&b"\n"[..]] } else { parts };
    for part in parts {
        let mut rest: &[u8] = part;
        while !rest.is_empty() {
            match rustix::io::write(&file, rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(rustix::fs::ftruncate(&file, length.max(1) as u64)?)
}

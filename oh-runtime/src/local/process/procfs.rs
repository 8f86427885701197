//! What `/proc` says of processes.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::str::FromStr;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

/// The line of `/proc/PID/stat`, as far as it is of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// Foreground group of its terminal.
    pub(crate) foreground: Option<u32>,
    threads: u32,
    /// False for threads of the kernel.
    pub(crate) has_memory: bool,
    /// Clock ticks between the boot and its start; tells two processes of one number apart.
    pub(crate) start: u64,
}

impl Stat {
    /// Reads it; `None` if there is no such process, or it cannot be read.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::read(pid).ok().flatten()
    }

    /// Reads it; `None` if `/proc` shows no such process.
    ///
    /// # Errors
    /// Why it could not be found out: a host that has no descriptor left is no proof that a process
    /// is gone.
    pub(crate) fn read(pid: u32) -> io::Result<Option<Self>> {
        let Some(line) = found(fs::read(format!("/proc/{pid}/stat")))? else {
            return Ok(None);
        };
        let unknown = || io::Error::other(format!("the line of process {pid} cannot be read"));
        Self::parse(&line).map(Some).ok_or_else(unknown)
    }

    fn parse(line: &[u8]) -> Option<Self> {
        // The second field is the name of the program in brackets, and may hold anything.
        let open = line.iter().position(|&byte| byte == b'(')?;
        let close = line.iter().rposition(|&byte| byte == b')')?;
        let pid = number(line.get(..open)?)?;
        let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |index: usize| fields.get(index).copied();
        Some(Self {
            pid,
            state: field(0)?.chars().next()?,
            parent: field(1)?.parse().ok()?,
            group: field(2)?.parse().ok()?,
            session: field(3)?.parse().ok()?,
            foreground: field(5)?.parse().ok(),
            threads: field(17)?.parse().ok()?,
            start: field(19)?.parse().ok()?,
            has_memory: field(20)? != "0",
        })
    }

    /// Whether it runs no more. A process whose first thread alone has ended looks like a zombie
    /// but still counts its threads.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads <= 1
    }

    /// A handle on exactly this process; `None` if it is gone, even if its number was given to
    /// another.
    pub(crate) fn open(&self) -> io::Result<Option<ProcessHandle>> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let fd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The handle was taken after the line was read: only if the line is the same now do both
        // mean the same process.
        let same = Self::read(self.pid)?.is_some_and(|now| now.start == self.start);
        Ok(same.then_some(ProcessHandle(fd)))
    }
}

/// A process that cannot be taken for another one.
#[derive(Debug)]
pub(crate) struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// Sends a signal; `false` if the process is gone.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        match rustix::process::pidfd_send_signal(&self.0, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The descriptor, which becomes readable when the process ends.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0
    }
}

/// Every process there is.
pub(crate) fn all() -> io::Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        // An entry that vanishes while it is read is a process that ended.
        let name = entry?.file_name();
        let Some(pid) = number(name.as_encoded_bytes()) else {
            continue;
        };
        all.extend(Stat::read(pid)?);
    }
    Ok(all)
}

/// The value of a variable in the environment that a process was started with.
///
/// # Errors
/// As [`Stat::read`].
pub(crate) fn variable(pid: u32, name: &str) -> io::Result<Variable> {
    let Some(environment) = found(fs::read(format!("/proc/{pid}/environ")))? else {
        return Ok(Variable::Unset);
    };
    if environment.is_empty() {
        return Ok(Variable::NoEnvironment);
    }
    let value = environment.split(|&byte| byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    });
    Ok(value.map_or(Variable::Unset, Variable::Set))
}

/// Whether the kernel says that no process has this number.
pub(crate) fn is_free(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(Errno::SRCH))
}

/// What was read. A process that is gone, of another user, or that has made a riddle of itself shows
/// nothing; only a host without means gets an error.
fn found<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    let Err(error) = &read else {
        return read.map(Some);
    };
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => read.map(Some),
        _ => Ok(None),
    }
}

/// What [`variable`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    Set(String),
    Unset,
    /// The environment is empty, or not there yet: the process may be about to run a program.
    NoEnvironment,
}

/// Clock ticks since the boot, as [`Stat::start`] counts them: time in which the machine slept
/// included.
pub(crate) fn ticks_now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    // The kernel shows times to programs in ticks of 1/100 s on every architecture of today.
    part(now.tv_sec) * 100 + part(now.tv_nsec) / 10_000_000
}

fn number<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_cannot_disturb_the_line() {
        let line = b"42 (a) Z 1 (b)) S 7 8 9 34816 10 4194304 1 0 0 0 1 2 3 4 20 0 6 0 12345 1 1";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.parent), (42, 'S', 7));
        assert_eq!((stat.group, stat.session, stat.start), (8, 9, 12345));
        assert_eq!((stat.foreground, stat.threads), (Some(10), 6));
        assert_eq!(Stat::parse(b"42 (cut"), None);
    }

    #[test]
    fn this_process_finds_itself() {
        let me = std::process::id();
        let mine = all()
            .unwrap()
            .into_iter()
            .find(|stat| stat.pid == me)
            .unwrap();
        assert_eq!(Stat::of(me).unwrap().start, mine.start);
        assert!(mine.start <= ticks_now());
        assert!(mine.open().unwrap().is_some());
        let stranger = Stat {
            start: mine.start + 1,
            ..mine
        };
        assert!(stranger.open().unwrap().is_none());
    }

    #[test]
    fn a_host_without_descriptors_does_not_take_processes_for_gone() {
        let read = |errno: Errno| found::<()>(Err(errno.into()));
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
            assert!(read(errno).is_err());
        }
        for errno in [Errno::NOENT, Errno::SRCH, Errno::ACCESS, Errno::IO] {
            assert_eq!(read(errno).unwrap(), None);
        }
    }
}

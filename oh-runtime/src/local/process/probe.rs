//! Whether a process waits for someone to type.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oh_core::{InputEvidence, WaitsForInput};

use super::procfs::Stat;

/// Tells, when asked, whether a process waits for input.
pub(crate) trait InputProbe: fmt::Debug + Send + Sync {
    /// Looks at the process now. Reads files of `/proc`, for a few milliseconds at most.
    fn waits_for_input(&self) -> WaitsForInput;
}

/// The descriptor that input comes through, as `/proc/PID/fd` of a reader shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputSource {
    /// A terminal: the path of its device.
    Terminal(String),
    /// A pipe: such as `pipe:[4711]`.
    Pipe(String),
}

impl InputSource {
    /// The pipe of which this is one end.
    pub(crate) fn pipe(end: impl AsFd) -> Option<Self> {
        let inode = rustix::fs::fstat(end).ok()?.st_ino;
        Some(Self::Pipe(format!("pipe:[{inode}]")))
    }

    fn is(&self, link: &Path) -> bool {
        match self {
            Self::Terminal(path) => link == Path::new(path) || link == Path::new("/dev/tty"),
            Self::Pipe(name) => link == Path::new(name),
        }
    }

    /// Whether one of these processes waits for input from here.
    ///
    /// The evidence is the system call that a sleeping thread is in: a read of the source, or a
    /// wait for several descriptors with the source among them. Behind a terminal only the
    /// foreground group counts; the kernel stops others that read.
    pub(crate) fn is_awaited_by(&self, processes: &[Stat]) -> WaitsForInput {
        let mut answer = WaitsForInput::No;
        for process in processes {
            let may_read = match self {
                Self::Terminal(_) => process.foreground == Some(process.group),
                Self::Pipe(_) => true,
            };
            if !may_read {
                continue;
            }
            match self.look_at(process.pid) {
                yes @ WaitsForInput::Yes(_) => return yes,
                WaitsForInput::Unknown => answer = WaitsForInput::Unknown,
                _ => {}
            }
        }
        answer
    }

    fn look_at(&self, pid: u32) -> WaitsForInput {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
            return WaitsForInput::No;
        };
        let mut answer = WaitsForInput::No;
        for thread in threads.flatten() {
            match fs::read_to_string(thread.path().join("syscall")) {
                Ok(line) => {
                    if let Some(evidence) = self.evidence(pid, &line) {
                        return WaitsForInput::Yes(evidence);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    answer = WaitsForInput::Unknown;
                }
                // Ended, or a kernel that does not show it.
                Err(_) => {}
            }
        }
        answer
    }

    /// Judges a line such as `0 0x3 0x7ffd… 0x1 …`: number of the call and its arguments. A thread
    /// that computes has `running` instead.
    fn evidence(&self, pid: u32, line: &str) -> Option<InputEvidence> {
        let mut fields = line.split_ascii_whitespace();
        let call: i64 = fields.next()?.parse().ok()?;
        let arguments: Vec<u64> = fields
            .map_while(|field| u64::from_str_radix(field.strip_prefix("0x")?, 16).ok())
            .collect();
        let argument = |index: usize| arguments.get(index).copied();
        let ours = |fd: u64| {
            fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|link| self.is(&link))
        };
        let found = match Call::of(call)? {
            Call::Read => {
                let evidence = match self {
                    Self::Terminal(_) => InputEvidence::TerminalRead,
                    Self::Pipe(_) => InputEvidence::PipeRead,
                };
                return ours(argument(0)?).then_some(evidence);
            }
            Call::Poll => polled(pid, argument(0)?, argument(1)?)?
                .into_iter()
                .any(ours),
            Call::Select => selected(pid, argument(0)?, argument(1)?)?
                .into_iter()
                .any(ours),
            Call::Epoll => epolled(pid, argument(0)?)?.into_iter().any(ours),
        };
        found.then_some(InputEvidence::Poll)
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Read,
    Poll,
    Select,
    Epoll,
}

impl Call {
    fn of(number: i64) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        match number {
            libc::SYS_poll => return Some(Self::Poll),
            libc::SYS_select => return Some(Self::Select),
            libc::SYS_epoll_wait => return Some(Self::Epoll),
            _ => {}
        }
        match number {
            libc::SYS_read | libc::SYS_readv => Some(Self::Read),
            libc::SYS_ppoll => Some(Self::Poll),
            libc::SYS_pselect6 => Some(Self::Select),
            libc::SYS_epoll_pwait => Some(Self::Epoll),
            _ => None,
        }
    }
}

/// Most descriptors of one call that are looked at.
const MAX_DESCRIPTORS: u64 = 1024;

/// Descriptors that a `poll` waits to read from, out of the memory of the process.
fn polled(pid: u32, at: u64, count: u64) -> Option<Vec<u64>> {
    const POLLIN: i16 = 1;
    let memory = memory(pid, at, count.min(MAX_DESCRIPTORS) * 8)?;
    let entries = memory.chunks_exact(8).filter_map(|entry| {
        let (fd, events) = (entry.get(..4)?, entry.get(4..6)?);
        let events = i16::from_ne_bytes(events.try_into().ok()?);
        let fd = i32::from_ne_bytes(fd.try_into().ok()?);
        u64::try_from(fd).ok().filter(|_| events & POLLIN != 0)
    });
    Some(entries.collect())
}

/// Descriptors that a `select` waits to read from.
fn selected(pid: u32, count: u64, at: u64) -> Option<Vec<u64>> {
    let count = count.min(MAX_DESCRIPTORS);
    let bits = memory(pid, at, count.div_ceil(8))?;
    let is_set = |fd: &u64| {
        usize::try_from(fd / 8)
            .ok()
            .and_then(|byte| bits.get(byte))
            .is_some_and(|byte| byte >> (fd % 8) & 1 == 1)
    };
    Some((0..count).filter(is_set).collect())
}

/// Descriptors of an epoll set; a line is `tfd: 0 events: 19 …`.
fn epolled(pid: u32, epoll: u64) -> Option<Vec<u64>> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).ok()?;
    let descriptors = info.lines().filter_map(|line| {
        let rest = line.strip_prefix("tfd:")?;
        rest.split_ascii_whitespace().next()?.parse().ok()
    });
    Some(descriptors.collect())
}

fn memory(pid: u32, at: u64, length: u64) -> Option<Vec<u8>> {
    if at == 0 {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    memory.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

//! The process that a launch started, until its status was taken.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use oh_core::{CpuTime, Exit, Measured, Usage, UsageSource};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::procfs;
use crate::local::sys::{self, Reaped, WaitStatus};

/// A child that leads its own session and group.
///
/// Its number is used for signals only while its status has not been taken: until then the kernel
/// gives the number to nobody else. Dropping it before it ended kills the group.
#[derive(Debug)]
pub(crate) struct Leader {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    started: Instant,
    start_ticks: u64,
    fate: Mutex<Option<Fate>>,
}

/// How the leader ended.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    /// `Code`, `Signal`, or `Lost` where someone else took the status.
    pub(crate) exit: Exit,
    /// What it cost.
    pub(crate) usage: Usage,
    /// When it was seen to have ended, by the clock of process starts.
    pub(crate) at_ticks: u64,
}

impl Leader {
    /// Watches a child that was just started.
    pub(super) fn new(pid: Pid, started: Instant, start_ticks: u64) -> io::Result<Self> {
        let watch = || -> io::Result<AsyncFd<OwnedFd>> {
            let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
            sys::watch(pidfd, Interest::READABLE)
        };
        reap_left();
        match watch() {
            Ok(pidfd) => Ok(Self {
                pid,
                pidfd,
                started,
                start_ticks,
                fate: Mutex::new(None),
            }),
            Err(error) => {
                // Nobody could follow it: it must not run either. A killed child ends at once.
                let _ = rustix::process::kill_process_group(pid, Signal::KILL);
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
                Err(error)
            }
        }
    }

    /// Its process id, which is also the id of its group and session.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The process id as a number.
    pub(crate) fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// A moment just before its start, by the clock of process starts.
    pub(crate) fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// Waits until it ended and takes its status. Every caller gets the same answer.
    pub(crate) async fn wait(&self) -> Fate {
        loop {
            if let Some(fate) = self.fate() {
                return fate;
            }
            match self.pidfd.readable().await {
                Ok(mut ready) => ready.retain_ready(),
                // The I/O driver is shutting down; nothing will wake anybody any more.
                Err(_) => return self.settle(Fate::new(Exit::Lost, self.started)),
            }
            if self.fate().is_none() {
                // Someone traces it and has not let go of its status yet. There is nothing to
                // wait for in that case.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// How it ended, if it did: takes the status without waiting.
    pub(crate) fn fate(&self) -> Option<Fate> {
        let mut fate = self.lock();
        if fate.is_none() {
            *fate = match sys::reap(self.pid) {
                Ok(None) => None,
                Ok(Some(reaped)) => Some(Fate::of(&reaped, self.started)),
                // Someone else took the status, or the host ignores SIGCHLD.
                Err(_) => Some(Fate::new(Exit::Lost, self.started)),
            };
        }
        fate.clone()
    }

    fn settle(&self, fate: Fate) -> Fate {
        self.lock().get_or_insert(fate).clone()
    }

    /// Signals its group; `false` if the leader has ended.
    pub(crate) fn signal_group(&self, signal: Signal) -> io::Result<bool> {
        let fate = self.lock();
        if fate.is_some() || !self.is_ours() {
            return Ok(false);
        }
        match rustix::process::kill_process_group(self.pid, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether its status is still to be had, so that the number is not another's. A host that
    /// ignores `SIGCHLD`, or waits for children that it does not know, takes it away.
    fn is_ours(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let id = WaitId::PidFd(self.pidfd.get_ref().as_fd());
        !matches!(rustix::process::waitid(id, look), Err(Errno::CHILD))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Fate>> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.fate().is_none() {
            let _ = self.signal_group(Signal::KILL);
            if self.fate().is_none()
                && let Ok(pidfd) = self.pidfd.get_ref().try_clone()
            {
                lock_left().push(pidfd);
            }
        }
        reap_left();
    }
}

/// Children that were killed when nobody was there any more to wait for their end. Their status is
/// taken when the next child starts or is given up, or they would stay in the process table.
static LEFT: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

fn lock_left() -> MutexGuard<'static, Vec<OwnedFd>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reap_left() {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    lock_left().retain(|pidfd| {
        let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), ended);
        matches!(status, Ok(None))
    });
}

impl Fate {
    fn new(exit: Exit, started: Instant) -> Self {
        Self {
            exit,
            usage: Usage::wall(started.elapsed()),
            at_ticks: procfs::ticks_now(),
        }
    }

    fn of(reaped: &Reaped, started: Instant) -> Self {
        let exit = match reaped.status {
            WaitStatus::Code(code) => Exit::Code(code),
            WaitStatus::Signal(signal) => Exit::Signal(signal),
        };
        let mut fate = Self::new(exit, started);
        fate.usage.cpu = Some(Measured {
            value: CpuTime {
                user: reaped.user,
                system: reaped.system,
            },
            source: UsageSource::Wait4,
        });
        fate.usage.peak_memory_bytes = Some(Measured {
            value: reaped.peak_memory_bytes,
            source: UsageSource::Wait4,
        });
        fate
    }
}

//! What no safe wrapper offers: `posix_spawn`, `wait4`, and handing a descriptor to tokio.
//!
//! This is the only file of the project that holds `unsafe`.
//!
//! `posix_spawn` is used instead of fork and exec: glibc starts the child with `CLONE_VM`, so that
//! a host with a large heap does not pay for a copy of its page tables, and nothing runs in the
//! child that could meet a lock held by another thread. On glibc it needs version 2.34 (for
//! `addclosefrom_np`). On other C libraries the working directory action has to be there too
//! (musl 1.1.24), and inherited descriptors are kept out by their close-on-exec flag alone.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use rustix::process::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What a child has as descriptors 0, 1 and 2. It has no others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChildIo<'a> {
    /// These descriptors, each numbered 3 or above in this process.
    Descriptors {
        stdin: BorrowedFd<'a>,
        stdout: BorrowedFd<'a>,
        stderr: BorrowedFd<'a>,
    },
    /// This terminal device, which becomes the controlling terminal, with another stdin if one is
    /// given.
    Terminal {
        path: &'a CStr,
        stdin: Option<BorrowedFd<'a>>,
    },
}

/// A child to be started. It leads a new session and group, blocks no signal and ignores none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child<'a> {
    /// Path of the program; a relative one starts from `cwd`.
    pub(crate) program: &'a CStr,
    pub(crate) argv: &'a [CString],
    pub(crate) env: &'a [CString],
    pub(crate) cwd: &'a CStr,
    pub(crate) io: ChildIo<'a>,
}

/// Starts a child. Returns when it runs its program, or with the reason why it does not.
pub(crate) fn spawn(child: &Child<'_>) -> io::Result<Pid> {
    let attributes = Attributes::new()?;
    let mut actions = FileActions::new()?;
    match child.io {
        ChildIo::Descriptors {
            stdin,
            stdout,
            stderr,
        } => {
            actions.duplicate(stdin.as_raw_fd(), 0)?;
            actions.duplicate(stdout.as_raw_fd(), 1)?;
            actions.duplicate(stderr.as_raw_fd(), 2)?;
        }
        ChildIo::Terminal { path, stdin } => {
            // The first terminal that a session leader opens becomes its controlling terminal; the
            // session is made before the file actions run.
            actions.open(1, path)?;
            actions.duplicate(1, 2)?;
            actions.duplicate(stdin.map_or(1, |fd| fd.as_raw_fd()), 0)?;
        }
    }
    actions.change_dir(child.cwd)?;
    actions.close_from(3)?;
    let argv = pointers(child.argv);
    let env = pointers(child.env);
    let mut pid: libc::pid_t = 0;
    // SAFETY: all pointers are valid for the call: `pid` is a local, the paths are NUL-terminated
    // `CStr`, `argv` and `env` are arrays of pointers to NUL-terminated strings that end with a
    // null pointer and outlive the call, and both objects were initialised by their constructors.
    // The C signature takes mutable strings for historical reasons and does not write to them.
    let code = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            child.program.as_ptr(),
            actions.0.as_ptr(),
            attributes.0.as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
        )
    };
    check(code)?;
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("posix_spawn gave no process id"))
}

/// A child that ended, as the kernel reports it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaped {
    /// Exit code or signal.
    pub(crate) status: WaitStatus,
    /// Processor time in the program, with that of the descendants it waited for.
    pub(crate) user: Duration,
    /// Processor time in the kernel, likewise.
    pub(crate) system: Duration,
    /// Largest resident set of the child or of one of those descendants.
    pub(crate) peak_memory_bytes: u64,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitStatus {
    Code(i32),
    Signal(i32),
}

/// Takes the status of a child that has ended; `None` while it runs.
pub(crate) fn reap(pid: Pid) -> io::Result<Option<Reaped>> {
    let mut status: libc::c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let number = pid.as_raw_nonzero().get();
    // SAFETY: both out pointers are valid for writes for the whole call.
    let waited = unsafe { libc::wait4(number, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
    if waited < 0 {
        return Err(io::Error::last_os_error());
    }
    if waited == 0 {
        return Ok(None);
    }
    // SAFETY: `rusage` is made of integers, for which the zeroed bytes are a valid value already.
    let usage = unsafe { usage.assume_init() };
    let status = if libc::WIFSIGNALED(status) {
        WaitStatus::Signal(libc::WTERMSIG(status))
    } else {
        WaitStatus::Code(libc::WEXITSTATUS(status))
    };
    Ok(Some(Reaped {
        status,
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        // Linux counts in KiB.
        peak_memory_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }))
}

/// Registers a descriptor with the I/O driver of the current tokio runtime.
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, gives the same number each time, and stays open until it is
    // dropped, which only the returned object can do, after it has deregistered.
    let watched = unsafe { AsyncFd::register_with_interest(fd, interest) };
    watched.map_err(io::Error::from)
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr().cast_mut())
        .chain([ptr::null_mut()])
        .collect()
}

/// The `posix_*` functions return their error instead of setting `errno`.
fn check(code: libc::c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

struct Attributes(Box<MaybeUninit<libc::posix_spawnattr_t>>);

impl Attributes {
    /// A new session, an empty signal mask, and the default action for every signal (a Rust host
    /// ignores `SIGPIPE`, which no program it starts expects).
    fn new() -> io::Result<Self> {
        let mut raw = Box::new(MaybeUninit::uninit());
        // SAFETY: the pointer is valid for writes; the call initialises the object.
        check(unsafe { libc::posix_spawnattr_init(raw.as_mut_ptr()) })?;
        let mut attributes = Self(raw);
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let flags = libc::POSIX_SPAWN_SETSID
            | libc::POSIX_SPAWN_SETSIGMASK as libc::c_short
            | libc::POSIX_SPAWN_SETSIGDEF as libc::c_short;
        // Every bit, not `sigfillset`: that one leaves out two signals of glibc itself, which the
        // child would then ignore.
        // SAFETY: the attribute object is initialised. Each set is written in full (it is made of
        // integers, so any bits are a valid value) before anything reads it, and `sigdelset` gets
        // valid signal numbers.
        unsafe {
            libc::sigemptyset(none.as_mut_ptr());
            ptr::write_bytes(all.as_mut_ptr(), 0xff, 1);
            libc::sigdelset(all.as_mut_ptr(), libc::SIGKILL);
            libc::sigdelset(all.as_mut_ptr(), libc::SIGSTOP);
            let raw = attributes.0.as_mut_ptr();
            check(libc::posix_spawnattr_setsigmask(raw, none.as_ptr()))?;
            check(libc::posix_spawnattr_setsigdefault(raw, all.as_ptr()))?;
            check(libc::posix_spawnattr_setflags(raw, flags))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: only an initialised object is ever wrapped, and it is destroyed once.
        unsafe { libc::posix_spawnattr_destroy(self.0.as_mut_ptr()) };
    }
}

struct FileActions(Box<MaybeUninit<libc::posix_spawn_file_actions_t>>);

impl FileActions {
    fn new() -> io::Result<Self> {
        let mut raw = Box::new(MaybeUninit::uninit());
        // SAFETY: the pointer is valid for writes; the call initialises the object.
        check(unsafe { libc::posix_spawn_file_actions_init(raw.as_mut_ptr()) })?;
        Ok(Self(raw))
    }

    fn duplicate(&mut self, from: RawFd, to: RawFd) -> io::Result<()> {
        // SAFETY: the object is initialised; the numbers are only used in the child.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(self.0.as_mut_ptr(), from, to) })
    }

    fn open(&mut self, to: RawFd, path: &CStr) -> io::Result<()> {
        // SAFETY: the object is initialised; the path is NUL-terminated and copied by the call.
        check(unsafe {
            libc::posix_spawn_file_actions_addopen(
                self.0.as_mut_ptr(),
                to,
                path.as_ptr(),
                libc::O_RDWR,
                0,
            )
        })
    }

    fn change_dir(&mut self, path: &CStr) -> io::Result<()> {
        // SAFETY: as for `open`.
        check(unsafe {
            libc::posix_spawn_file_actions_addchdir_np(self.0.as_mut_ptr(), path.as_ptr())
        })
    }

    /// Closes what the host or a library of it opened without the close-on-exec flag.
    fn close_from(&mut self, first: RawFd) -> io::Result<()> {
        #[cfg(target_env = "gnu")]
        // SAFETY: the object is initialised.
        check(unsafe {
            libc::posix_spawn_file_actions_addclosefrom_np(self.0.as_mut_ptr(), first)
        })?;
        #[cfg(not(target_env = "gnu"))]
        let _ = first;
        Ok(())
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: only an initialised object is ever wrapped, and it is destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(self.0.as_mut_ptr()) };
    }
}

//! Everything that a process started, and its end.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oh_core::{Error, ErrorKind, Result};
use rustix::process::{Signal, WaitId, WaitIdOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use super::leader::Leader;
use super::owner::{MARK_VARIABLE, Mark};
use super::procfs::{self, Stat, Variable};
use crate::local::confine::Cgroup;
use crate::local::sys;

/// A process, or several, with all descendants, told by the mark in their environment, by their
/// session and by their parents.
///
/// A process escapes that clears its environment *and* starts a session *and* outlives its
/// parents.
#[derive(Debug)]
pub(crate) struct Tree {
    leaders: Vec<Arc<Leader>>,
    mark: Mark,
    cgroup: Option<Cgroup>,
    /// Cuts a polite end short.
    hurry: Notify,
}

/// How a tree is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ladder {
    /// `SIGTERM`, this time, `SIGKILL`.
    Polite(Duration),
    /// `SIGKILL` at once.
    Kill,
}

#[derive(Debug, Default)]
struct Scan {
    members: Vec<Stat>,
    /// A process was seen in the moment in which it shows no environment.
    uncertain: bool,
}

impl Tree {
    /// Ending gives up after this time: a process in an uninterruptible wait cannot be killed.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// Before another try where the kernel had no means.
    const PAUSE: Duration = Duration::from_millis(50);
    /// Handles held at once while waiting for the end of as many processes.
    const WATCHED: usize = 128;
    /// A start time is rounded down to a tick, and so is the clock it is compared with.
    const TICK_SLACK: u64 = 2;

    pub(crate) fn new(leader: Arc<Leader>, mark: Mark) -> Self {
        Self::of_all(vec![leader], mark)
    }

    /// The trees of several leaders as one, with a mark that all of them bear.
    pub(crate) fn of_all(leaders: Vec<Arc<Leader>>, mark: Mark) -> Self {
        Self {
            leaders,
            mark,
            cgroup: None,
            hurry: Notify::new(),
        }
    }

    /// Holds the tree in a control group as well.
    pub(crate) fn within(mut self, cgroup: Option<Cgroup>) -> Self {
        self.cgroup = cgroup;
        self
    }

    /// The control group, where there is one.
    pub(crate) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// Kills what can be killed without looking for it.
    fn kill_groups(&self) -> io::Result<()> {
        let contained = self.cgroup.as_ref().map_or(Ok(()), Cgroup::kill);
        self.signal_groups(Signal::KILL).and(contained)
    }

    fn signal_groups(&self, signal: Signal) -> io::Result<()> {
        // One that may not be signalled is no reason to spare the others.
        let sent = self.leaders.iter();
        sent.map(|leader| leader.signal_group(signal).map(|_| ()))
            .fold(Ok(()), Result::and)
    }

    fn is_led_by(&self, pid: u32) -> bool {
        self.leaders.iter().any(|leader| leader.number() == pid)
    }

    /// Every living process of the tree, the leader included.
    pub(crate) fn members(&self) -> io::Result<Vec<Stat>> {
        self.scan().map(|scan| scan.members)
    }

    /// Kills the group of the leader at once, without waiting, and has a polite end that is under
    /// way go on with the kill.
    pub(crate) fn strike(&self) {
        if let Err(error) = self.kill_groups() {
            tracing::warn!(%error, "cannot kill a process group");
        }
        self.hurry.notify_one();
    }

    /// Ends the tree and returns when nothing of it is left.
    ///
    /// # Errors
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) for a member with other rights,
    /// [`Timeout`](ErrorKind::Timeout) for one that survives `SIGKILL`.
    pub(crate) async fn end(self: &Arc<Self>, ladder: Ladder) -> Result<()> {
        if let Ladder::Polite(grace) = ladder {
            match self.ask(grace).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "a tree cannot be asked to end"),
            }
        }
        self.kill().await
    }

    /// `SIGTERM` to everything; `true` if that was enough.
    async fn ask(self: &Arc<Self>, grace: Duration) -> Result<bool> {
        for signal in [Signal::TERM, Signal::CONT] {
            // A stopped process acts on the first signal only once it goes on.
            // Those that are left out are met again as members.
            let _ = self.signal_groups(signal);
        }
        let mut first = true;
        let mut told = HashSet::new();
        let asking = async {
            loop {
                let members = self.scan_apart().await?;
                if members.is_empty() {
                    return Ok(true);
                }
                let (mut watched, mut refused) = (Vec::new(), None);
                for member in &members {
                    let fresh = told.insert((member.pid, member.start));
                    let told_by_group = first && self.is_led_by(member.group);
                    let signals: &[Signal] = if fresh && !told_by_group {
                        &[Signal::TERM, Signal::CONT]
                    } else {
                        &[]
                    };
                    match self.send(member, signals, watched.len()) {
                        Ok(watch) => watched.extend(watch),
                        Err(error) => refused = Some(error),
                    }
                }
                first = false;
                if watched.is_empty()
                    && let Some(error) = refused
                {
                    return Err(error);
                }
                wait_for(watched).await;
            }
        };
        tokio::select! {
            outcome = asking => outcome,
            () = tokio::time::sleep(grace) => Ok(false),
            () = self.hurry.notified() => Ok(false),
        }
    }

    async fn kill(self: &Arc<Self>) -> Result<()> {
        let give_up = Instant::now() + Self::PATIENCE;
        loop {
            // A group with members of other rights alone; they are met again below.
            let _ = self.kill_groups();
            let members = match self.scan_apart().await {
                Ok(members) => members,
                // A host that has no descriptor left may have one again soon.
                Err(_) if Instant::now() < give_up => {
                    tokio::time::sleep(Self::PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if members.is_empty() {
                return Ok(());
            }
            if Instant::now() > give_up {
                let pids: Vec<u32> = members.iter().map(|member| member.pid).collect();
                return Err(Error::new(ErrorKind::Timeout, "cancel")
                    .with_detail(format!("processes {pids:?} survive SIGKILL")));
            }
            let (mut watched, mut refused) = (Vec::new(), Vec::new());
            for member in &members {
                match self.send(member, &[Signal::KILL], watched.len()) {
                    Ok(watch) => watched.extend(watch),
                    // The others first.
                    Err(error) => refused.push(error),
                }
            }
            if watched.is_empty()
                && let Some(error) = refused.pop()
            {
                let is_final = error.kind() == ErrorKind::PermissionDenied;
                if is_final || Instant::now() > give_up {
                    return Err(error);
                }
                tokio::time::sleep(Self::PAUSE).await;
                continue;
            }
            // One that hangs in the kernel must not keep the others from being looked for.
            let _ = tokio::time::timeout(Duration::from_secs(1), wait_for(watched)).await;
        }
    }

    /// Signals a member; gives something to wait for, unless it is gone or enough are watched.
    fn send(&self, member: &Stat, signals: &[Signal], watched: usize) -> Result<Option<Watched>> {
        let Some(handle) = member.open().map_err(failed)? else {
            return Ok(None);
        };
        for &signal in signals {
            if !handle.signal(signal).map_err(failed)? {
                return Ok(None);
            }
        }
        if watched >= Self::WATCHED {
            return Ok(None);
        }
        let fd = sys::watch(handle.into_fd(), Interest::READABLE).map_err(failed)?;
        Ok(Some(Watched {
            fd,
            reap: !self.is_led_by(member.pid),
        }))
    }

    /// [`scan`](Self::scan) on a thread that may block; with many processes it takes milliseconds.
    async fn scan_apart(self: &Arc<Self>) -> Result<Vec<Stat>> {
        // The environment of a process is hidden for microseconds while it starts a program. A few
        // looks are enough for that; those that never show one are not ours.
        const LOOKS: usize = 3;
        let tree = Arc::clone(self);
        let looks = move || -> io::Result<Vec<Stat>> {
            let mut scan = tree.scan()?;
            for _ in 1..LOOKS {
                if !scan.members.is_empty() || !scan.uncertain {
                    break;
                }
                scan = tree.scan()?;
            }
            Ok(scan.members)
        };
        tokio::task::spawn_blocking(looks)
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(failed)
    }

    fn scan(&self) -> io::Result<Scan> {
        let starts = self.leaders.iter().map(|leader| leader.start_ticks());
        let earliest = starts.min().unwrap_or(0).saturating_sub(Self::TICK_SLACK);
        // Once the status of a leader was taken and its session is empty, the kernel may give its
        // number to a stranger. What started later belongs to us only by mark or parent.
        let latest_of_session: HashMap<u32, u64> = self
            .leaders
            .iter()
            .map(|leader| match leader.fate() {
                Some(fate) => (leader.number(), fate.at_ticks + Self::TICK_SLACK),
                None => (leader.number(), u64::MAX),
            })
            .collect();
        let contained = self
            .cgroup
            .as_ref()
            .map(Cgroup::members)
            .unwrap_or_default();
        let me = std::process::id();
        let mut scan = Scan::default();
        let mut ours = HashSet::new();
        let mut rest = Vec::new();
        for stat in procfs::all()? {
            if stat.start < earliest || stat.pid == me || stat.is_dead() {
                continue;
            }
            // The leader leads its own session, so this finds it too.
            let in_session = latest_of_session
                .get(&stat.session)
                .is_some_and(|&latest| stat.start <= latest);
            let is_contained = contained.contains(&stat.pid);
            if in_session || is_contained || self.is_marked(&stat, &mut scan.uncertain)? {
                ours.insert(stat.pid);
                scan.members.push(stat);
            } else {
                rest.push(stat);
            }
        }
        loop {
            let (children, others): (Vec<Stat>, Vec<Stat>) = rest
                .into_iter()
                .partition(|stat| ours.contains(&stat.parent));
            if children.is_empty() {
                break;
            }
            ours.extend(children.iter().map(|child| child.pid));
            scan.members.extend(children);
            rest = others;
        }
        Ok(scan)
    }

    fn is_marked(&self, stat: &Stat, uncertain: &mut bool) -> io::Result<bool> {
        Ok(match procfs::variable(stat.pid, MARK_VARIABLE)? {
            Variable::Set(value) => self.mark.is_in(&value),
            Variable::Unset => false,
            Variable::NoEnvironment => {
                *uncertain |= stat.has_memory;
                false
            }
        })
    }
}

/// A process whose end is waited for.
#[derive(Debug)]
struct Watched {
    fd: AsyncFd<OwnedFd>,
    /// Whether nobody else takes its status, should it be a child of this program.
    reap: bool,
}

async fn wait_for(all: Vec<Watched>) {
    for one in all {
        if let Ok(mut ready) = one.fd.readable().await {
            ready.retain_ready();
        }
        if one.reap {
            // A host that is process 1 or a subreaper inherits orphans. For any other host this is
            // no child, and nothing happens.
            let _ = rustix::process::waitid(
                WaitId::PidFd(one.fd.get_ref().as_fd()),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
            );
        }
    }
}

/// Ends what runtimes left behind whose host is gone; gives the number of processes found.
pub(crate) async fn sweep_orphans() -> Result<usize> {
    let mut count = 0;
    // Each round ends what the last one let start.
    for _ in 0..16 {
        let orphans = tokio::task::spawn_blocking(super::owner::orphans)
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(failed)?;
        if orphans.is_empty() {
            break;
        }
        count += orphans.len();
        let mut watched = Vec::new();
        for orphan in orphans {
            let Some(handle) = orphan.open().map_err(failed)? else {
                continue;
            };
            if handle.signal(Signal::KILL).map_err(failed)? && watched.len() < Tree::WATCHED {
                let fd = sys::watch(handle.into_fd(), Interest::READABLE).map_err(failed)?;
                // Whoever started it takes its status.
                watched.push(Watched { fd, reap: false });
            }
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), wait_for(watched)).await;
    }
    Ok(count)
}

fn failed(error: io::Error) -> Error {
    Error::io("cancel", error)
}

//! Ending what a command in a shell has started, wherever it went.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::local::confine::Cgroup;
use crate::local::process::{MARK_VARIABLE, Mark, Stat, Variable, all_processes, variable};

/// Which processes are ended.
///
/// A process belongs to the shell if it descends from it, is of its terminal session, or carries
/// its mark in the environment: a daemon that has left by two forks and `setsid` still does. Where
/// there are control groups, one that has cleared its environment as well does.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The shell, which is spared. Without one, only marks count.
    pub(super) shell: Option<u32>,
    /// The mark of all that the shells of the session start.
    pub(super) mark: Mark,
    /// The control group of the shell, if it has one.
    pub(super) cgroup: Option<Arc<Cgroup>>,
    /// Only what started after this tick; everything if `None`.
    pub(super) since: Option<u64>,
    /// Jobs of earlier commands, which are spared with their descendants and groups.
    pub(super) earlier: BTreeSet<u32>,
}

/// Kills the processes of a scope until there are none. Blocks: for some milliseconds, or for ten
/// seconds if a process survives the kill.
pub(super) fn sweep(scope: &Scope) {
    let give_up = Instant::now() + Duration::from_secs(10);
    loop {
        match round(scope) {
            Ok(0) => return,
            Ok(_) if Instant::now() < give_up => {}
            Ok(count) => {
                tracing::warn!(count, "processes of a shell survive the kill");
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look for the processes of a shell");
                return;
            }
        }
        // The end of a killed process takes a moment, and there is no one event for all of them.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills what there is now; gives how many there were.
fn round(scope: &Scope) -> io::Result<usize> {
    // A start is rounded down to a tick, and so is the clock.
    let since = scope.since.map_or(0, |since| since.saturating_sub(2));
    let all: HashMap<u32, Stat> = all_processes()?
        .into_iter()
        .map(|stat| (stat.pid, stat))
        .collect();
    let inside = scope.cgroup.as_ref().map(|cgroup| cgroup.members());
    let inside: BTreeSet<u32> = inside.into_iter().flatten().collect();
    let mut count = 0;
    for stat in all.values() {
        if stat.start < since || stat.is_dead() || !scope.holds(stat, &all, &inside) {
            continue;
        }
        count += 1;
        if let Some(handle) = stat.open()? {
            handle.signal(Signal::KILL)?;
        }
    }
    Ok(count)
}

impl Scope {
    fn holds(&self, stat: &Stat, all: &HashMap<u32, Stat>, inside: &BTreeSet<u32>) -> bool {
        if self.shell == Some(stat.pid) || stat.pid == std::process::id() {
            return false;
        }
        let mut descends = false;
        let mut at = Some(stat);
        // A table that is read while it changes may show a circle.
        for _ in 0..all.len() {
            let Some(stat) = at else { break };
            if self.earlier.contains(&stat.pid) || self.earlier.contains(&stat.group) {
                return false;
            }
            if self.shell == Some(stat.parent) {
                descends = true;
                break;
            }
            at = all.get(&stat.parent);
        }
        descends
            || self.shell == Some(stat.session)
            || inside.contains(&stat.pid)
            || self.marks(stat)
    }

    fn marks(&self, stat: &Stat) -> bool {
        match variable(stat.pid, MARK_VARIABLE) {
            Ok(Variable::Set(value)) => self.mark.is_in(&value),
            Ok(Variable::Unset | Variable::NoEnvironment) | Err(_) => false,
        }
    }
}

/// The children of a process, as far as the kernel lists them.
pub(super) fn children(pid: u32) -> BTreeSet<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    listed
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

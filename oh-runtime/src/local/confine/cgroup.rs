//! Control groups of version 2: a directory for each command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oh_core::{CpuTime, Measured, Usage, UsageSource};

use crate::local::process::Owner;

/// The group of one runtime, below the group of this program.
#[derive(Debug)]
pub(crate) struct CgroupRoot {
    path: PathBuf,
}

impl CgroupRoot {
    /// Start of the name of every directory that is made here.
    const PREFIX: &'static str = "oh-";

    /// Makes the group of a runtime, and removes those of dead owners.
    pub(crate) fn create(owner: &Owner) -> io::Result<Arc<Self>> {
        let base = own_group()?;
        remove_orphans(&base);
        let path = base.join(format!("{}{}", Self::PREFIX, owner.prefix().as_str()));
        fs::create_dir(&path)?;
        let root = Self { path };
        // From Linux 5.14 on.
        if !root.path.join("cgroup.kill").exists() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the kernel has no cgroup.kill",
            ));
        }
        Ok(Arc::new(root))
    }

    /// Makes the group of one command.
    pub(crate) fn child(self: &Arc<Self>, name: &str) -> io::Result<Cgroup> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        Ok(Cgroup {
            path,
            _root: Arc::clone(self),
        })
    }
}

impl CgroupRoot {
    /// All groups of the runtime as one, removed with it.
    pub(crate) fn whole(self: &Arc<Self>) -> Cgroup {
        Cgroup {
            path: self.path.clone(),
            _root: Arc::clone(self),
        }
    }
}

impl Drop for CgroupRoot {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The group of one command, removed when it is dropped and empty.
#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
    _root: Arc<CgroupRoot>,
}

impl Cgroup {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends `SIGKILL` to everything in it, groups below it included, in one step of the kernel.
    pub(crate) fn kill(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.kill"), "1")
    }

    /// Numbers of the processes in it and in groups below it.
    pub(crate) fn members(&self) -> Vec<u32> {
        let mut found = Vec::new();
        collect(&self.path, &mut found);
        found
    }

    /// Whether the kernel ended something in it for want of memory. Only a group with the memory
    /// controller knows.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.figure("memory.events", "oom_kill")
            .is_some_and(|count| count > 0)
    }

    /// Puts the figures of the whole group in the place of those of one process.
    pub(crate) fn measure(&self, usage: &mut Usage) {
        let micros = |name| self.figure("cpu.stat", name).map(Duration::from_micros);
        if let (Some(user), Some(system)) = (micros("user_usec"), micros("system_usec")) {
            usage.cpu = Some(Measured {
                value: CpuTime { user, system },
                source: UsageSource::Cgroup,
            });
        }
        let peak = fs::read_to_string(self.path.join("memory.peak")).ok();
        if let Some(value) = peak.and_then(|text| text.trim().parse().ok()) {
            usage.peak_memory_bytes = Some(Measured {
                value,
                source: UsageSource::Cgroup,
            });
        }
    }

    fn figure(&self, file: &str, name: &str) -> Option<u64> {
        figure(&fs::read_to_string(self.path.join(file)).ok()?, name)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// A line such as `oom_kill 3`.
fn figure(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(' ')?;
        value.trim().parse().ok()
    })
}

fn collect(group: &Path, found: &mut Vec<u32>) {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    for below in directories(group) {
        collect(&below, found);
    }
}

/// Removes a group and those below it; one that still holds processes stays.
fn remove(group: &Path) {
    for below in directories(group) {
        remove(&below);
    }
    if let Err(error) = fs::remove_dir(group)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%error, group = %group.display(), "a control group stays");
    }
}

fn remove_orphans(base: &Path) {
    for group in directories(base) {
        let name = group.file_name().and_then(|name| name.to_str());
        let mark = name.and_then(|name| name.strip_prefix(CgroupRoot::PREFIX));
        if mark.is_some_and(Owner::is_dead) {
            let _ = fs::write(group.join("cgroup.kill"), "1");
            remove(&group);
        }
    }
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// The directory of the group that this program is in.
fn own_group() -> io::Result<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    locate(&groups, &mounts).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "control groups of version 2 are not mounted",
        )
    })
}

fn locate(groups: &str, mounts: &str) -> Option<PathBuf> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        // `41 31 0:38 ROOT MOUNT_POINT options… - cgroup2 …`
        let (place, kind) = line.split_once(" - ")?;
        if !kind.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = place.split(' ').skip(3);
        let (root, mount) = (fields.next()?, fields.next()?);
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some(Path::new(mount).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_below_its_mount() {
        let mounts = "30 1 0:2 / /proc rw - proc proc rw\n\
                      41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        let found = |groups| locate(groups, mounts);
        assert_eq!(
            found("1:cpu:/x\n0::/user.slice/a.scope\n"),
            Some("/sys/fs/cgroup/user.slice/a.scope".into())
        );
        assert_eq!(found("0::/\n"), Some("/sys/fs/cgroup/".into()));
        assert_eq!(found("1:cpu:/x\n"), None);
        let inner = "41 31 0:38 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(
            locate("0::/docker/abc/x\n", inner),
            Some("/sys/fs/cgroup/x".into())
        );
        assert_eq!(locate("0::/../other\n", inner), None);
    }

    #[test]
    fn a_figure_is_taken_from_its_own_line() {
        let text = "low 0\noom 7\noom_kill 3\noom_group_kill 1\n";
        assert_eq!(figure(text, "oom_kill"), Some(3));
        assert_eq!(figure(text, "oom"), Some(7));
        assert_eq!(figure(text, "max"), None);
    }
}

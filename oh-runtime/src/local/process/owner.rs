//! The mark that every child carries in its environment.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::procfs::{self, Stat, Variable};

/// Name of the variable. Its value is a list, joined by `;`: a host that is itself the child of
/// another runtime keeps the marks it got.
pub(crate) const MARK_VARIABLE: &str = "OH_OWNER";

/// Who owns the children of one runtime:
/// `<boot id>.<pid namespace>.<pid>.<start time>.<runtime number>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    host: Host,
    runtime: u64,
    /// What the host was marked with itself.
    inherited: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    boot: String,
    namespace: String,
    pid: u32,
    start: u64,
}

impl Owner {
    /// This process as the owner of one more runtime.
    pub(crate) fn this_process() -> io::Result<Self> {
        static RUNTIMES: AtomicU64 = AtomicU64::new(1);
        let pid = std::process::id();
        let start = Stat::of(pid).map(|stat| stat.start);
        Ok(Self {
            host: Host {
                boot: boot_id()?,
                namespace: pid_namespace()?,
                pid,
                start: start.ok_or_else(|| io::Error::other("/proc does not show this process"))?,
            },
            runtime: RUNTIMES.fetch_add(1, Ordering::Relaxed),
            inherited: std::env::var(MARK_VARIABLE).ok(),
        })
    }

    /// Whether the owner that made this mark does not live any more.
    pub(crate) fn is_dead(mark: &str) -> bool {
        Here::now().is_ok_and(|here| here.has_lost(mark))
    }

    /// The mark of everything that this runtime starts.
    pub(crate) fn prefix(&self) -> Mark {
        let Host {
            boot,
            namespace,
            pid,
            start,
        } = &self.host;
        Mark(format!(
            "{boot}.{namespace}.{pid}.{start}.{}.",
            self.runtime
        ))
    }

    /// The mark of one process of the runtime.
    pub(crate) fn mark(&self, process: &str) -> Mark {
        Mark(format!("{}{process}.", self.prefix().0))
    }

    /// Value of the variable for a child.
    pub(crate) fn value(&self, mark: &Mark) -> String {
        match &self.inherited {
            Some(outer) => format!("{outer};{}", mark.0),
            None => mark.0.clone(),
        }
    }
}

/// A mark, or the common start of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value of the variable holds this mark.
    pub(crate) fn is_in(&self, value: &str) -> bool {
        value.split(';').any(|mark| mark.starts_with(&self.0))
    }
}

/// Processes whose owner does not live any more.
pub(crate) fn orphans() -> io::Result<Vec<Stat>> {
    let here = Here::now()?;
    let mut found = procfs::all()?;
    found.retain(|stat| match procfs::variable(stat.pid, MARK_VARIABLE) {
        Ok(Variable::Set(value)) => {
            !stat.is_dead() && value.split(';').any(|mark| here.has_lost(mark))
        }
        Ok(Variable::Unset | Variable::NoEnvironment) | Err(_) => false,
    });
    Ok(found)
}

/// The boot and pid namespace that numbers of processes belong to, and the marks on this process.
#[derive(Debug)]
struct Here {
    boot: String,
    namespace: String,
    inherited: String,
}

impl Here {
    fn now() -> io::Result<Self> {
        Ok(Self {
            boot: boot_id()?,
            namespace: pid_namespace()?,
            inherited: std::env::var(MARK_VARIABLE).unwrap_or_default(),
        })
    }

    /// Whether the owner of a mark is dead. Owners of other boots or pid namespaces are not
    /// judged: their numbers mean something else here. Nor are marks that this process bears
    /// itself: it would end itself and what else it has started.
    fn has_lost(&self, mark: &str) -> bool {
        if self.inherited.split(';').any(|own| own == mark) {
            return false;
        }
        let mut parts = mark.split('.');
        let same = parts.next() == Some(&self.boot) && parts.next() == Some(&self.namespace);
        let pid = parts.next().and_then(|pid| pid.parse().ok());
        let start = parts.next().and_then(|start| start.parse::<u64>().ok());
        match (same, pid, start) {
            (true, Some(pid), Some(start)) => match Stat::read(pid) {
                Ok(Some(now)) => now.start != start || now.is_dead(),
                // Where `/proc` hides the processes of others, the kernel still says of each number
                // whether it is in use.
                Ok(None) => procfs::is_free(pid),
                // For want of descriptors, say. Nobody is killed on a guess.
                Err(_) => false,
            },
            _ => false,
        }
    }
}

fn boot_id() -> io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim().to_owned())
}

/// Such as `4026531836`.
fn pid_namespace() -> io::Result<String> {
    let link = fs::read_link("/proc/self/ns/pid")?;
    let digits = link.to_string_lossy();
    Ok(digits.chars().filter(char::is_ascii_digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_among_others_and_not_taken_for_a_longer_one() {
        let owner = Owner::this_process().unwrap();
        let one = owner.mark("p1");
        let value = format!("outer;{}", owner.value(&one));
        assert!(one.is_in(&value) && owner.prefix().is_in(&value));
        assert!(!owner.mark("p").is_in(&value));
        assert!(!owner.mark("p11").is_in(&value));
        assert!(!Owner::this_process().unwrap().prefix().is_in(&value));
    }

    #[test]
    fn an_owner_is_dead_when_its_number_is_free_or_another_has_it_or_only_its_status_is_left() {
        let owner = |pid: u32, start: u64| {
            let host = Host {
                pid,
                start,
                ..Owner::this_process().unwrap().host
            };
            Owner {
                host,
                runtime: 1,
                inherited: None,
            }
            .mark("p1")
        };
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let start = Stat::of(child.id()).unwrap().start;
        let mark = owner(child.id(), start);
        assert!(!Owner::is_dead(mark.as_str()));
        assert!(Owner::is_dead(owner(child.id(), start + 1).as_str()));
        drop(child.stdin.take());
        let options =
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert!(Owner::is_dead(mark.as_str()));
        child.wait().unwrap();
        assert!(Owner::is_dead(mark.as_str()));
    }

    #[test]
    fn a_process_that_is_there_is_not_taken_for_a_free_number() {
        assert!(!procfs::is_free(std::process::id()));
        assert!(!procfs::is_free(1));
    }
}

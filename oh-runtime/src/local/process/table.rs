//! The processes that a runtime knows: those that run, and finished ones whose output is kept.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use oh_core::{
    Command, Error, ErrorKind, Follow, IdempotencyKey, Process, ProcessDriver, ProcessId,
    ProcessInfo, Result, SandboxPath, Stdin, Target,
};

use super::leader::Leader;
use super::probe::InputProbe;
use super::recording::Recording;

/// What the table keeps of a process: one of its own, or a command in a persistent shell.
pub(crate) trait Tracked: ProcessDriver + InputProbe {
    /// Its id, from [`Table::next_id`].
    fn id(&self) -> &ProcessId;
    /// What it printed.
    fn recording(&self) -> &Arc<Recording>;
    /// The process that leads it, if it has one of its own.
    fn leader(&self) -> Option<&Arc<Leader>>;
    /// How it is listed.
    fn info(&self) -> ProcessInfo;
}

/// One more follower of a process.
///
/// # Errors
/// As [`Recording::follow`].
pub(crate) fn follow(process: &Arc<dyn Tracked>, follow: Follow) -> Result<Process> {
    let probe: Arc<dyn InputProbe> = Arc::clone(process) as _;
    let driver: Arc<dyn ProcessDriver> = Arc::clone(process) as _;
    let events = process
        .recording()
        .follow(follow, probe)
        .map_err(|error| error.with_object(process.id().as_str()))?;
    Ok(Process::new(
        process.id().clone(),
        follow.from,
        events,
        driver,
    ))
}

/// How much finished output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) processes: usize,
    pub(crate) bytes: u64,
}

/// Processes by number, oldest first.
#[derive(Debug)]
pub(crate) struct Table {
    processes: BTreeMap<u64, Arc<dyn Tracked>>,
    keys: HashMap<IdempotencyKey, Keyed>,
    digest: Digest,
    retention: Retention,
    started: u64,
}

/// What a key stands for. It outlives the output of its process.
#[derive(Debug)]
struct Keyed {
    digest: [u64; 2],
    process: ProcessId,
}

/// Says whether two commands of one key are the same, without keeping them.
#[derive(Debug, Default)]
struct Digest([RandomState; 2]);

impl Digest {
    fn of(&self, command: &Command) -> [u64; 2] {
        let same = (
            command.target.to_string(),
            matches!(command.target, Target::Shell(_)),
            command.cwd.as_ref().map(SandboxPath::as_str),
            &command.env,
            command.deadline,
        );
        let stdin: &[u8] = match &command.stdin {
            Stdin::Bytes(bytes) => bytes,
            Stdin::Null => b"null",
            _ => b"piped",
        };
        let is_bytes = matches!(command.stdin, Stdin::Bytes(_));
        self.0
            .each_ref()
            .map(|keys| keys.hash_one((&same, stdin, is_bytes)))
    }
}

impl Table {
    pub(crate) fn new(retention: Retention) -> Self {
        Self {
            processes: BTreeMap::new(),
            keys: HashMap::new(),
            digest: Digest::default(),
            retention,
            started: 0,
        }
    }

    /// The next id: `p` and a number.
    pub(crate) fn next_id(&mut self) -> ProcessId {
        self.started += 1;
        ProcessId::new(format!("p{}", self.started))
    }

    pub(crate) fn insert(&mut self, process: Arc<dyn Tracked>) {
        if let Some(number) = number(process.id()) {
            self.processes.insert(number, process);
        }
        self.forget_oldest();
    }

    /// Finds a process.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) for an id that is unknown or forgotten.
    pub(crate) fn find(&self, id: &ProcessId, operation: &'static str) -> Result<Arc<dyn Tracked>> {
        number(id)
            .and_then(|number| self.processes.get(&number))
            .cloned()
            .ok_or_else(|| {
                let known = number(id).is_some_and(|number| (1..=self.started).contains(&number));
                let detail = if known {
                    "the process has ended and its output is no longer kept"
                } else {
                    "there is no such process"
                };
                Error::new(ErrorKind::NotFound, operation)
                    .with_object(id.as_str())
                    .with_detail(detail)
            })
    }

    /// The process that a key stands for already.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) with that process if the command is another one.
    pub(crate) fn by_key(&self, command: &Command) -> Result<Option<ProcessId>> {
        let Some(keyed) = command.key.as_ref().and_then(|key| self.keys.get(key)) else {
            return Ok(None);
        };
        if keyed.digest == self.digest.of(command) {
            return Ok(Some(keyed.process.clone()));
        }
        Err(Error::new(ErrorKind::Conflict, "spawn")
            .with_detail("the idempotency key was used for another command")
            .with_running(keyed.process.clone()))
    }

    /// Binds the key of a command, if it has one.
    pub(crate) fn bind_key(&mut self, command: &Command, process: &ProcessId) {
        if let Some(key) = &command.key {
            let keyed = Keyed {
                digest: self.digest.of(command),
                process: process.clone(),
            };
            self.keys.insert(key.clone(), keyed);
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<dyn Tracked>> {
        self.processes.values()
    }

    /// Processes started so far, those that did not start included.
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    /// Forgets finished processes, the oldest first, until what is kept is within bounds.
    fn forget_oldest(&mut self) {
        let finished: Vec<(u64, u64)> = self
            .processes
            .iter()
            .filter(|(_, process)| process.recording().is_closed())
            .map(|(&number, process)| (number, process.recording().kept_bytes()))
            .collect();
        let mut count = finished.len();
        let mut bytes: u64 = finished.iter().map(|(_, bytes)| bytes).sum();
        for (number, kept) in finished {
            if count <= self.retention.processes && bytes <= self.retention.bytes {
                return;
            }
            self.processes.remove(&number);
            count -= 1;
            bytes -= kept;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.processes.clear();
        self.keys.clear();
    }
}

fn number(id: &ProcessId) -> Option<u64> {
    id.as_str().strip_prefix('p')?.parse().ok()
}

//! Earlier contents of edited files.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

/// Contents kept for each path.
const PER_PATH: usize = 10;

/// Bytes kept in all.
const TOTAL_BYTES: u64 = 64 * 1024 * 1024;

/// Charged for each entry beside its content and path, so that empty ones are bounded too.
const ENTRY_BYTES: u64 = 64;

/// Earlier contents of edited files: 10 for each path and 64 MiB in all.
///
/// The oldest is dropped first, over all paths, so what is left of a path is always its most
/// recent past without a hole. Contents are bytes: an undo restores the file exactly, whatever its
/// encoding. Memory only; it ends with the runtime.
pub struct UndoHistory {
    paths: HashMap<String, VecDeque<Entry>>,
    ages: BTreeMap<u64, String>,
    next_age: u64,
    kept_bytes: u64,
    per_path: usize,
    total_bytes: u64,
}

struct Entry {
    age: u64,
    previous: Option<Vec<u8>>,
    mark: Option<u64>,
}

impl UndoHistory {
    /// Creates an empty history with the usual limits.
    pub fn new() -> Self {
        Self::with_limits(PER_PATH, TOTAL_BYTES)
    }

    /// Creates an empty history with other limits.
    pub fn with_limits(per_path: usize, total_bytes: u64) -> Self {
        Self {
            paths: HashMap::new(),
            ages: BTreeMap::new(),
            next_age: 0,
            kept_bytes: 0,
            per_path,
            total_bytes,
        }
    }

    /// Keeps what a file contained before a change; `None` says that it did not exist.
    pub fn push(&mut self, path: &str, previous: Option<Vec<u8>>) {
        self.push_entry(path, previous, None);
    }

    /// As [`push`](Self::push), with a mark of the content after the change, such as a hash of it.
    /// By the mark, an undo tells a file that was changed by others since.
    pub fn push_marked(&mut self, path: &str, previous: Option<Vec<u8>>, mark: u64) {
        self.push_entry(path, previous, Some(mark));
    }

    /// The mark of the latest change of a path, if it has one.
    pub fn mark(&self, path: &str) -> Option<u64> {
        self.paths.get(path)?.back()?.mark
    }

    fn push_entry(&mut self, path: &str, previous: Option<Vec<u8>>, mark: Option<u64>) {
        let age = self.next_age;
        self.next_age += 1;
        self.kept_bytes += charge(path, previous.as_deref());
        self.ages.insert(age, path.to_owned());
        let entries = self.paths.entry(path.to_owned()).or_default();
        entries.push_back(Entry {
            age,
            previous,
            mark,
        });
        if entries.len() > self.per_path {
            self.drop_oldest_of(path);
        }
        while self.kept_bytes > self.total_bytes {
            let Some((_, path)) = self.ages.first_key_value() else {
                break;
            };
            let path = path.clone();
            self.drop_oldest_of(&path);
        }
    }

    /// Takes out what a file contained before its latest change. `None` where nothing is known,
    /// `Some(None)` where the file did not exist.
    pub fn pop(&mut self, path: &str) -> Option<Option<Vec<u8>>> {
        let entry = self.paths.get_mut(path)?.pop_back()?;
        Some(self.release(path, entry))
    }

    /// Number of changes of a path that can be taken back.
    pub fn depth(&self, path: &str) -> usize {
        self.paths.get(path).map_or(0, VecDeque::len)
    }

    /// Bytes kept, with paths and a charge for each entry.
    pub fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    fn drop_oldest_of(&mut self, path: &str) {
        let oldest = self.paths.get_mut(path).and_then(VecDeque::pop_front);
        if let Some(entry) = oldest {
            self.release(path, entry);
        }
    }

    fn release(&mut self, path: &str, entry: Entry) -> Option<Vec<u8>> {
        self.ages.remove(&entry.age);
        self.kept_bytes -= charge(path, entry.previous.as_deref());
        if self.depth(path) == 0 {
            self.paths.remove(path);
        }
        entry.previous
    }
}

fn charge(path: &str, previous: Option<&[u8]>) -> u64 {
    let bytes = path.len() + previous.map_or(0, <[u8]>::len);
    u64::try_from(bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(ENTRY_BYTES)
}

impl Default for UndoHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for UndoHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UndoHistory")
            .field("paths", &self.paths.len())
            .field("kept_bytes", &self.kept_bytes)
            .finish_non_exhaustive()
    }
}

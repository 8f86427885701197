//! The folder of one conversation: its places and names.

use std::fs::File;
use std::io::{ErrorKind as Io, Result};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::page;

#[derive(Clone, Debug)]
pub(super) struct Folder {
    base: PathBuf,
}

/// What one look through all names found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listing {
    /// Id after the highest.
    pub(super) next: u64,
    /// Number of event files.
    pub(super) count: u64,
}

impl Folder {
    pub(super) fn new(base: PathBuf) -> Self {
        Self { base }
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    pub(super) fn events(&self) -> PathBuf {
        self.base.join("events")
    }

    pub(super) fn event(&self, id: u64) -> PathBuf {
        self.base.join(format!("events/{id}.json"))
    }

    pub(super) fn pages(&self) -> PathBuf {
        self.base.join("event_cache")
    }

    /// What V0 knows nothing of.
    pub(super) fn own(&self) -> PathBuf {
        self.base.join("oh")
    }

    pub(super) fn fresh(&self) -> PathBuf {
        self.base.join("oh/new")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.base.join("oh/blobs")
    }

    /// Whether there is a log, of us or of V0.
    pub(super) fn is_session(&self) -> bool {
        self.events().is_dir() || self.own().join("lock").is_file()
    }

    /// When an event was added last.
    pub(super) fn changed(&self) -> Option<SystemTime> {
        std::fs::metadata(self.events())
            .and_then(|metadata| metadata.modified())
            .ok()
    }

    /// Looks through all names of events once.
    pub(super) fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        self.visit(&mut |id, is_event| {
            listing.next = listing.next.max(id + 1);
            listing.count += u64::from(is_event);
        })?;
        Ok(listing)
    }

    /// The lowest id in a range that has a file, or a page that may hold it.
    pub(super) fn first_in(&self, from: u64, to: u64) -> Result<Option<u64>> {
        let mut first = None;
        self.visit_spans(&mut |start, end| {
            let id = start.max(from);
            if id < end.min(to) && first.is_none_or(|first| id < first) {
                first = Some(id);
            }
        })?;
        Ok(first)
    }

    /// The highest id in a range that has a file, or a page that may hold it.
    pub(super) fn last_in(&self, from: u64, to: u64) -> Result<Option<u64>> {
        let mut last = None;
        self.visit_spans(&mut |start, end| {
            let after = end.min(to);
            if start.max(from) < after {
                last = last.max(Some(after - 1));
            }
        })?;
        Ok(last)
    }

    /// Visits the ids that names hold, as V0 finds them: what stands before the first dot. Only
    /// `<id>.json` holds an event.
    fn visit(&self, visit: &mut dyn FnMut(u64, bool)) -> Result<()> {
        visit_names(&self.events(), &mut |name| {
            let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
            if let Ok(id) = stem.parse::<u64>()
                && id < u64::MAX
            {
                visit(id, ending == "json" && id.to_string() == stem);
            }
        })
    }

    /// Visits the ranges of ids that files stand for.
    fn visit_spans(&self, visit: &mut dyn FnMut(u64, u64)) -> Result<()> {
        self.visit(&mut |id, is_event| {
            if is_event {
                visit(id, id + 1);
            }
        })?;
        visit_names(&self.pages(), &mut |name| {
            let span = name
                .strip_suffix(".json")
                .and_then(|name| name.split_once('-'));
            if let Some((start, end)) = span
                && let (Ok(start), Ok(end)) = (start.parse(), end.parse())
                && page::start_of(start) == start
                && page::end_of(start) == Some(end)
            {
                visit(start, end);
            }
        })
    }

    /// Makes names in both folders last. Not every file system can; the files are synced anyway.
    pub(super) fn sync_names(&self) {
        for folder in [self.events(), self.pages()] {
            match File::open(&folder).and_then(|folder| folder.sync_all()) {
                Err(error) if error.kind() != Io::NotFound => {
                    tracing::debug!(%error, "a directory was not synced");
                }
                _ => {}
            }
        }
    }
}

fn visit_names(folder: &Path, visit: &mut dyn FnMut(&str)) -> Result<()> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == Io::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        if let Some(name) = entry?.file_name().to_str() {
            visit(name);
        }
    }
    Ok(())
}

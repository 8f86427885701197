//! The segments of one session, as writer and readers of a process see them.

use std::fs::File;
use std::io::{ErrorKind as Io, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oh_core::{Error, ErrorKind};

use super::segment_file::Segment;

/// Where events are. Events before `next` are readable; what a file holds beyond that is not
/// looked at.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    /// The directory itself: open, so that no other one becomes the same as it.
    opened: File,
    layout: Mutex<Layout>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// In the order of their first events.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) next: u64,
}

impl Files {
    pub(super) fn new(directory: PathBuf, layout: Layout) -> oh_core::Result<Self> {
        let opened = File::open(&directory).map_err(|error| {
            Error::io("open event log", error).with_object(directory.display().to_string())
        })?;
        Ok(Self {
            directory,
            opened,
            layout: Mutex::new(layout),
        })
    }

    /// Fails if the session was removed, also if another one was begun in its place. What was
    /// opened by name before is of this session otherwise.
    pub(super) fn check_there(&self) -> oh_core::Result<()> {
        let failed = |error| {
            Error::io("read event log", error).with_object(self.directory.display().to_string())
        };
        let opened = self.opened.metadata().map_err(failed)?;
        match self.directory.metadata() {
            Ok(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => Ok(()),
            Err(error) if error.kind() != Io::NotFound => Err(failed(error)),
            _ => Err(self.removed()),
        }
    }

    pub(super) fn removed(&self) -> Error {
        Error::new(ErrorKind::Gone, "read event log")
            .with_object(self.directory.display().to_string())
            .with_detail("the session was removed")
    }

    pub(super) fn layout(&self) -> MutexGuard<'_, Layout> {
        self.layout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next(&self) -> u64 {
        self.layout().next
    }

    pub(super) fn first(&self) -> u64 {
        let layout = self.layout();
        layout
            .segments
            .first()
            .map_or(layout.next, |segment| segment.first)
    }

    /// The segment that holds an event, and the first id after that segment.
    pub(super) fn segment_of(&self, id: u64) -> Option<(Arc<Segment>, u64)> {
        let layout = self.layout();
        let after = layout
            .segments
            .partition_point(|segment| segment.first <= id);
        let segment = layout.segments.get(after.checked_sub(1)?)?;
        let end = layout
            .segments
            .get(after)
            .map_or(layout.next, |next| next.first);
        Some((Arc::clone(segment), end))
    }

    /// Forgets the segments before the one that begins with this event.
    pub(super) fn drop_before(&self, first: u64) {
        let mut layout = self.layout();
        layout.segments.retain(|segment| segment.first >= first);
    }
}

/// Finds the segments of a directory, with the lengths of their files.
pub(super) fn list(directory: &Path) -> Result<Vec<Arc<Segment>>> {
    let mut segments = Vec::new();
    for entry in directory.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(first) = name.to_str().and_then(|name| first_of(name, ".log")) else {
            continue;
        };
        match entry.metadata() {
            Ok(metadata) => {
                let segment = Segment::new(directory, first, metadata.len());
                segments.push(Arc::new(segment));
            }
            // Dropped by its writer a moment ago.
            Err(error) if error.kind() == Io::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// The first event of the segment that a file belongs to, if it is named like one.
pub(super) fn first_of(name: &str, end: &str) -> Option<u64> {
    let digits = name.strip_suffix(end)?;
    let is_name = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_name.then(|| digits.parse().ok())?
}

//! Opening a log for writing.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind as Io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use oh_core::EventId;

use crate::store::OpenReport;

use super::files::{self, Layout};
use super::segment_file::Segment;
use super::{checkpoint, directory, recover};

/// The end of a log, found and made fit for writing.
pub(super) struct Opened {
    pub(super) segment: Arc<Segment>,
    pub(super) file: File,
    pub(super) last_checkpoint: u64,
    pub(super) len: u64,
    pub(super) layout: Layout,
    pub(super) report: OpenReport,
    /// When the segment was begun.
    pub(super) begun: SystemTime,
}

impl Opened {
    pub(super) fn find(path: &Path) -> std::io::Result<Self> {
        let mut segments = files::list(path)?;
        let segment = match segments.last() {
            Some(last) => Arc::clone(last),
            None => {
                let first = Arc::new(Segment::new(path, 0, 0));
                directory::create_file(&first.path)?;
                directory::sync(path);
                segments.push(Arc::clone(&first));
                first
            }
        };
        let file = open_alone(&segment)?;
        let end = recover::find_end(&segment, &file)?;
        let mut report = OpenReport::new(EventId(end.next));
        if end.torn_bytes > 0 {
            file.set_len(end.len)?;
            file.sync_data()?;
            let name = segment.path.display().to_string();
            tracing::warn!(
                file = name,
                bytes = end.torn_bytes,
                "cut an unfinished write"
            );
            report = report.cut(name, end.torn_bytes);
        }
        if !end.checkpoints_stored
            && let Err(error) = checkpoint::store(&segment.checkpoint_path(), &end.checkpoints)
        {
            tracing::debug!(%error, "checkpoints were not stored");
        }
        let metadata = file.metadata()?;
        // Not every file system knows when a file was made.
        let begun = metadata.created().or_else(|_| metadata.modified())?;
        let last_checkpoint = end.checkpoints.last().map_or(0, |last| last.offset);
        segment.replace(end.len, end.checkpoints);
        Ok(Self {
            segment,
            file,
            last_checkpoint,
            len: end.len,
            layout: Layout {
                segments,
                next: end.next,
            },
            report,
            begun,
        })
    }
}

/// Opens the last segment for writing. One that another session shares is copied first: what is
/// shared is never written to.
fn open_alone(segment: &Segment) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = options.open(&segment.path)?;
    if file.metadata()?.nlink() == 1 {
        return Ok(file);
    }
    // Checkpoints are made anew.
    match std::fs::remove_file(segment.checkpoint_path()) {
        Err(error) if error.kind() != Io::NotFound => return Err(error),
        _ => {}
    }
    let fresh = segment.path.with_extension("log.new");
    let mut copy = directory::create_file(&fresh)?;
    std::io::copy(&mut &file, &mut copy)?;
    // It holds events that were acknowledged.
    copy.sync_all()?;
    std::fs::rename(&fresh, &segment.path)?;
    if let Some(directory) = segment.path.parent() {
        directory::sync(directory);
    }
    options.open(&segment.path)
}

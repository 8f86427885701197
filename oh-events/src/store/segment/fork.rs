//! Beginning a session with the past of another one.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Error as IoError, ErrorKind as Io, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use crate::store::blob::{FileBlobStore, references};
use crate::store::{Damage, Dropped};

use super::aside::{self, Stage};
use super::contents::BLOBS;
use super::directory::{self, Sync};
use super::files::Files;
use super::segment_file::Segment;
use super::view::SegmentReader;
use super::walk::Found;
use super::{holder_file, line, snapshot_file};

const OPERATION: &str = "fork session";

/// Full segments are shared as links to the same files, which no one writes to any more. The
/// segment that the fork ends in is copied, so that the last one is its own.
///
/// All of it is made beside the sessions and gets its name at the end.
pub(super) fn fork(
    root: &Path,
    from: &SessionId,
    at: EventId,
    to: &SessionId,
    share: Share,
) -> Result<()> {
    // The writer may drop old events meanwhile, and what they name before them.
    const STANDSTILLS: usize = 8;
    let (mut begun, mut standstills) = (0, 0);
    loop {
        match attempt(root, from, at, to, share)? {
            Attempt::Made => return Ok(()),
            Attempt::Overtaken { first, .. } if first > begun => begun = first,
            Attempt::Overtaken { .. } if standstills < STANDSTILLS => standstills += 1,
            Attempt::Overtaken { error, .. } => {
                return Err(Error::new(ErrorKind::Gone, OPERATION)
                    .with_object(from.as_str())
                    .with_detail("a part of it vanished while it was forked")
                    .with_source(error));
            }
        }
    }
}

fn attempt(
    root: &Path,
    from: &SessionId,
    at: EventId,
    to: &SessionId,
    share: Share,
) -> Result<Attempt> {
    let failed = |error| Error::io(OPERATION, error).with_object(from.as_str());
    let refused = |kind, name: &SessionId| Error::new(kind, OPERATION).with_object(name.as_str());
    aside::sweep(root).map_err(failed)?;
    let (source, target) = (root.join(from.as_str()), root.join(to.as_str()));
    if !source.join(holder_file::LOCK).is_file() {
        return Err(refused(ErrorKind::NotFound, from));
    }
    // A name that is taken later is refused when the fork is published.
    if target.symlink_metadata().is_ok() {
        return Err(refused(ErrorKind::AlreadyExists, to));
    }
    let files = SegmentReader::follow(source.clone())?.into_files();
    let (first, next) = (files.first(), files.next());
    if at.0 > next {
        return Err(refused(ErrorKind::InvalidInput, from)
            .with_detail(format!("it ends before {at}: its next event is {next}")));
    }
    if at.0 < first {
        return Err(Dropped::new(at, EventId(first)).into());
    }
    let stage = Stage::new(root, to).map_err(failed)?;
    let work = Fork {
        source,
        stage: &stage.path,
        files: &files,
        at: at.0,
        share,
    };
    match work.run(from) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Gone) => {
            return Ok(Attempt::Overtaken { first, error });
        }
        done => done?,
    }
    let published = stage.publish(&target);
    published.map_err(|error| match error.kind() {
        Io::AlreadyExists => refused(ErrorKind::AlreadyExists, to),
        _ => failed(error),
    })?;
    Ok(Attempt::Made)
}

enum Attempt {
    Made,
    /// Something that was there is not there any more; the log began with `first`.
    Overtaken {
        first: u64,
        error: Error,
    },
}

/// How a file becomes a part of another session.
pub(super) type Share = fn(&Path, &Path) -> std::io::Result<()>;

/// Links a file, or copies it where that is not possible.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(from, to) {
        Err(error) if error.kind() != Io::NotFound => copy(from, to),
        done => done,
    }
}

pub(super) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let source = File::open(from)?;
    let mut target = directory::create_file(to)?;
    std::io::copy(&mut &source, &mut target)?;
    // Its age counts, for what is kept of a log.
    target.set_modified(source.metadata()?.modified()?)
}

struct Fork<'f> {
    source: PathBuf,
    stage: &'f Path,
    files: &'f Files,
    at: u64,
    share: Share,
}

impl Fork<'_> {
    fn run(&self, from: &SessionId) -> Result<()> {
        let failed = |error| Error::io(OPERATION, error).with_object(from.as_str());
        let (shared, cut) = self.plan();
        for segment in &shared {
            self.share(segment).map_err(failed)?;
        }
        let last = Segment::new(self.stage, cut.as_ref().map_or(self.at, |cut| cut.first), 0);
        let named = self.copy_events(&last)?;
        if let Some(cut) = cut {
            keep_time(&cut, &last).map_err(failed)?;
        }
        self.share_blobs(&named).map_err(failed)?;
        let snapshot = snapshot_file::load(&self.source).map_err(failed)?;
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.next.0 <= self.at) {
            snapshot_file::save(self.stage, &snapshot, Sync::Yes).map_err(failed)?;
        }
        // Numbers go on, so that the names of new blobs are new.
        let epoch = holder_file::epoch(&self.source);
        holder_file::note(self.stage, &format!("fork of {from}"), epoch)
    }

    /// The segments that lie wholly before the end of the fork and are not written to any more,
    /// and the one that is cut.
    fn plan(&self) -> (Vec<Arc<Segment>>, Option<Arc<Segment>>) {
        let mut shared = self.files.layout().segments.clone();
        shared.retain(|segment| segment.first < self.at);
        let ends_between = self
            .files
            .layout()
            .segments
            .iter()
            .any(|segment| segment.first == self.at);
        let cut = if ends_between { None } else { shared.pop() };
        (shared, cut)
    }

    fn share(&self, segment: &Segment) -> std::io::Result<()> {
        let target = Segment::new(self.stage, segment.first, 0);
        (self.share)(&segment.path, &target.path)?;
        // The parent may not have written it to disk yet.
        File::open(&target.path)?.sync_all()?;
        match (self.share)(&segment.checkpoint_path(), &target.checkpoint_path()) {
            Err(error) if error.kind() != Io::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Checks every event of the fork, and writes those of its last segment; returns the blobs
    /// that they name.
    fn copy_events(&self, last: &Segment) -> Result<HashSet<String>> {
        let failed =
            |error| Error::io(OPERATION, error).with_object(last.path.display().to_string());
        let blobs = FileBlobStore::reader(self.source.join(BLOBS));
        let blobs = blobs.names().map_err(failed)?;
        let mut named = HashSet::new();
        let mut file = BufWriter::new(directory::create_file(&last.path).map_err(failed)?);
        let mut outcome: Result<()> = Ok(());
        let mut buffer = Vec::new();
        let mut expected = self.files.first();
        self.files.walk(expected, self.at, &mut |found| {
            match found {
                Found::Event(id, json) if id.0 == expected => {
                    expected += 1;
                    name_blobs(json, &blobs, &mut named);
                    if id.0 < last.first {
                        return ControlFlow::Continue(());
                    }
                    buffer.clear();
                    line::write(&mut buffer, json);
                    outcome = file.write_all(&buffer).map_err(failed);
                }
                Found::Event(id, _) => {
                    outcome = Err(Dropped::new(EventId(expected), id).into());
                }
                Found::Damage(damage) => outcome = Err(self.damaged(damage)),
            }
            match &outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        outcome?;
        if expected < self.at {
            return Err(Dropped::new(EventId(expected), EventId(self.at)).into());
        }
        let file = file
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        Ok(named)
    }

    fn damaged(&self, damage: Damage) -> Error {
        Error::new(ErrorKind::Corrupt, OPERATION)
            .with_detail(damage.to_string())
            .with_source(damage)
    }

    fn share_blobs(&self, named: &HashSet<String>) -> std::io::Result<()> {
        if named.is_empty() {
            return Ok(());
        }
        let (from, to) = (self.source.join(BLOBS), self.stage.join(BLOBS));
        directory::create(&to)?;
        for blob in named {
            let target = to.join(blob);
            (self.share)(&from.join(blob), &target)?;
            File::open(&target)?.sync_all()?;
        }
        directory::sync(&to);
        Ok(())
    }
}

fn name_blobs(json: &[u8], blobs: &HashSet<String>, named: &mut HashSet<String>) {
    if blobs.is_empty() {
        return;
    }
    references::visit(json, &mut |id| {
        if let Some(blob) = blobs.get(id) {
            named.insert(blob.clone());
        }
    });
}

/// The age of a segment counts, for what is kept of a log.
fn keep_time(from: &Segment, to: &Segment) -> Result<(), IoError> {
    let modified = from.path.metadata()?.modified()?;
    File::options()
        .write(true)
        .open(&to.path)?
        .set_modified(modified)
}

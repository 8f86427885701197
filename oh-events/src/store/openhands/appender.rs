//! Appends event files, each as a whole.

use std::fs::File;
use std::io::{ErrorKind as Io, Result, Write};
use std::path::{Path, PathBuf};

use crate::store::Encoded;
use crate::store::segment::directory::{self, Sync};
use crate::store::segment::holder_file::Held;

use super::folder::Folder;
use super::page;

/// The end of a log that is written to.
#[derive(Debug)]
pub(super) struct Appender {
    folder: Folder,
    pub(super) next: u64,
    /// First event that may not be on disk.
    unsynced: u64,
    /// Why it is not known what the log holds.
    pub(super) broken: Option<std::io::Error>,
    /// `None` after closing.
    pub(super) held: Option<Held>,
}

impl Appender {
    /// Goes on after `next`, and clears away what a former writer left half done.
    pub(super) fn new(folder: Folder, next: u64, held: Held) -> Result<Self> {
        let fresh = folder.fresh();
        match std::fs::remove_dir_all(&fresh) {
            Err(error) if error.kind() != Io::NotFound => return Err(error),
            _ => {}
        }
        directory::create(&fresh)?;
        Ok(Self {
            folder,
            next,
            unsynced: next,
            broken: None,
            held: Some(held),
        })
    }

    /// Appends a batch: all of it, or nothing. A process that dies meanwhile leaves a beginning
    /// of it, which no one was told about.
    pub(super) fn append(&mut self, batch: &[Encoded], sync: Sync) -> Result<()> {
        directory::create(&self.folder.events())?;
        let mut staged = Vec::with_capacity(batch.len());
        let written = batch
            .iter()
            .try_for_each(|event| {
                let fresh = self.folder.fresh().join(format!("{}.json", event.id()));
                staged.push(fresh.clone());
                stage(&fresh, event.json(), sync)
            })
            .and_then(|()| self.name(batch, &staged));
        for fresh in &staged {
            // Whatever stays is cleared away at the next opening.
            let _ = std::fs::remove_file(fresh);
        }
        written?;
        let first = self.next;
        self.next += batch.len() as u64;
        self.write_pages(first, sync);
        if sync == Sync::Yes {
            self.folder.sync_names();
            self.unsynced = self.next;
        }
        Ok(())
    }

    /// Gives staged files the names of events, in their order.
    fn name(&mut self, batch: &[Encoded], staged: &[PathBuf]) -> Result<()> {
        for (at, (event, fresh)) in batch.iter().zip(staged).enumerate() {
            let Err(error) = name(fresh, &self.folder.event(event.id().0)) else {
                continue;
            };
            for named in batch.iter().take(at).rev() {
                if let Err(error) = std::fs::remove_file(self.folder.event(named.id().0)) {
                    self.broken = Some(error);
                    break;
                }
            }
            return Err(error);
        }
        Ok(())
    }

    /// Pages can be made from their events, so that failing to write one is no failure of the
    /// append.
    fn write_pages(&self, first: u64, sync: Sync) {
        // V0 leaves out the page during which it was opened again: see to the one before, too.
        let mut start = page::start_of(first).saturating_sub(page::EVENTS);
        while let Some(end) = page::end_of(start).filter(|end| *end <= self.next) {
            if let Err(error) = page::write(&self.folder, start, sync) {
                tracing::debug!(%error, start, "a page was not written");
            }
            start = end;
        }
    }

    /// The files that may not be on disk, which count as synced from now on.
    pub(super) fn take_unsynced(&mut self) -> Unsynced {
        let from = std::mem::replace(&mut self.unsynced, self.next);
        Unsynced {
            folder: self.folder.clone(),
            from,
            to: self.next,
        }
    }
}

/// Events whose files are to be written to disk.
pub(super) struct Unsynced {
    folder: Folder,
    from: u64,
    pub(super) to: u64,
}

impl Unsynced {
    pub(super) fn sync(&self) -> Result<()> {
        for id in self.from..self.to {
            File::open(self.folder.event(id))?.sync_data()?;
            let is_last_of_page = (id + 1) % page::EVENTS == 0;
            if is_last_of_page {
                match File::open(page::path(&self.folder, page::start_of(id))) {
                    Ok(page) => page.sync_data()?,
                    Err(error) if error.kind() == Io::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if self.from < self.to {
            self.folder.sync_names();
        }
        Ok(())
    }
}

fn stage(fresh: &Path, json: &[u8], sync: Sync) -> Result<()> {
    let mut file = directory::create_file(fresh)?;
    file.write_all(json)?;
    if sync == Sync::Yes {
        file.sync_data()?;
    }
    Ok(())
}

/// Gives a file a name that is free. A link never replaces a file, as renaming would.
fn name(fresh: &Path, place: &Path) -> Result<()> {
    match std::fs::hard_link(fresh, place) {
        // What file systems answer that have no links.
        Err(error) if matches!(error.kind(), Io::PermissionDenied | Io::Unsupported) => {
            if place.symlink_metadata().is_ok() {
                return Err(Io::AlreadyExists.into());
            }
            std::fs::rename(fresh, place)
        }
        named => named,
    }
}

//! Making directories, renaming and removing.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use oh_core::{
    ErrorKind, FileKind, FileMeta, LinkMode, RemoveMode, RenameMode, Result, SandboxPath,
};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::call::Call;
use super::facts::Facts;
use super::job::Stop;
use super::listing::names;
use super::staged::{Staged, rename_to_free};
use super::tree::{Made, Miss, Place};
use super::volume::Volume;

const DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Volume {
    pub(super) fn make_dir(&self, path: &SandboxPath) -> Result<FileMeta> {
        let call = Call::new("make directory", path);
        let mut made = Made::default();
        let dir = match self.tree.make_dirs(Path::new(path.as_str()), &mut made) {
            Ok(dir) => dir,
            Err(miss) => {
                made.undo();
                return Err(self.no_dir(path, miss, &call));
            }
        };
        let facts = Facts::of(&dir).map_err(|errno| call.errno(errno))?;
        Ok(facts.meta(self.visible(path)))
    }

    /// Tells a path that something else has from a path that leads through a file.
    fn no_dir(&self, path: &SandboxPath, miss: Miss, call: &Call) -> oh_core::Error {
        let taken = miss == Miss::Errno(Errno::NOTDIR)
            && self
                .tree
                .locate(Path::new(path.as_str()), LinkMode::Keep)
                .is_ok_and(|place| place.facts().is_ok());
        if taken {
            return call.error(
                ErrorKind::AlreadyExists,
                "something that is no directory has this name",
            );
        }
        call.miss(miss)
    }

    pub(super) fn rename(
        &self,
        from: &SandboxPath,
        to: &SandboxPath,
        mode: RenameMode,
    ) -> Result<FileMeta> {
        let call = Call::about("rename", format!("{from} to {to}"));
        let source = self.locate(from, LinkMode::Keep, &call)?;
        let target = self.locate(to, LinkMode::Keep, &call)?;
        let from_name = self.changeable(&source, &call)?;
        let to_name = self.changeable(&target, &call)?;
        let _locks = self.lock_both(&source.key(&call)?, &target.key(&call)?);
        let renamed = match mode {
            RenameMode::Replace => {
                rustix::fs::renameat(&source.dir, from_name, &target.dir, to_name)
                    .and_then(|()| take_name(&source.dir, from_name, &target.dir, to_name))
            }
            RenameMode::KeepTarget => rename_to_free(&source.dir, from_name, &target.dir, to_name),
        };
        renamed.map_err(|errno| match errno {
            Errno::INVAL => call.invalid(
                "a directory cannot move below itself, or the file system lacks this operation",
            ),
            errno => call.errno(errno),
        })?;
        let facts = Facts::at(&target.dir, to_name).map_err(|errno| call.errno(errno))?;
        Ok(facts.meta(self.visible(to)))
    }

    pub(super) fn remove(&self, path: &SandboxPath, mode: RemoveMode, stop: &Stop) -> Result<()> {
        let call = Call::new("remove", path);
        let place = self.locate(path, LinkMode::Keep, &call)?;
        let name = self.changeable(&place, &call)?;
        let facts = Facts::at(&place.dir, name).map_err(|errno| call.errno(errno))?;
        let removed = match (facts.kind(), mode) {
            (FileKind::Directory, RemoveMode::Single) => {
                rustix::fs::unlinkat(&place.dir, name, AtFlags::REMOVEDIR)
            }
            (FileKind::Directory, RemoveMode::Tree) => remove_tree(&place.dir, name, stop),
            _ => {
                let _lock = self.lock(&place.key(&call)?);
                rustix::fs::unlinkat(&place.dir, name, AtFlags::empty())
            }
        };
        removed.map_err(|errno| match errno {
            Errno::NOTEMPTY | Errno::EXIST => call
                .error(
                    ErrorKind::AlreadyExists,
                    "the directory is not empty; remove it as a tree",
                )
                .with_source(std::io::Error::from(errno)),
            errno => call.errno(errno),
        })
    }

    /// The name of an entry that may be renamed or removed: not the workspace, nor what it is in.
    fn changeable<'a>(&self, place: &'a Place, call: &Call) -> Result<&'a OsStr> {
        let workspace =
            || call.invalid("the workspace itself cannot be removed, renamed or replaced");
        let root = Facts::of(self.tree.dir()).map_err(|errno| call.errno(errno))?;
        let Some(name) = place.name.as_deref() else {
            let here = Facts::of(&place.dir).map_err(|errno| call.errno(errno))?;
            return Err(if (here.dev, here.ino) == (root.dev, root.ino) {
                workspace()
            } else {
                call.invalid("the path ends in `..`; name the directory")
            });
        };
        // Without bounds, a path can also name the workspace or a parent of it.
        if let Ok(found) = Facts::at(&place.dir, name)
            && found.kind() == FileKind::Directory
            && self.is_above(&found)
        {
            return Err(workspace());
        }
        Ok(name)
    }

    fn is_above(&self, dir: &Facts) -> bool {
        Path::new(self.workspace.as_str()).ancestors().any(|above| {
            std::fs::metadata(above)
                .is_ok_and(|meta| (meta.dev(), meta.ino()) == (dir.dev, dir.ino))
        })
    }
}

/// Takes the source of a rename away that is there still: the system leaves two names of one file
/// as they are.
fn take_name(from_dir: &OwnedFd, from: &OsStr, to_dir: &OwnedFd, to: &OsStr) -> Result<(), Errno> {
    if from == to && id(from_dir)? == id(to_dir)? {
        return Ok(());
    }
    let (Ok(old), Ok(new)) = (Facts::at(from_dir, from), Facts::at(to_dir, to)) else {
        return Ok(());
    };
    let is_same = old.nlink > 1 && (old.dev, old.ino) == (new.dev, new.ino);
    if !is_same || old.kind() == FileKind::Directory {
        return Ok(());
    }
    // Under another name first: where letters compare without their case, both names may be one.
    let (aside, ()) = Staged::make(from_dir, |dir, name| rename_to_free(dir, from, dir, name))?;
    match Facts::at(to_dir, to) {
        Ok(_) => Ok(()),
        Err(Errno::NOENT) => aside.create(from),
        Err(errno) => Err(errno),
    }
}

/// A directory that is being emptied.
struct Level {
    name: OsString,
    id: (u64, u64),
    left: std::vec::IntoIter<OsString>,
}

impl Level {
    fn of(dir: &OwnedFd, name: &OsStr) -> Result<Self, Errno> {
        Ok(Self {
            name: name.to_owned(),
            id: id(dir)?,
            left: names(dir)?.into_iter(),
        })
    }
}

/// Removes a tree of any depth: one directory is open at a time, and none is entered by recursion.
fn remove_tree(parent: &OwnedFd, name: &OsStr, stop: &Stop) -> Result<(), Errno> {
    let Some(mut dir) = open_or_remove(parent, name)? else {
        return Ok(());
    };
    let mut levels = vec![Level::of(&dir, name)?];
    while let Some(level) = levels.last_mut() {
        if stop.is_set() {
            return Ok(());
        }
        if let Some(entry) = level.left.next() {
            // What another program removes meanwhile is as good as removed here.
            match rustix::fs::unlinkat(&dir, &entry, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => {
                    if let Some(below) = open_or_remove(&dir, &entry)? {
                        levels.push(Level::of(&below, &entry)?);
                        dir = below;
                    }
                }
                Err(errno) => return Err(errno),
            }
            continue;
        }
        let name = std::mem::take(&mut level.name);
        levels.pop();
        let Some(level) = levels.last() else {
            return remove_dir(parent, &name);
        };
        let above = rustix::fs::openat(&dir, "..", DIR, Mode::empty())?;
        // Moved meanwhile, `..` leads to where nothing is to be removed.
        if id(&above)? != level.id {
            return Err(Errno::BUSY);
        }
        remove_dir(&above, &name)?;
        dir = above;
    }
    Ok(())
}

/// Opens a directory that is to be emptied; `None` if it is gone.
fn open_or_remove(parent: &OwnedFd, name: &OsStr) -> Result<Option<OwnedFd>, Errno> {
    match rustix::fs::openat(parent, name, DIR, Mode::empty()) {
        Ok(dir) => Ok(Some(dir)),
        Err(Errno::NOENT) => Ok(None),
        // What may not be read can be removed if it is empty.
        Err(Errno::ACCESS) => match remove_dir(parent, name) {
            Err(_) => Err(Errno::ACCESS),
            Ok(()) => Ok(None),
        },
        Err(errno) => Err(errno),
    }
}

fn remove_dir(parent: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}

fn id(dir: &OwnedFd) -> Result<(u64, u64), Errno> {
    Facts::of(dir).map(|facts| (facts.dev, facts.ino))
}

//! A directory and the resolution of paths beneath it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use oh_core::LinkMode;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::facts::Facts;

/// Links followed on one path, as the kernel has it.
const MAX_LINKS: usize = 40;

/// Length of a path with its end, as the kernel has it.
const PATH_BYTES: usize = 4096;

/// Levels below its start that a walk goes down. Each level takes a descriptor and room on the
/// stack, and a loop of `mkdir` and `cd` makes as many as it likes.
pub(super) const MAX_LEVELS: usize = 256;

/// A descriptor that names a directory without reading it.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Why a path was not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// It leads out of the tree.
    Escapes,
    /// The system said no.
    Errno(Errno),
}

impl From<Errno> for Miss {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Whether paths may leave the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    /// They end beneath it. The kernel resolves (`openat2`), and where it cannot or refuses, a walk
    /// over components decides.
    Beneath,
    /// As `Beneath`, always by the walk.
    #[cfg(test)]
    BeneathByWalk,
    /// They may lead anywhere.
    None,
}

/// A directory, held by a descriptor, beneath which paths are resolved.
#[derive(Debug)]
pub(super) struct Tree {
    dir: OwnedFd,
    /// Absolute paths that name the directory: an absolute path or link below one is inside.
    names: Vec<PathBuf>,
    bounds: Bounds,
}

/// A name in a directory that is held open, so that a swap of its parents changes nothing.
#[derive(Debug)]
pub(super) struct Place {
    /// The directory.
    pub(super) dir: OwnedFd,
    /// The entry; `None` if the path names the directory itself (it ends in `..` or is the root).
    pub(super) name: Option<OsString>,
}

/// Directories that were made on the way, to be removed again if the call fails.
#[derive(Debug, Default)]
pub(super) struct Made(Vec<(OwnedFd, OsString)>);

impl Made {
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Removes what was made, innermost first. What is no longer empty stays.
    pub(super) fn undo(self) {
        for (parent, name) in self.0.into_iter().rev() {
            if rustix::fs::unlinkat(&parent, &name, AtFlags::REMOVEDIR).is_err() {
                return;
            }
        }
    }
}

impl Tree {
    pub(super) fn new(dir: OwnedFd, names: Vec<PathBuf>, bounds: Bounds) -> Self {
        Self { dir, names, bounds }
    }

    pub(super) fn open(path: &Path, names: Vec<PathBuf>, bounds: Bounds) -> Result<Self, Errno> {
        let dir = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?;
        Ok(Self::new(dir, names, bounds))
    }

    pub(super) fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// Finds the place of a path. Its last component need not exist.
    pub(super) fn locate(&self, path: &Path, links: LinkMode) -> Result<Place, Miss> {
        self.find(path, links, None)
    }

    /// As [`locate`](Self::locate), following links and making missing directories.
    pub(super) fn locate_making(&self, path: &Path, made: &mut Made) -> Result<Place, Miss> {
        self.find(path, LinkMode::Follow, Some(made))
    }

    fn find(
        &self,
        path: &Path,
        links: LinkMode,
        mut made: Option<&mut Made>,
    ) -> Result<Place, Miss> {
        let mut path = self.relative(path)?;
        for _ in 0..MAX_LINKS {
            let Some(name) = path.file_name() else {
                let dir = self.open_dir(&path)?;
                return Ok(Place { dir, name: None });
            };
            let parent = path.parent().unwrap_or(Path::new(""));
            let dir = match made.as_deref_mut() {
                Some(made) => self.make_dirs(parent, made)?,
                None => self.open_dir(parent)?,
            };
            let target = match links {
                LinkMode::Follow => read_link(&dir, name)?,
                LinkMode::Keep => None,
            };
            match target {
                Some(target) => path = self.relative(&parent.join(target))?,
                None => {
                    let name = Some(name.to_owned());
                    return Ok(Place { dir, name });
                }
            }
        }
        Err(Errno::LOOP.into())
    }

    /// Opens a directory for use as a base of other calls; it cannot be read itself.
    pub(super) fn open_dir(&self, path: &Path) -> Result<OwnedFd, Miss> {
        let path = self.relative(path)?;
        let path = or_dot(&path);
        match self.bounds {
            Bounds::None => {
                let opened = rustix::fs::openat(&self.dir, path, DIRECTORY, Mode::empty());
                opened.map_err(Miss::from)
            }
            Bounds::Beneath => {
                let flags = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                match rustix::fs::openat2(&self.dir, path, DIRECTORY, Mode::empty(), flags) {
                    Ok(dir) => Ok(dir),
                    // Refused, or not there (an old kernel, a filter of system calls): the kernel
                    // also refuses absolute links that stay inside.
                    Err(
                        Errno::XDEV
                        | Errno::LOOP
                        | Errno::NOSYS
                        | Errno::PERM
                        | Errno::AGAIN
                        | Errno::INVAL,
                    ) => self.walk(path),
                    Err(errno) => Err(errno.into()),
                }
            }
            #[cfg(test)]
            Bounds::BeneathByWalk => self.walk(path),
        }
    }

    /// Opens a directory and makes it and its parents where they are missing.
    pub(super) fn make_dirs(&self, path: &Path, made: &mut Made) -> Result<OwnedFd, Miss> {
        let path = self.relative(path)?;
        match self.open_dir(&path) {
            Err(Miss::Errno(Errno::NOENT)) => {}
            done => return done,
        }
        let name = path.file_name().ok_or(Errno::NOENT)?;
        let parent = self.make_dirs(path.parent().unwrap_or(Path::new("")), made)?;
        let fresh = match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        let dir = rustix::fs::openat(&parent, name, flags, Mode::empty())?;
        if fresh {
            made.0.push((parent, name.to_owned()));
        }
        Ok(dir)
    }

    /// The path relative to the directory.
    fn relative(&self, path: &Path) -> Result<PathBuf, Miss> {
        if path.is_relative() || self.bounds == Bounds::None {
            return Ok(path.to_owned());
        }
        let inside = self
            .names
            .iter()
            .find_map(|name| path.strip_prefix(name).ok());
        inside.map(Path::to_owned).ok_or(Miss::Escapes)
    }

    /// Resolves component by component without ever following a link by itself. The directories
    /// that were passed stay open, so `..` leads back to where the walk came from.
    fn walk(&self, path: &Path) -> Result<OwnedFd, Miss> {
        // The limit of the kernel for paths that it resolves itself.
        if path.as_os_str().len() >= PATH_BYTES {
            return Err(Errno::NAMETOOLONG.into());
        }
        let mut pending: VecDeque<OsString> = components(path);
        let mut passed: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(next) = pending.pop_front() {
            if next == ".." {
                passed.pop().ok_or(Miss::Escapes)?;
                continue;
            }
            let here = passed.last().unwrap_or(&self.dir);
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let found = rustix::fs::openat(here, &next, flags, Mode::empty())?;
            match FileType::from_raw_mode(Facts::of(&found)?.mode) {
                FileType::Directory => passed.push(found),
                FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = rustix::fs::readlinkat(&found, "", Vec::new())?;
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    if target.is_absolute() {
                        passed.clear();
                    }
                    let mut first = components(&self.relative(&target)?);
                    first.append(&mut pending);
                    pending = first;
                }
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        match passed.pop() {
            Some(dir) => Ok(dir),
            None => Ok(rustix::fs::openat(
                &self.dir,
                ".",
                DIRECTORY,
                Mode::empty(),
            )?),
        }
    }
}

/// The target of a link; `None` if the entry is no link or not there.
pub(super) fn read_link(dir: impl AsFd, name: &OsStr) -> Result<Option<PathBuf>, Errno> {
    match rustix::fs::readlinkat(dir, name, Vec::new()) {
        Ok(target) => Ok(Some(OsString::from_vec(target.into_bytes()).into())),
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

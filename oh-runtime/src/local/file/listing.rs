//! Describing files and listing directories.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use oh_core::{FileKind, FileMeta, LinkMode, ListOptions, Listing, Result, SandboxPath};
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;

use super::call::Call;
use super::facts::Facts;
use super::job::Stop;
use super::open::open_at;
use super::tree::{MAX_LEVELS, read_link};
use super::version::version;
use super::volume::Volume;

impl Volume {
    pub(super) fn stat(&self, path: &SandboxPath, links: LinkMode) -> Result<FileMeta> {
        let call = Call::new("stat", path);
        let place = self.locate(path, links, &call)?;
        let facts = place.facts().map_err(|errno| call.errno(errno))?;
        let mut meta = facts.meta(self.visible(path));
        match facts.kind() {
            FileKind::File => {
                // A file that may not be read has no mark.
                if let Ok(mut opened) = open_at(&place, &call)
                    && let Ok(hash) = opened.hash()
                {
                    meta.version = Some(version(&opened.facts, hash));
                }
            }
            FileKind::Symlink => {
                let name = place.file_name(&call)?;
                meta.link_target = target_of(&place.dir, name);
            }
            _ => {}
        }
        Ok(meta)
    }

    pub(super) fn list(
        &self,
        path: &SandboxPath,
        options: &ListOptions,
        stop: &Stop,
    ) -> Result<Listing> {
        let call = Call::new("list", path);
        if options.depth == 0 {
            return Err(call.invalid("the depth is at least 1"));
        }
        let dir = self.open_readable_dir(path, &call)?;
        let mut lister = Lister {
            found: BTreeMap::new(),
            limit: options.limit,
            truncated: false,
            stop,
        };
        let base = self.visible(path);
        let level = Level {
            prefix: base.as_str().trim_end_matches('/').as_bytes().to_vec(),
            depth: options.depth.min(DEEPEST),
            is_whole: options.depth <= DEEPEST,
        };
        lister
            .walk(&dir, &level)
            .map_err(|errno| call.errno(errno))?;
        Ok(Listing::new(
            lister.found.into_values().collect(),
            lister.truncated,
        ))
    }
}

/// Levels of a listing.
const DEEPEST: u32 = MAX_LEVELS as u32;

/// Keeps the first entries in the order of their paths.
struct Lister<'a> {
    found: BTreeMap<Vec<u8>, FileMeta>,
    limit: usize,
    truncated: bool,
    stop: &'a Stop,
}

struct Level {
    prefix: Vec<u8>,
    depth: u32,
    /// No more levels were asked for than are gone down.
    is_whole: bool,
}

impl Lister<'_> {
    fn walk(&mut self, dir: &OwnedFd, level: &Level) -> Result<(), Errno> {
        for name in names(dir)? {
            if self.stop.is_set() {
                return Ok(());
            }
            let mut path = level.prefix.clone();
            path.push(b'/');
            path.extend_from_slice(name.as_bytes());
            if !self.fits(&path) {
                // What is below comes later still.
                self.truncated = true;
                continue;
            }
            let facts = match Facts::at(dir, &name) {
                Ok(facts) => facts,
                // It went away in between.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            };
            self.keep(path.clone(), meta(dir, &name, &path, &facts));
            if facts.kind() != FileKind::Directory {
                continue;
            }
            if level.depth == 1 {
                self.truncated |= !level.is_whole;
            } else {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = Level {
                    prefix: path,
                    depth: level.depth - 1,
                    is_whole: level.is_whole,
                };
                match rustix::fs::openat(dir, &name, flags, Mode::empty()) {
                    Ok(opened) => match self.walk(&opened, &below) {
                        // It may be read, but not searched.
                        Err(Errno::ACCESS) => self.truncated = true,
                        walked => walked?,
                    },
                    Err(Errno::NOENT | Errno::NOTDIR) => {}
                    // The directory itself is listed; what it holds is not known.
                    Err(Errno::ACCESS) => self.truncated = true,
                    Err(errno) => return Err(errno),
                }
            }
        }
        Ok(())
    }

    fn fits(&self, path: &[u8]) -> bool {
        self.found.len() < self.limit
            || self
                .found
                .last_key_value()
                .is_some_and(|(last, _)| path < last.as_slice())
    }

    fn keep(&mut self, path: Vec<u8>, meta: FileMeta) {
        self.found.insert(path, meta);
        if self.found.len() > self.limit {
            self.found.pop_last();
            self.truncated = true;
        }
    }
}

fn meta(dir: &OwnedFd, name: &OsStr, path: &[u8], facts: &Facts) -> FileMeta {
    let mut meta = facts.meta(shown_path(path));
    if facts.kind() == FileKind::Symlink {
        meta.link_target = target_of(dir, name);
    }
    if name.to_str().is_none() {
        meta.raw_name = Some(name.as_bytes().to_vec());
    }
    meta
}

fn target_of(dir: &OwnedFd, name: &OsStr) -> Option<String> {
    let target = read_link(dir, name).ok().flatten()?;
    Some(target.to_string_lossy().into_owned())
}

/// A path of the file system as text; what is no UTF-8 becomes U+FFFD.
pub(super) fn shown_path(path: &[u8]) -> SandboxPath {
    let text = String::from_utf8_lossy(path);
    // Longer than a path may be: the end tells more than the beginning.
    SandboxPath::new(&*text).unwrap_or_else(|_| {
        let keep = SandboxPath::MAX_BYTES - 8;
        let mut from = text.len().saturating_sub(keep);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        let tail = text.get(from..).unwrap_or_default();
        SandboxPath::new(format!("…/{tail}")).unwrap_or_else(|_| SandboxPath::workspace())
    })
}

/// The names in a directory, sorted by their bytes.
pub(super) fn names(dir: impl AsFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort_unstable();
    Ok(names)
}

//! Walking a tree by the rules of ignore files.

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use oh_core::{FileKind, IgnoreRules, LinkMode, Result, SandboxPath};
use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::call::Call;
use super::facts::Facts;
use super::glob::is_bounded;
use super::job::Stop;
use super::listing::shown_path;
use super::open::open_at;
use super::tree::{Bounds, MAX_LEVELS, Place, Tree};
use super::volume::Volume;

/// Ignore files of one directory, the strongest first.
const IGNORE_FILES: [&str; 3] = [".ignore", ".gitignore", ".git/info/exclude"];

/// Largest ignore file that is obeyed.
const IGNORE_BYTES: u64 = 1 << 20;

/// A directory whose entries can be opened, for a walk.
const READABLE: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Where a search begins.
#[derive(Debug)]
pub(super) struct Root {
    /// The file, if the search is in one file.
    pub(super) file: Option<Place>,
    shown: SandboxPath,
    dir: Option<OwnedFd>,
    /// Path of the directory, from the workspace.
    below_workspace: PathBuf,
}

/// What a walk comes by: everything but directories.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) dir: &'a OwnedFd,
    pub(super) name: &'a OsStr,
    /// From where the search began.
    pub(super) relative: &'a Path,
    pub(super) is_link: bool,
}

impl Root {
    /// The path of an entry as commands see it.
    pub(super) fn shown(&self, relative: &Path) -> SandboxPath {
        if self.file.is_some() {
            return self.shown.clone();
        }
        let mut path = self
            .shown
            .as_str()
            .trim_end_matches('/')
            .as_bytes()
            .to_vec();
        path.push(b'/');
        path.extend_from_slice(relative.as_os_str().as_bytes());
        shown_path(&path)
    }
}

impl Volume {
    pub(super) fn search_root(&self, root: &SandboxPath, call: &Call) -> Result<Root> {
        let place = self.locate(root, LinkMode::Follow, call)?;
        let facts = place.facts().map_err(|errno| call.errno(errno))?;
        let shown = self.visible(root);
        if facts.kind() != FileKind::Directory {
            return Ok(Root {
                file: Some(place),
                shown,
                dir: None,
                below_workspace: PathBuf::new(),
            });
        }
        let dir = place.open_dir().map_err(|errno| call.errno(errno))?;
        let below_workspace = real_path(&dir)
            .and_then(|path| {
                let below = path.strip_prefix(self.workspace.as_str()).ok()?;
                Some(below.to_owned())
            })
            .unwrap_or_default();
        Ok(Root {
            file: None,
            shown,
            dir: Some(dir),
            below_workspace,
        })
    }

    /// Walks in the order of the paths as texts. Links are found, not followed. Answers whether a
    /// directory could not be read.
    pub(super) fn walk(
        &self,
        root: &Root,
        rules: IgnoreRules,
        stop: &Stop,
        visit: &mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Errno> {
        let Some(dir) = &root.dir else {
            return Ok(false);
        };
        let mut walker = Walker {
            rules,
            stop,
            visit,
            ignores: Vec::new(),
            level: 0,
            left_out: false,
        };
        if rules == IgnoreRules::Respect {
            let above = root.below_workspace.ancestors().skip(1);
            for above in above.collect::<Vec<_>>().into_iter().rev() {
                if let Ok(dir) = self.tree.open_dir(above) {
                    walker.ignores.push(read_ignores(&dir, above));
                }
            }
        }
        let _ = walker.enter(dir, Path::new(""), &root.below_workspace)?;
        Ok(walker.left_out)
    }
}

struct Walker<'a> {
    rules: IgnoreRules,
    stop: &'a Stop,
    visit: &'a mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
    /// Of each directory on the way, outermost first.
    ignores: Vec<Vec<Gitignore>>,
    /// Directories below the start.
    level: usize,
    left_out: bool,
}

impl Walker<'_> {
    fn enter(
        &mut self,
        dir: &OwnedFd,
        relative: &Path,
        below_workspace: &Path,
    ) -> Result<ControlFlow<()>, Errno> {
        let entries = entries(dir)?;
        if self.rules == IgnoreRules::Respect {
            self.ignores.push(read_ignores(dir, below_workspace));
        }
        for (name, kind) in &entries {
            if self.stop.is_set() {
                return Ok(ControlFlow::Break(()));
            }
            let below_workspace = below_workspace.join(name);
            let is_dir = *kind == FileType::Directory;
            if self.is_ignored(name, &below_workspace, is_dir) {
                continue;
            }
            let relative = relative.join(name);
            let flow = match kind {
                FileType::Directory => self.descend(dir, name, &relative, &below_workspace)?,
                FileType::RegularFile | FileType::Symlink => (self.visit)(&Found {
                    dir,
                    name,
                    relative: &relative,
                    is_link: *kind == FileType::Symlink,
                }),
                _ => ControlFlow::Continue(()),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        if self.rules == IgnoreRules::Respect {
            self.ignores.pop();
        }
        Ok(ControlFlow::Continue(()))
    }

    fn descend(
        &mut self,
        dir: &OwnedFd,
        name: &OsStr,
        relative: &Path,
        below_workspace: &Path,
    ) -> Result<ControlFlow<()>, Errno> {
        if self.level == MAX_LEVELS {
            self.left_out = true;
            return Ok(ControlFlow::Continue(()));
        }
        let below = rustix::fs::openat(dir, name, READABLE, Mode::empty());
        let walked = below.and_then(|below| {
            self.level += 1;
            let flow = self.enter(&below, relative, below_workspace);
            self.level -= 1;
            flow
        });
        match walked {
            Ok(flow) => Ok(flow),
            // One that may be read but not searched fails with the first of its entries.
            Err(Errno::ACCESS) => {
                self.left_out = true;
                Ok(ControlFlow::Continue(()))
            }
            // It went away or was replaced in between.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(ControlFlow::Continue(())),
            Err(errno) => Err(errno),
        }
    }

    /// The innermost rule that says something wins; without one, hidden entries are ignored.
    fn is_ignored(&self, name: &OsStr, below_workspace: &Path, is_dir: bool) -> bool {
        if self.rules == IgnoreRules::Off {
            return false;
        }
        let path = rooted(below_workspace);
        for rules in self.ignores.iter().rev().flatten() {
            match rules.matched(&path, is_dir) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        name.as_bytes().starts_with(b".")
    }
}

/// Reads ignore files through the same door as all other files: a pipe or a device of such a name
/// must not hold up a search.
fn read_ignores(dir: impl AsFd, below_workspace: &Path) -> Vec<Gitignore> {
    let Ok(dir) = rustix::fs::openat(dir, ".", READABLE, Mode::empty()) else {
        return Vec::new();
    };
    let tree = Tree::new(dir, Vec::new(), Bounds::Beneath);
    let call = Call::about("read", "ignore file");
    let rules = IGNORE_FILES.iter().filter_map(|name| {
        let place = tree.locate(Path::new(name), LinkMode::Follow).ok()?;
        let mut opened = open_at(&place, &call).ok()?;
        if opened.facts.size > IGNORE_BYTES {
            return None;
        }
        let content = opened.read_at_most(IGNORE_BYTES).ok()?;
        let content = String::from_utf8_lossy(&content);
        let mut rules = GitignoreBuilder::new(rooted(below_workspace));
        let lines = content.trim_start_matches('\u{feff}').lines();
        for line in lines.filter(|line| is_bounded(line)) {
            // A rule that cannot be read is passed over, as git does.
            let _ = rules.add_line(None, line);
        }
        rules.build().ok()
    });
    rules.collect()
}

/// The matchers compare absolute paths; the workspace stands for the root.
fn rooted(below_workspace: &Path) -> PathBuf {
    Path::new("/").join(below_workspace)
}

/// Names and kinds, sorted so that a walk comes by paths in the order of their texts: a directory
/// counts with the slash that follows its name.
fn entries(dir: &OwnedFd) -> Result<Vec<(OsString, FileType)>, Errno> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match Facts::at(dir, &name) {
                Ok(facts) => FileType::from_raw_mode(facts.mode),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            },
            kind => kind,
        };
        entries.push((name, kind));
    }
    entries.sort_by(|a, b| key(a).cmp(key(b)));
    Ok(entries)
}

fn key((name, kind): &(OsString, FileType)) -> impl Iterator<Item = u8> + '_ {
    let slash = (*kind == FileType::Directory).then_some(b'/');
    name.as_bytes().iter().copied().chain(slash)
}

/// Where a descriptor of a directory leads now.
fn real_path(dir: &OwnedFd) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    std::fs::read_link(format!("/proc/self/fd/{}", dir.as_raw_fd())).ok()
}

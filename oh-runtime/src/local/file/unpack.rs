//! Reading a tar archive into a directory, and nowhere else.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use oh_core::{CopyOptions, CopySummary, Error, ErrorKind, FileKind, LinkMode, Result};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use tar::{Archive, Entry};

use super::call::Call;
use super::entry::{Attributes, clean, damaged, kind_name, shown};
use super::facts::Facts;
use super::pipe::PipeReader;
use super::sparse::{CopyFault, copy_with_holes};
use super::staged::Staged;
use super::tree::{Bounds, Made, Miss, Tree};

/// Bytes of headers before an entry: long names and extended attributes.
const HEADER_BYTES: u64 = 1 << 20;

/// Size of the reads and writes of file content.
const BUFFER_BYTES: usize = 256 << 10;

/// Unpacks into a directory. No entry is written through a link that leads out of it.
pub(super) fn unpack(
    target: OwnedFd,
    source: PipeReader,
    options: CopyOptions,
    call: &Call,
) -> Result<CopySummary> {
    let meter = Rc::new(Meter::default());
    let mut archive = Archive::new(Metered {
        source,
        meter: Rc::clone(&meter),
    });
    let mut unpacker = Unpacker {
        tree: Tree::new(target, Vec::new(), Bounds::Beneath),
        call,
        options,
        summary: CopySummary::default(),
        entries: 0,
        bytes: 0,
        dirs: Vec::new(),
        parent: None,
        buffer: vec![0; BUFFER_BYTES],
    };
    let mut entries = archive.entries().map_err(|error| damaged(call, &error))?;
    loop {
        meter.headers_left.set(Some(HEADER_BYTES));
        let Some(entry) = entries.next() else {
            break;
        };
        let mut entry = entry.map_err(|error| damaged(call, &error))?;
        meter.headers_left.set(None);
        unpacker.entry(&mut entry)?;
    }
    if meter.at_end.get() {
        return Err(call.invalid("the archive ends before its end mark; it was cut off"));
    }
    unpacker.finish()
}

/// Watches the bytes that the reader of the archive takes.
#[derive(Debug, Default)]
struct Meter {
    /// Bytes that may be read until the next entry begins; no limit within an entry.
    headers_left: Cell<Option<u64>>,
    /// The source gave all that it had.
    at_end: Cell<bool>,
}

struct Metered {
    source: PipeReader,
    meter: Rc<Meter>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.meter.at_end.set(true);
        }
        if let Some(left) = self.meter.headers_left.get() {
            // The reader of the archive keeps whole headers in memory.
            let left = left.checked_sub(count as u64).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "headers of more than 1 MiB")
            })?;
            self.meter.headers_left.set(Some(left));
        }
        Ok(count)
    }
}

struct Unpacker<'a> {
    tree: Tree,
    call: &'a Call,
    options: CopyOptions,
    summary: CopySummary,
    entries: u64,
    /// Bytes of the entries, also of those whose content is thrown away.
    bytes: u64,
    /// Modes and times of directories, set when nothing more is written into them.
    dirs: Vec<(PathBuf, Attributes)>,
    /// The directory of the last entry: most entries follow a sibling.
    parent: Option<(PathBuf, OwnedFd)>,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<()> {
        let kind = entry.header().entry_type();
        self.count(1, entry.size())?;
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let name = entry.path_bytes().into_owned();
        let call = self.call.on(shown(&name));
        let path = clean(&name).map_err(|reason| call.invalid(reason))?;
        let attributes = Attributes::of(entry, &call)?;
        let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
        // Old archives mark a directory by the slash alone.
        if kind.is_dir() || (is_file && name.ends_with(b"/")) {
            return self.directory(path, attributes, &call);
        }
        let Some(file_name) = path.file_name() else {
            return Err(call.invalid("an entry without a name that is no directory"));
        };
        let parent_path = path.parent().unwrap_or(Path::new(""));
        let parent = self.open_parent(parent_path, &call)?;
        if is_file {
            self.file(entry, &parent, file_name, &attributes, &call)?;
        } else if kind.is_hard_link() {
            let target = entry.link_name_bytes().unwrap_or_default().into_owned();
            self.hard_link(&target, &parent, file_name, &call)?;
        } else if kind.is_symlink() {
            let target = entry.link_name_bytes().unwrap_or_default().into_owned();
            self.symlink(&target, &parent, file_name, &attributes, &call)?;
        } else {
            return Err(call.invalid(format!(
                "{}; only files, directories and links are copied",
                kind_name(kind)
            )));
        }
        // A link may have taken the place of what the path led through.
        let kept = (!kind.is_symlink()).then(|| (parent_path.to_owned(), parent));
        self.parent = kept;
        Ok(())
    }

    /// Checks the limits before anything is written.
    fn count(&mut self, entries: u64, bytes: u64) -> Result<()> {
        self.entries = self.entries.saturating_add(entries);
        self.bytes = self.bytes.saturating_add(bytes);
        let CopyOptions {
            max_entries,
            max_bytes,
            ..
        } = self.options;
        let limit = if self.entries > max_entries {
            format!("{max_entries} entries")
        } else if self.bytes > max_bytes {
            format!("{max_bytes} bytes")
        } else {
            return Ok(());
        };
        Err(self.call.error(
            ErrorKind::TooLarge,
            format!("more than the {limit} that are allowed; copy less, or raise the limit"),
        ))
    }

    fn open_parent(&mut self, path: &Path, call: &Call) -> Result<OwnedFd> {
        if let Some((known, dir)) = self.parent.take()
            && known == path
        {
            return Ok(dir);
        }
        let mut made = Made::default();
        let dir = self.tree.make_dirs(path, &mut made);
        // Directories that no entry names count, too.
        self.count(made.count(), 0)?;
        dir.map_err(|miss| refused(miss, call))
    }

    fn directory(&mut self, path: PathBuf, attributes: Attributes, call: &Call) -> Result<()> {
        self.summary.directories += 1;
        let Some(name) = path.file_name() else {
            // The target itself: it stays as it is.
            return Ok(());
        };
        let parent_path = path.parent().unwrap_or(Path::new(""));
        let parent = self.open_parent(parent_path, call)?;
        let private = Mode::from_raw_mode(0o700);
        match rustix::fs::mkdirat(&parent, name, private) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let there = self.tree.open_dir(&path);
                there.map_err(|miss| refused(miss, call))?;
            }
            Err(errno) => return Err(call.errno(errno)),
        }
        self.parent = Some((parent_path.to_owned(), parent));
        self.dirs.push((path, attributes));
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        parent: &OwnedFd,
        name: &OsStr,
        attributes: &Attributes,
        call: &Call,
    ) -> Result<()> {
        let size = entry.size();
        let errno = |errno| call.errno(errno);
        let (staged, file) = Staged::file(parent).map_err(errno)?;
        let copied = copy_with_holes(entry, &file, &mut self.buffer);
        let copied = copied.map_err(|fault| match fault {
            CopyFault::Source(error) => damaged(call, &error),
            CopyFault::Target(error) => call.io(error),
        })?;
        if copied != size {
            return Err(call.invalid(format!(
                "the archive was cut off: {copied} of {size} bytes of the entry are there"
            )));
        }
        attributes.set(&file).map_err(errno)?;
        staged.replace(name).map_err(errno)?;
        self.summary.files += 1;
        self.summary.bytes = self.summary.bytes.saturating_add(size);
        Ok(())
    }

    fn hard_link(
        &mut self,
        target: &[u8],
        parent: &OwnedFd,
        name: &OsStr,
        call: &Call,
    ) -> Result<()> {
        let shown = shown(target);
        let target = clean(target)
            .map_err(|reason| call.invalid(format!("a hard link to `{shown}`: {reason}")))?;
        let missing = || {
            call.invalid(format!(
                "a hard link to `{shown}`, which is no file of the archive"
            ))
        };
        let place = match self.tree.locate(&target, LinkMode::Keep) {
            Err(Miss::Errno(Errno::NOENT | Errno::NOTDIR)) => return Err(missing()),
            place => place.map_err(|miss| refused(miss, call))?,
        };
        let Some(target_name) = place.name else {
            return Err(missing());
        };
        match Facts::at(&place.dir, &target_name) {
            Ok(facts) if facts.kind() == FileKind::File => {}
            _ => return Err(missing()),
        }
        let made = Staged::make(parent, |dir, name| {
            rustix::fs::linkat(&place.dir, &target_name, dir, name, AtFlags::empty())
        });
        let (staged, ()) = made.map_err(|errno| call.errno(errno))?;
        staged.replace(name).map_err(|errno| call.errno(errno))?;
        self.summary.files += 1;
        Ok(())
    }

    /// Makes the link as it is, wherever it leads: links are data, as long as nothing is written
    /// through them.
    fn symlink(
        &mut self,
        target: &[u8],
        parent: &OwnedFd,
        name: &OsStr,
        attributes: &Attributes,
        call: &Call,
    ) -> Result<()> {
        if target.is_empty() || target.contains(&0) {
            return Err(call.invalid("a link to an empty path or one with a NUL byte"));
        }
        let errno = |errno| call.errno(errno);
        let made = Staged::make(parent, |dir, name| rustix::fs::symlinkat(target, dir, name));
        let (staged, ()) = made.map_err(errno)?;
        staged.set_link_times(&attributes.times).map_err(errno)?;
        staged.replace(name).map_err(errno)?;
        self.summary.symlinks += 1;
        Ok(())
    }

    /// Sets modes and times of directories, the innermost first.
    fn finish(mut self) -> Result<CopySummary> {
        // Of several entries for one directory, the last one counts: the sort is stable.
        self.dirs.sort_by(|(a, _), (b, _)| b.cmp(a));
        for (path, attributes) in &self.dirs {
            let call = self.call.on(path.to_string_lossy());
            let dir = self.tree.open_dir(path);
            let dir = dir.map_err(|miss| refused(miss, &call))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(&dir, ".", flags, Mode::empty())
                .and_then(|dir| attributes.set(&File::from(dir)))
                .map_err(|errno| call.errno(errno))?;
        }
        Ok(self.summary)
    }
}

fn refused(miss: Miss, call: &Call) -> Error {
    match miss {
        Miss::Escapes => {
            call.invalid("the entry would be written through a link that leads out of the target")
        }
        Miss::Errno(Errno::NOTDIR) => call.error(
            ErrorKind::NotADirectory,
            "something that is no directory stands in the way",
        ),
        Miss::Errno(errno) => call.errno(errno),
    }
}

//! Writing a tree as a tar archive.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oh_core::{ByteStream, CopyOptions, Error, ErrorKind, FileKind, LinkMode, Result, SandboxPath};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::call::Call;
use super::facts::Facts;
use super::listing::names;
use super::open::{Opened, open_at};
use super::pipe::{PipeWriter, pipe};
use super::sparse::{Segments, data_segments, describe};
use super::tree::{MAX_LEVELS, Place, read_link};
use super::volume::Volume;

/// What is packed.
#[derive(Debug)]
pub(super) enum Source {
    /// The entries of a directory.
    Dir(OwnedFd),
    /// One file, under this name.
    File(Opened, OsString),
}

impl Source {
    /// Takes the directory or file that stands at a place.
    pub(super) fn at(place: &Place, name: &OsStr, call: &Call) -> Result<Self> {
        let facts = place.facts().map_err(|errno| call.errno(errno))?;
        if facts.kind() == FileKind::Directory {
            let dir = place.open_dir().map_err(|errno| call.errno(errno))?;
            return Ok(Self::Dir(dir));
        }
        Ok(Self::File(open_at(place, call)?, name.to_owned()))
    }
}

impl Volume {
    pub(super) fn pack_source(&self, path: &SandboxPath, call: &Call) -> Result<Source> {
        let place = self.locate(path, LinkMode::Follow, call)?;
        let name = path.file_name().unwrap_or("file");
        Source::at(&place, OsStr::new(name), call)
    }
}

/// Packs on the blocking pool. Dropping the stream ends the work.
pub(super) fn pack(source: Source, options: CopyOptions, call: Call) -> ByteStream {
    let (writer, stream) = pipe();
    tokio::task::spawn_blocking(move || {
        let mut packer = Packer {
            archive: Builder::new(writer),
            links: HashMap::new(),
            entries: 0,
            bytes: 0,
            level: 0,
            options,
            call,
        };
        if let Err(error) = packer.run(source) {
            packer.archive.get_mut().fail(error);
        }
    });
    stream
}

struct Packer {
    archive: Builder<PipeWriter>,
    /// Where a file with several names was packed, by device and inode.
    links: HashMap<(u64, u64), PathBuf>,
    entries: u64,
    bytes: u64,
    /// Directories below the source.
    level: usize,
    options: CopyOptions,
    call: Call,
}

impl Packer {
    fn run(&mut self, source: Source) -> Result<()> {
        match source {
            Source::Dir(dir) => self.dir(&dir, Path::new(""))?,
            Source::File(opened, name) => self.file(&opened, Path::new(&name))?,
        }
        self.archive
            .finish()
            .and_then(|()| self.archive.get_mut().flush())
            .map_err(|error| self.call.io(error))
    }

    fn dir(&mut self, dir: &OwnedFd, path: &Path) -> Result<()> {
        let listed = names(dir).map_err(|errno| self.at(path).errno(errno))?;
        for name in listed {
            let path = path.join(&name);
            let facts = match Facts::at(dir, &name) {
                Ok(facts) => facts,
                // It went away in between.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(self.at(&path).errno(errno)),
            };
            self.entry(dir, &name, &path, &facts)?;
        }
        Ok(())
    }

    fn entry(&mut self, dir: &OwnedFd, name: &OsStr, path: &Path, facts: &Facts) -> Result<()> {
        match facts.kind() {
            FileKind::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = match rustix::fs::openat(dir, name, flags, Mode::empty()) {
                    Ok(below) => below,
                    Err(Errno::NOENT) => return Ok(()),
                    Err(errno) => return Err(self.at(path).errno(errno)),
                };
                let mut with_slash = path.as_os_str().to_owned();
                with_slash.push("/");
                let header = header(facts, EntryType::Directory);
                self.append(header, Path::new(&with_slash), io::empty())?;
                if self.level == MAX_LEVELS {
                    return Err(self.too_large(&format!("{MAX_LEVELS} levels of directories")));
                }
                self.level += 1;
                self.dir(&below, path)?;
                self.level -= 1;
                Ok(())
            }
            FileKind::Symlink => {
                let target = read_link(dir, name).map_err(|errno| self.at(path).errno(errno))?;
                match target {
                    Some(target) => self.link(facts, EntryType::Symlink, path, &target),
                    None => Ok(()),
                }
            }
            FileKind::File => {
                let id = (facts.dev, facts.ino);
                if let Some(first) = self.links.get(&id).cloned() {
                    return self.link(facts, EntryType::Link, path, &first);
                }
                let place = Place {
                    dir: dir.try_clone().map_err(|error| self.at(path).io(error))?,
                    name: Some(name.to_owned()),
                };
                let opened = match open_at(&place, &self.at(path)) {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                    opened => opened?,
                };
                // Of the file that is read: it may have replaced the one that was looked at.
                let facts = &opened.facts;
                if facts.nlink > 1 {
                    self.links.insert((facts.dev, facts.ino), path.to_owned());
                }
                self.file(&opened, path)
            }
            // Pipes, sockets and devices have no content to copy.
            _ => Ok(()),
        }
    }

    /// Writes as many bytes as the header announces, whatever happens to the file meanwhile.
    fn file(&mut self, opened: &Opened, path: &Path) -> Result<()> {
        let facts = &opened.facts;
        self.bytes = self.bytes.saturating_add(facts.size);
        if self.bytes > self.options.max_bytes {
            return Err(self.too_large(&format!("{} bytes", self.options.max_bytes)));
        }
        if let Some(segments) = data_segments(&opened.file, facts) {
            let mut header = header(facts, EntryType::GNUSparse);
            let more = describe(&mut header, facts.size, &segments);
            let data = more.chain(Segments::new(&opened.file, segments));
            return self.append(header, path, data);
        }
        let mut header = header(facts, EntryType::Regular);
        header.set_size(facts.size);
        let data = Segments::new(&opened.file, vec![(0, facts.size)]);
        self.append(header, path, data)
    }

    /// The target is kept byte for byte, which the methods of the builder would not do.
    fn link(&mut self, facts: &Facts, kind: EntryType, path: &Path, target: &Path) -> Result<()> {
        let mut header = header(facts, kind);
        let target = target.as_os_str().as_bytes();
        let capacity = header.as_old().linkname.len();
        if target.len() > capacity {
            let mut long = Header::new_gnu();
            long.set_entry_type(EntryType::GNULongLink);
            long.set_size(target.len() as u64 + 1);
            long.set_mode(0o644);
            let named = long.set_path("././@LongLink");
            long.set_cksum();
            let data = target.chain(&[0_u8][..]);
            named
                .and_then(|()| self.archive.append(&long, data))
                .map_err(|error| self.at(path).io(error))?;
        }
        let start = target.get(..capacity).unwrap_or(target);
        header
            .set_link_name_literal(start)
            .map_err(|error| self.at(path).io(error))?;
        self.append(header, path, io::empty())
    }

    fn append(&mut self, mut header: Header, path: &Path, data: impl Read) -> Result<()> {
        self.entries += 1;
        if self.entries > self.options.max_entries {
            return Err(self.too_large(&format!("{} entries", self.options.max_entries)));
        }
        let appended = self.archive.append_data(&mut header, path, data);
        appended.map_err(|error| self.at(path).io(error))
    }

    fn at(&self, path: &Path) -> Call {
        self.call.on(path.to_string_lossy())
    }

    fn too_large(&self, limit: &str) -> Error {
        let detail =
            format!("more than the {limit} that are allowed; copy less, or raise the limit");
        self.call.error(ErrorKind::TooLarge, detail)
    }
}

fn header(facts: &Facts, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(facts.permissions());
    header.set_uid(facts.uid.into());
    header.set_gid(facts.gid.into());
    match u64::try_from(facts.mtime.0) {
        Ok(seconds) => header.set_mtime(seconds),
        // The format has a time before 1970 as a binary number of 96 bits.
        Err(_) => {
            let field = &mut header.as_old_mut().mtime;
            *field = [0xff; 12];
            for (slot, byte) in field.iter_mut().rev().zip(facts.mtime.0.to_le_bytes()) {
                *slot = byte;
            }
        }
    }
    header.set_size(0);
    header
}

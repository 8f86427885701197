//! Opening regular files, and nothing else.

use std::fs::File;
use std::io::{self, Read, Seek};

use oh_core::{ErrorKind, FileKind, LinkMode, Result, SandboxPath};
use rustix::fs::{Mode, OFlags};

use super::call::Call;
use super::facts::Facts;
use super::tree::Place;
use super::version::{ContentHash, HASHED_BYTES};
use super::volume::Volume;

/// A regular file that is open for reading.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) facts: Facts,
}

impl Volume {
    /// Opens the regular file that a path leads to.
    pub(super) fn open_file(&self, path: &SandboxPath, call: &Call) -> Result<Opened> {
        open_at(&self.locate(path, LinkMode::Follow, call)?, call)
    }
}

/// Opens the regular file at a place. Pipes and devices are refused without being opened: opening
/// one can block or change it, and reading one need not end.
pub(super) fn open_at(place: &Place, call: &Call) -> Result<Opened> {
    let name = place.file_name(call)?;
    check_regular(&place.facts().map_err(|errno| call.errno(errno))?, call)?;
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&place.dir, name, flags, Mode::empty())
        .map_err(|errno| call.errno(errno))?;
    // It may have been replaced in between.
    let facts = Facts::of(&file).map_err(|errno| call.errno(errno))?;
    check_regular(&facts, call)?;
    Ok(Opened {
        file: file.into(),
        facts,
    })
}

pub(super) fn check_regular(facts: &Facts, call: &Call) -> Result<()> {
    match facts.kind() {
        FileKind::File => Ok(()),
        FileKind::Directory => Err(call.kind(ErrorKind::IsADirectory)),
        FileKind::Symlink => Err(call.error(
            ErrorKind::Conflict,
            "the file was replaced by a link during the call",
        )),
        _ => Err(call.invalid("a pipe, socket or device, not a regular file")),
    }
}

impl Opened {
    /// Hash of the whole content, from the beginning; the position is at the beginning afterwards.
    pub(super) fn hash(&mut self) -> io::Result<Option<u64>> {
        if self.facts.size > HASHED_BYTES {
            return Ok(None);
        }
        let mut hash = ContentHash::new();
        let mut buffer = vec![0; 64 << 10];
        let mut limited = (&self.file).take(HASHED_BYTES + 1);
        loop {
            let count = limited.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hash.push(buffer.get(..count).unwrap_or_default());
        }
        self.file.rewind()?;
        Ok(hash.finish())
    }

    /// Reads to the end, or one byte more than allowed.
    pub(super) fn read_at_most(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let mut content = room_for(self.facts.size.min(bytes).saturating_add(1))?;
        (&self.file)
            .take(bytes.saturating_add(1))
            .read_to_end(&mut content)?;
        Ok(content)
    }
}

/// A file may claim any size. Memory that cannot be had is an error, not the end of the process.
pub(super) fn room_for(bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let reserved = usize::try_from(bytes).is_ok_and(|len| content.try_reserve_exact(len).is_ok());
    if reserved {
        Ok(content)
    } else {
        Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("there is no memory for {bytes} bytes; read a part, or a stream"),
        ))
    }
}

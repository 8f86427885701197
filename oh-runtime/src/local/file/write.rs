//! Writing files whole or not at all.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use oh_core::{
    Error, ErrorKind, FileKind, FileMeta, FileVersion, LinkMode, Parents, Result, SandboxPath,
    WriteMode, WriteOptions,
};
use rustix::fs::{Access, AtFlags, Mode};
use rustix::io::Errno;

use super::call::Call;
use super::facts::Facts;
use super::open::{check_regular, open_at};
use super::pipe::PipeReader;
use super::staged::{ForeignOwner, Staged, keep_attributes, keep_owner};
use super::tree::{Made, Place};
use super::version::{ContentHash, version};
use super::volume::Volume;

/// Permission bits of a new file.
const NEW_FILE: u32 = 0o644;

/// Where the bytes come from.
pub(super) enum Content {
    Whole(Bytes),
    Piped { pipe: PipeReader, max_bytes: u64 },
}

/// What must be true of the target when the new content takes its name.
#[derive(Clone, Copy)]
pub(super) enum Expected<'a> {
    Anything,
    Nothing,
    Version(&'a FileVersion),
    /// Neither replaced nor changed since.
    Same(&'a Facts),
}

impl<'a> Expected<'a> {
    fn of(mode: &'a WriteMode, call: &Call) -> Result<Self> {
        match mode {
            WriteMode::CreateOrReplace => Ok(Self::Anything),
            WriteMode::CreateNew => Ok(Self::Nothing),
            WriteMode::IfVersion(version) => Ok(Self::Version(version)),
            other => Err(call.invalid(format!("the mode {other:?} is not known here"))),
        }
    }
}

impl Volume {
    pub(super) fn write(
        &self,
        path: &SandboxPath,
        content: Content,
        options: &WriteOptions,
        call: &Call,
    ) -> Result<(FileMeta, u64)> {
        let expected = Expected::of(&options.mode, call)?;
        let mut made = Made::default();
        let target = Path::new(path.as_str());
        let place = match options.parents {
            Parents::Create => self.tree.locate_making(target, &mut made),
            Parents::Require => self.tree.locate(target, LinkMode::Follow),
        };
        let written = place.map_err(|miss| call.miss(miss)).and_then(|place| {
            if matches!(expected, Expected::Nothing) {
                self.refuse_link(path, call)?;
            }
            self.write_at(&place, content, expected, options.permissions, call)
        });
        match written {
            Ok((facts, hash)) => {
                let mut meta = facts.meta(self.visible(path));
                meta.version = Some(version(&facts, hash));
                Ok((meta, facts.size))
            }
            Err(error) => {
                made.undo();
                Err(error)
            }
        }
    }

    /// Refuses a link where a new file is wanted: what it points to may be missing, but there is
    /// something, as `O_EXCL` has it.
    pub(super) fn refuse_link(&self, path: &SandboxPath, call: &Call) -> Result<()> {
        let place = self.tree.locate(Path::new(path.as_str()), LinkMode::Keep);
        // Whatever else is wrong with the path shows in the next steps.
        match place.map(|place| place.facts()) {
            Ok(Ok(facts)) if facts.kind() == FileKind::Symlink => {
                Err(call.kind(ErrorKind::AlreadyExists))
            }
            _ => Ok(()),
        }
    }

    fn write_at(
        &self,
        place: &Place,
        content: Content,
        expected: Expected<'_>,
        permissions: Option<u32>,
        call: &Call,
    ) -> Result<(Facts, Option<u64>)> {
        let key = place.key(call)?;
        // Checked now, to fail before any work, and once more under the lock.
        look(place, &expected, call)?;
        let (staged, file) = Staged::file(&place.dir).map_err(|errno| call.errno(errno))?;
        let hash = fill(&file, content, call)?;
        let _lock = self.lock(&key);
        let facts = finish(place, staged, &file, &expected, permissions, call)?;
        Ok((facts, hash))
    }

    /// Writes under a lock that the caller holds.
    pub(super) fn write_locked(
        place: &Place,
        bytes: &[u8],
        expected: &Expected<'_>,
        call: &Call,
    ) -> Result<Facts> {
        let (staged, mut file) = Staged::file(&place.dir).map_err(|errno| call.errno(errno))?;
        file.write_all(bytes).map_err(|error| call.io(error))?;
        finish(place, staged, &file, expected, None, call)
    }
}

fn fill(mut file: &File, content: Content, call: &Call) -> Result<Option<u64>> {
    let mut hash = ContentHash::new();
    match content {
        Content::Whole(bytes) => {
            hash.push(&bytes);
            file.write_all(&bytes).map_err(|error| call.io(error))?;
        }
        Content::Piped {
            mut pipe,
            max_bytes,
        } => {
            let mut total = 0_u64;
            while let Some(piece) = pipe.next_piece().map_err(|error| call.io(error))? {
                total = total.saturating_add(piece.len() as u64);
                if total > max_bytes {
                    return Err(call.error(
                        ErrorKind::TooLarge,
                        format!("more than the {max_bytes} bytes that are allowed"),
                    ));
                }
                hash.push(&piece);
                file.write_all(&piece).map_err(|error| call.io(error))?;
            }
        }
    }
    Ok(hash.finish())
}

/// Gives the new file its attributes and its name.
fn finish(
    place: &Place,
    staged: Staged<'_>,
    file: &File,
    expected: &Expected<'_>,
    permissions: Option<u32>,
    call: &Call,
) -> Result<Facts> {
    let name = place.file_name(call)?;
    let old = look(place, expected, call)?;
    let errno = |errno| call.errno(errno);
    let mut bits = NEW_FILE;
    if let Some(old) = &old {
        bits = old.permissions() & 0o777;
        if let Err(ForeignOwner(uid)) = keep_owner(file, old).map_err(errno)? {
            return Err(call.error(
                ErrorKind::PermissionDenied,
                format!("the file belongs to user {uid}, and only root could keep it so"),
            ));
        }
    }
    // After the owner: a change of owner clears bits.
    let bits = Mode::from_raw_mode(permissions.unwrap_or(bits) & 0o7777);
    rustix::fs::fchmod(file, bits).map_err(errno)?;
    if let Some(old) = old
        && let Ok(opened) = open_at(place, call)
        && opened.facts.ino == old.ino
    {
        keep_attributes(file, &opened.file);
        if let Some(bits) = permissions {
            // An access control list changes the bits of the group.
            rustix::fs::fchmod(file, Mode::from_raw_mode(bits & 0o7777)).map_err(errno)?;
        }
    }
    let named = match expected {
        Expected::Nothing => staged.create(name),
        _ => staged.replace(name),
    };
    named.map_err(errno)?;
    Facts::of(file).map_err(errno)
}

/// Looks at the target and checks what is expected of it.
fn look(place: &Place, expected: &Expected<'_>, call: &Call) -> Result<Option<Facts>> {
    let name = place.file_name(call)?;
    let found = match Facts::at(&place.dir, name) {
        Ok(facts) => Some(facts),
        Err(Errno::NOENT) => None,
        Err(errno) => return Err(call.errno(errno)),
    };
    if let (Expected::Nothing, Some(_)) = (expected, &found) {
        return Err(call.kind(ErrorKind::AlreadyExists));
    }
    if let Some(facts) = &found {
        check_regular(facts, call)?;
        check_writable(place, name, call)?;
    }
    match (expected, &found) {
        (Expected::Version(_) | Expected::Same(_), None) => Err(changed(call, "was removed")),
        (Expected::Same(known), Some(facts)) if !facts.is_unchanged_since(known) => {
            Err(changed(call, "changed"))
        }
        (Expected::Version(wanted), Some(_)) => {
            let mut opened = open_at(place, call)?;
            let hash = opened.hash().map_err(|error| call.io(error))?;
            if version(&opened.facts, hash) != **wanted {
                return Err(changed(call, "changed"));
            }
            Ok(found)
        }
        _ => Ok(found),
    }
}

/// A file that its mode protects against writing is not replaced either.
fn check_writable(place: &Place, name: &OsStr, call: &Call) -> Result<()> {
    let flags = AtFlags::EACCESS;
    match rustix::fs::accessat(&place.dir, name, Access::WRITE_OK, flags) {
        Err(errno @ (Errno::ACCESS | Errno::ROFS)) => Err(call.errno(errno)),
        // Whatever else is wrong shows in the next steps.
        _ => Ok(()),
    }
}

fn changed(call: &Call, how: &str) -> Error {
    call.error(
        ErrorKind::Conflict,
        format!("the file {how} since it was read; read it again"),
    )
}

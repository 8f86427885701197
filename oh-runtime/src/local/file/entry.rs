//! What an entry of an archive says of itself.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use oh_core::{Error, Result};
use rustix::fs::{Mode, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use tar::{Entry, EntryType};

use super::call::Call;

/// Characters of an entry's name in an error.
const NAME_CHARS: usize = 200;

#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) mode: Mode,
    pub(super) times: Timestamps,
}

impl Attributes {
    pub(super) fn of<R: Read>(entry: &mut Entry<'_, R>, call: &Call) -> Result<Self> {
        let fault = |error: io::Error| damaged(call, &error);
        // Set-user-id, set-group-id and sticky bits are not taken from an archive.
        let mode = Mode::from_raw_mode(entry.header().mode().map_err(fault)? & 0o777);
        let seconds = entry.header().mtime().map_err(fault)?;
        let mut changed = Timespec {
            // The reader gives the bits of a binary number, and one before 1970 is negative.
            tv_sec: seconds.cast_signed(),
            tv_nsec: 0,
        };
        if let Some(extensions) = entry.pax_extensions().map_err(fault)? {
            for extension in extensions {
                let extension = extension.map_err(fault)?;
                let (key, value) = (extension.key_bytes(), extension.value_bytes());
                if key.starts_with(b"GNU.sparse.") {
                    return Err(call.invalid(
                        "a sparse file in a form that is not read; pack it in the GNU format",
                    ));
                }
                if key == b"mtime"
                    && let Some(precise) = parse_time(value)
                {
                    changed = precise;
                }
            }
        }
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: changed,
        };
        Ok(Self { mode, times })
    }

    pub(super) fn set(&self, file: &File) -> Result<(), Errno> {
        rustix::fs::fchmod(file, self.mode)?;
        rustix::fs::futimens(file, &self.times)
    }
}

/// The path below the target.
pub(super) fn clean(name: &[u8]) -> Result<PathBuf, &'static str> {
    if name.starts_with(b"/") {
        return Err("an absolute path; the entries of an archive are relative");
    }
    if name.contains(&0) {
        return Err("a path with a NUL byte");
    }
    let mut path = PathBuf::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("a path with `..`, which could leave the target"),
            part => path.push(OsString::from_vec(part.to_vec())),
        }
    }
    Ok(path)
}

pub(super) fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    match name.char_indices().nth(NAME_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.into_owned(),
    }
}

/// Decimal seconds with a fraction, negative before 1970.
fn parse_time(value: &[u8]) -> Option<Timespec> {
    let value = std::str::from_utf8(value).ok()?;
    let (negative, value) = match value.strip_prefix('-') {
        Some(value) => (true, value),
        None => (false, value),
    };
    let (seconds, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let nanos: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let seconds: i64 = seconds.parse().ok()?;
    let nanos: i64 = nanos.parse().ok()?;
    let (tv_sec, tv_nsec) = match (negative, nanos) {
        (false, _) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        // The fraction counts forward.
        (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
    };
    Some(Timespec { tv_sec, tv_nsec })
}

pub(super) fn kind_name(kind: EntryType) -> String {
    match kind {
        EntryType::Char | EntryType::Block => "a device".to_owned(),
        EntryType::Fifo => "a named pipe".to_owned(),
        other => format!("an entry of the kind {:?}", char::from(other.as_byte())),
    }
}
pub(super) fn damaged(call: &Call, error: &io::Error) -> Error {
    call.invalid(format!("not a whole tar archive: {error}"))
}

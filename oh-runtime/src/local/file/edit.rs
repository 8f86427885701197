//! Edits of text files, and taking them back.

use std::path::Path;

use oh_core::edit::{Edit, EditError, EditOutput};
use oh_core::{Error, ErrorKind, LinkMode, Result, SandboxPath};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::call::Call;
use super::facts::Facts;
use super::open::open_at;
use super::read::{read_whole, too_large};
use super::text::{Decoded, Style, TextFault, decode, encode};
use super::tree::{Made, Place};
use super::version::ContentHash;
use super::volume::{PlaceKey, Volume};
use super::write::Expected;

/// Largest file that is edited.
const MAX_BYTES: u64 = 16 << 20;

/// A file as it is before the edit.
struct Before {
    bytes: Vec<u8>,
    facts: Facts,
}

impl Volume {
    pub(super) fn edit(&self, path: &SandboxPath, edit: &Edit) -> Result<EditOutput> {
        let call = Call::new("edit", path);
        let mut made = Made::default();
        let target = Path::new(path.as_str());
        let place = match edit {
            Edit::Create { .. } => self.tree.locate_making(target, &mut made),
            _ => self.tree.locate(target, LinkMode::Follow),
        };
        let edited = place.map_err(|miss| call.miss(miss)).and_then(|place| {
            if matches!(edit, Edit::Create { .. }) {
                self.refuse_link(path, &call)?;
            }
            let key = place.key(&call)?;
            let _lock = self.lock(&key);
            match edit {
                Edit::Undo => self.take_back(path, &place, &key, &call),
                _ => self.apply(path, &place, &key, edit, &call),
            }
        });
        if edited.is_err() {
            made.undo();
        }
        edited
    }

    fn apply(
        &self,
        path: &SandboxPath,
        place: &Place,
        key: &PlaceKey,
        edit: &Edit,
        call: &Call,
    ) -> Result<EditOutput> {
        let before = read(place, call)?;
        let (style, text) = match &before {
            Some(before) => {
                let decoded = decode_losslessly(&before.bytes, call)?;
                (decoded.style, Some(decoded.text))
            }
            None => (Style::UTF_8, None),
        };
        let edited = edit
            .apply(text.as_deref())
            .map_err(|error| refused(error, call))?;
        let bytes = encode(&edited.text, style).map_err(|fault| unfit(fault, call))?;
        if bytes.len() as u64 > MAX_BYTES {
            // It could neither be edited again nor taken back.
            return Err(too_large(
                call,
                "the edited file would have",
                bytes.len() as u64,
                MAX_BYTES,
            ));
        }
        let expected = match &before {
            Some(before) => Expected::Same(&before.facts),
            None => Expected::Nothing,
        };
        Self::write_locked(place, &bytes, &expected, call)?;
        let previous = before.map(|before| before.bytes);
        self.undo()
            .push_marked(&place.history(key), previous, mark(&bytes));
        Ok(EditOutput::new(self.visible(path), text, edited))
    }

    fn take_back(
        &self,
        path: &SandboxPath,
        place: &Place,
        key: &PlaceKey,
        call: &Call,
    ) -> Result<EditOutput> {
        let now = read(place, call)?;
        let history = place.history(key);
        let nothing = || refused(EditError::NothingToUndo, call);
        let edited = self.undo().mark(&history).ok_or_else(nothing)?;
        if now.as_ref().map(|now| mark(&now.bytes)) != Some(edited) {
            return Err(call.error(
                ErrorKind::Conflict,
                "the file is not as the latest edit left it; read it and edit it as it is now",
            ));
        }
        let previous = self.undo().pop(&history).ok_or_else(nothing)?;
        let expected = match &now {
            Some(now) => Expected::Same(&now.facts),
            None => Expected::Nothing,
        };
        let restored = match (&previous, &now) {
            (Some(bytes), _) => Self::write_locked(place, bytes, &expected, call).map(|_| ()),
            (None, Some(_)) => place.file_name(call).and_then(|name| {
                rustix::fs::unlinkat(&place.dir, name, AtFlags::empty())
                    .map_err(|errno| call.errno(errno))
            }),
            (None, None) => Ok(()),
        };
        if let Err(error) = restored {
            self.undo().push_marked(&history, previous, edited);
            return Err(error);
        }
        Ok(EditOutput::restored(
            self.visible(path),
            now.map(|now| shown(&now.bytes)),
            previous.map(|bytes| shown(&bytes)),
        ))
    }
}

fn read(place: &Place, call: &Call) -> Result<Option<Before>> {
    match place.facts() {
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(call.errno(errno)),
        Ok(_) => {}
    }
    let mut opened = match open_at(place, call) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let bytes = read_whole(&mut opened, MAX_BYTES, call)?;
    Ok(Some(Before {
        bytes,
        facts: opened.facts,
    }))
}

/// Some encodings have several spellings of one text. A file whose spelling would change outside
/// of the edit is refused.
fn decode_losslessly(bytes: &[u8], call: &Call) -> Result<Decoded> {
    let decoded = decode(bytes).map_err(|fault| unfit(fault, call))?;
    let again = encode(&decoded.text, decoded.style).map_err(|fault| unfit(fault, call))?;
    if again != bytes {
        let encoding = decoded.style.encoding.name();
        return Err(call.invalid(format!(
            "the file seems to be {encoding} and would not keep its bytes; write it whole"
        )));
    }
    Ok(decoded)
}

fn mark(bytes: &[u8]) -> u64 {
    // Nothing that is edited is larger than what is hashed.
    ContentHash::of(bytes).unwrap_or_default()
}

/// For the report of an undo only, which also restores files that are no text.
fn shown(bytes: &[u8]) -> String {
    match decode(bytes) {
        Ok(decoded) => decoded.text,
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn refused(error: EditError, call: &Call) -> Error {
    call.error(error.kind(), error.to_string())
        .with_source(error)
}

fn unfit(fault: TextFault, call: &Call) -> Error {
    call.invalid(fault.to_string()).with_source(fault)
}

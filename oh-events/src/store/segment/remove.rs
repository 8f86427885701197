//! Removing a session.

use std::path::Path;

use oh_core::{Error, ErrorKind, Result, SessionId};

use super::aside::{self, Purpose};
use super::{contents, directory, holder_file};

/// Takes the session's name away first, so that a crash leaves all of it or none.
pub(super) fn remove(root: &Path, session: &SessionId) -> Result<()> {
    const OPERATION: &str = "remove session";
    let failed = |error| Error::io(OPERATION, error).with_object(session.as_str());
    let refused = |kind| Error::new(kind, OPERATION).with_object(session.as_str());
    let interrupted = aside::sweep(root).map_err(failed)?;
    let path = root.join(session.as_str());
    let Some(_held) = holder_file::keep_out(&path, session)? else {
        return match interrupted.iter().any(|name| name == session.as_str()) {
            true => Ok(()),
            false => Err(refused(ErrorKind::NotFound)),
        };
    };
    if path.symlink_metadata().map_err(failed)?.is_symlink() {
        return Err(refused(ErrorKind::Conflict)
            .with_detail("it is a link; remove the session that it leads to, and the link"));
    }
    if let Some(name) = contents::foreign(&path).map_err(failed)? {
        return Err(refused(ErrorKind::Conflict).with_detail(format!(
            "{name} is no file of a session; move it away and remove the session again"
        )));
    }
    let aside = aside::name(root, Purpose::Removed, session);
    std::fs::rename(&path, &aside).map_err(failed)?;
    directory::sync(root);
    contents::remove(&aside).map_err(failed)
}

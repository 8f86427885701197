//! What a call is about, for its errors.

use std::borrow::Cow;
use std::io;

use oh_core::{Error, ErrorKind, SandboxPath};
use rustix::io::Errno;

use super::tree::Miss;

/// Operation and object of a call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    operation: &'static str,
    object: String,
}

impl Call {
    pub(super) fn new(operation: &'static str, path: &SandboxPath) -> Self {
        Self::about(operation, path.as_str())
    }

    pub(super) fn about(operation: &'static str, object: impl Into<String>) -> Self {
        Self {
            operation,
            object: object.into(),
        }
    }

    /// The same operation on another object, such as an entry of an archive.
    pub(super) fn on(&self, object: impl Into<String>) -> Self {
        Self::about(self.operation, object)
    }

    pub(super) fn error(&self, kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Error {
        Error::new(kind, self.operation)
            .with_object(self.object.clone())
            .with_detail(detail)
    }

    pub(super) fn invalid(&self, detail: impl Into<Cow<'static, str>>) -> Error {
        self.error(ErrorKind::InvalidInput, detail)
    }

    /// An error of its kind without further words.
    pub(super) fn kind(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.operation).with_object(self.object.clone())
    }

    pub(super) fn io(&self, error: io::Error) -> Error {
        if let Some(errno) = Errno::from_io_error(&error) {
            return self.errno(errno);
        }
        Error::io(self.operation, error).with_object(self.object.clone())
    }

    pub(super) fn errno(&self, errno: Errno) -> Error {
        let special = match errno {
            Errno::LOOP => Some((
                ErrorKind::InvalidInput,
                "too many symbolic links on the way",
            )),
            Errno::NAMETOOLONG => Some((
                ErrorKind::InvalidInput,
                "a name on the path is too long for the file system",
            )),
            Errno::ISDIR => Some((ErrorKind::IsADirectory, "is a directory")),
            Errno::NOTEMPTY => Some((ErrorKind::AlreadyExists, "the directory is not empty")),
            Errno::XDEV => Some((
                ErrorKind::InvalidInput,
                "source and target are on different file systems; copy and remove instead",
            )),
            Errno::BUSY | Errno::TXTBSY => Some((ErrorKind::Conflict, "it is in use")),
            Errno::ROFS => Some((
                ErrorKind::PermissionDenied,
                "the file system is mounted read-only",
            )),
            Errno::PERM => Some((ErrorKind::PermissionDenied, "operation not permitted")),
            Errno::MFILE | Errno::NFILE => Some((
                ErrorKind::LimitExceeded,
                "too many open files; raise the limit or do less at a time",
            )),
            _ => None,
        };
        match special {
            Some((kind, detail)) => self.error(kind, detail).with_source(io::Error::from(errno)),
            None => self.general(errno),
        }
    }

    fn general(&self, errno: Errno) -> Error {
        let error = Error::io(self.operation, errno.into()).with_object(self.object.clone());
        match error.kind() {
            // The phrase of these kinds says all that the text of the system says.
            kind @ (ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::NoSpace) => self.kind(kind).with_source(io::Error::from(errno)),
            _ => error,
        }
    }

    pub(super) fn miss(&self, miss: Miss) -> Error {
        match miss {
            Miss::Errno(errno) => self.errno(errno),
            Miss::Escapes => self.invalid(
                "the path leaves the workspace; use a path below it, or start the runtime with \
                 the file scope `Anywhere`",
            ),
        }
    }
}

//! What the system says of a file.

use std::ffi::OsStr;
use std::os::fd::AsFd;

use oh_core::{FileKind, FileMeta, SandboxPath, Timestamp};
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;

/// The fields of `stat(2)` that are used here, in one width on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) nlink: u64,
    /// Type and permission bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) blocks: u64,
    /// Seconds and nanoseconds.
    pub(super) mtime: (i64, i64),
    pub(super) ctime: (i64, i64),
}

impl Facts {
    /// Of an open file.
    pub(super) fn of(file: impl AsFd) -> Result<Self, Errno> {
        rustix::fs::fstat(file).map(|stat| Self::from_stat(&stat))
    }

    /// Of an entry; a link is not followed.
    pub(super) fn at(dir: impl AsFd, name: &OsStr) -> Result<Self, Errno> {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Self::from_stat(&stat))
    }

    #[allow(
        clippy::unnecessary_cast,
        reason = "the widths of the fields differ from machine to machine"
    )]
    fn from_stat(stat: &Stat) -> Self {
        Self {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            nlink: stat.st_nlink as u64,
            mode: stat.st_mode as u32,
            uid: stat.st_uid as u32,
            gid: stat.st_gid as u32,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            blocks: stat.st_blocks as u64,
            mtime: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    /// The same file with the same content and attributes. Blocks do not count: many file systems
    /// hand them out some time after the write.
    pub(super) fn is_unchanged_since(&self, known: &Self) -> bool {
        let mark = |facts: &Self| (facts.dev, facts.ino, facts.size, facts.mtime, facts.ctime);
        mark(self) == mark(known)
    }

    pub(super) fn kind(&self) -> FileKind {
        match FileType::from_raw_mode(self.mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Directory,
            FileType::Symlink => FileKind::Symlink,
            _ => FileKind::Other,
        }
    }

    pub(super) fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    pub(super) fn meta(&self, path: SandboxPath) -> FileMeta {
        let kind = self.kind();
        let size = match kind {
            FileKind::File | FileKind::Symlink => self.size,
            _ => 0,
        };
        let mut meta = FileMeta::new(path, kind, size);
        meta.mode = Some(self.permissions());
        meta.uid = Some(self.uid);
        meta.gid = Some(self.gid);
        let micros = self.mtime.0.saturating_mul(1_000_000);
        meta.modified = Some(Timestamp::from_micros(
            micros.saturating_add(self.mtime.1 / 1000),
        ));
        meta
    }
}

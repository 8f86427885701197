//! Files that hold parts of a stream.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// A part of the stream in a file of its own. Dropping a whole file frees its space on every file
/// system, and a reader that holds it goes on undisturbed.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) file: Arc<OwnedFd>,
}

impl Segment {
    /// Makes an empty one.
    pub(super) fn create(directory: &Path, start: u64) -> rustix::io::Result<Self> {
        Ok(Self {
            start,
            end: start,
            file: Arc::new(create(directory)?),
        })
    }

    /// The bytes from `from` to `to`, to be read without a lock.
    pub(super) fn stored(&self, from: u64, to: u64) -> Option<Stored> {
        Some(Stored {
            file: Arc::clone(&self.file),
            offset: from - self.start,
            length: usize::try_from(to - from).ok()?,
        })
    }

    /// Writes bytes that stand at `at` in the stream; gives the position after the last one that
    /// the file system took.
    pub(super) fn write(&self, mut bytes: &[u8], mut at: u64) -> u64 {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&*self.file, bytes, at - self.start) {
                Ok(count) if count > 0 => {
                    at += count as u64;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => break,
            }
        }
        at
    }
}

/// Bytes in a file.
#[derive(Debug)]
pub(super) struct Stored {
    file: Arc<OwnedFd>,
    offset: u64,
    length: usize,
}

impl Stored {
    /// Reads from the page cache; `None` if the file system fails.
    pub(super) fn read(&self) -> Option<Bytes> {
        let mut buffer = BytesMut::zeroed(self.length);
        let count = loop {
            match rustix::io::pread(&*self.file, &mut buffer[..], self.offset) {
                Err(Errno::INTR) => {}
                other => break other.ok()?,
            }
        };
        buffer.truncate(count);
        (count > 0).then(|| buffer.freeze())
    }

    /// Position after the bytes, if they start at `from`.
    pub(super) fn end(&self, from: u64) -> u64 {
        from + self.length as u64
    }
}

/// Makes a file without a name that only this process can reach.
fn create(directory: &Path) -> rustix::io::Result<OwnedFd> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mode = Mode::RUSR | Mode::WUSR;
    let nameless = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, directory, nameless, mode) {
        // What file systems answer that cannot do it.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
        other => return other,
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!(".oh-spool-{}-{number}", std::process::id()));
        match rustix::fs::openat(CWD, &path, flags, mode) {
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
            Ok(file) => {
                rustix::fs::unlinkat(CWD, &path, AtFlags::empty())?;
                return Ok(file);
            }
        }
    }
}

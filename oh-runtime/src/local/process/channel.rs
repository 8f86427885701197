//! Our end of a pipe or a terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::local::sys;

/// A non-blocking descriptor that is read and written when it is ready.
#[derive(Debug)]
pub(crate) struct Channel(AsyncFd<OwnedFd>);

impl Channel {
    /// Takes a descriptor over and makes it non-blocking. Other ends have flags of their own.
    pub(super) fn new(fd: OwnedFd, interest: Interest) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
        sys::watch(fd, interest).map(Self)
    }

    /// Waits until there may be something to be read. Whoever calls it again has read until
    /// there was nothing left.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }

    /// Waits until the other side may take something. Whoever calls it was just refused.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await?.clear_ready();
        Ok(())
    }

    /// Waits for bytes and appends them to what is in the buffer, within its capacity; 0 at the
    /// end.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|fd| read(fd.get_ref(), buffer)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// As [`read`](Self::read) for what is there now; `None` if there is nothing and the end is not
    /// reached.
    pub(crate) fn read_now(&self, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
        loop {
            match read(self.0.get_ref(), buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all bytes, and waits while the other side does not read.
    ///
    /// # Cancel safety
    /// A part may have been written when the future is dropped.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
                Ok(Ok(count)) => bytes = bytes.get(count..).unwrap_or_default(),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }
}

/// A terminal whose other side nobody holds any more answers `EIO`; that is its end.
fn read(fd: &OwnedFd, buffer: &mut Vec<u8>) -> io::Result<usize> {
    match rustix::io::read(fd, spare_capacity(buffer)) {
        Ok(count) => Ok(count),
        Err(Errno::IO) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

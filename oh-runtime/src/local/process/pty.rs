//! Terminals for children.

use std::ffi::{CStr, CString};
use std::io;

use oh_core::PtySize;
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, Winsize,
};
use tokio::io::Interest;

use super::channel::Channel;

/// The master side of a terminal.
#[derive(Debug)]
pub(crate) struct Pty {
    master: Channel,
    slave_path: CString,
}

impl Pty {
    /// Opens a terminal of this size.
    pub(crate) fn open(size: PtySize) -> io::Result<Self> {
        let master =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let slave_path = rustix::pty::ptsname(&master, Vec::new())?;
        let master = Channel::new(master, Interest::READABLE | Interest::WRITABLE)?;
        let pty = Self { master, slave_path };
        pty.resize(size)?;
        Ok(pty)
    }

    /// What is typed and what is shown.
    pub(crate) fn channel(&self) -> &Channel {
        &self.master
    }

    /// Path of the device that the child opens.
    pub(crate) fn slave_path(&self) -> &CStr {
        &self.slave_path
    }

    /// Changes the size; the foreground group gets `SIGWINCH`.
    pub(crate) fn resize(&self, size: PtySize) -> io::Result<()> {
        let size = Winsize {
            ws_row: size.rows,
            ws_col: size.columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(rustix::termios::tcsetwinsize(&self.master, size)?)
    }

    /// The flags of the terminal, as the child sees them.
    pub(crate) fn flags(&self) -> io::Result<Termios> {
        Ok(rustix::termios::tcgetattr(&self.master)?)
    }

    /// Has input not echoed, output passed on as it is, and Ctrl-S not stop it.
    pub(crate) fn make_plain(&self) -> io::Result<()> {
        let mut flags = self.flags()?;
        flags.input_modes.remove(InputModes::IXON);
        flags.output_modes.remove(OutputModes::OPOST);
        flags
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHOE | LocalModes::ECHOK | LocalModes::ECHONL);
        self.set_flags(&flags)
    }

    /// Sets the flags at once.
    pub(crate) fn set_flags(&self, flags: &Termios) -> io::Result<()> {
        Ok(rustix::termios::tcsetattr(
            &self.master,
            OptionalActions::Now,
            flags,
        )?)
    }

    /// The byte that ends input, where the terminal looks for one (canonical mode).
    pub(crate) fn end_of_input(&self) -> io::Result<Option<u8>> {
        let flags = self.flags()?;
        Ok(flags
            .local_modes
            .contains(LocalModes::ICANON)
            .then(|| flags.special_codes[SpecialCodeIndex::VEOF]))
    }

    /// The group in the foreground; `None` where there is none (any more).
    pub(crate) fn foreground_group(&self) -> Option<Pid> {
        rustix::termios::tcgetpgrp(&self.master).ok()
    }

    /// Signals the group in the foreground; `false` if there is none.
    pub(crate) fn signal_foreground(&self, signal: Signal) -> io::Result<bool> {
        let Some(group) = self.foreground_group() else {
            return Ok(false);
        };
        match rustix::process::kill_process_group(group, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

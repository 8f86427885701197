//! New content beside its target, until it takes the target's name.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, Timestamps, XattrFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use rustix::rand::GetRandomFlags;

use super::facts::Facts;

/// Start of the names of files that are being written.
pub(super) const PREFIX: &str = ".oh-";

/// A new entry under a hidden random name. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    dir: &'a OwnedFd,
    name: Option<OsString>,
}

impl<'a> Staged<'a> {
    /// Makes an entry under a name that is not taken.
    pub(super) fn make<T>(
        dir: &'a OwnedFd,
        mut make: impl FnMut(&OwnedFd, &OsStr) -> Result<T, Errno>,
    ) -> Result<(Self, T), Errno> {
        loop {
            let name = random_name()?;
            match make(dir, &name) {
                Ok(made) => {
                    let name = Some(name);
                    return Ok((Self { dir, name }, made));
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Makes an empty file that only its owner can open.
    pub(super) fn file(dir: &'a OwnedFd) -> Result<(Self, File), Errno> {
        Self::make(dir, |dir, name| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::openat(dir, name, flags, mode).map(File::from)
        })
    }

    /// Takes the place of what has this name, or makes it.
    pub(super) fn replace(mut self, target: &OsStr) -> Result<(), Errno> {
        if let Some(name) = self.name.take() {
            if let Err(errno) = rustix::fs::renameat(self.dir, &name, self.dir, target) {
                self.name = Some(name);
                return Err(errno);
            }
            // A rename onto another link to the same file does nothing and leaves the source.
            remove(self.dir, &name);
        }
        Ok(())
    }

    /// Takes a name that is free.
    pub(super) fn create(mut self, target: &OsStr) -> Result<(), Errno> {
        let Some(name) = self.name.take() else {
            return Ok(());
        };
        match rename_to_free(self.dir, &name, self.dir, target) {
            // The file system cannot do it in one step; a hard link also fails on a taken name.
            Err(Errno::INVAL | Errno::NOSYS) => {
                let linked =
                    rustix::fs::linkat(self.dir, &name, self.dir, target, AtFlags::empty());
                self.name = Some(name);
                linked
            }
            Err(errno) => {
                self.name = Some(name);
                Err(errno)
            }
            Ok(()) => Ok(()),
        }
    }

    pub(super) fn set_link_times(&self, times: &Timestamps) -> Result<(), Errno> {
        match &self.name {
            Some(name) => rustix::fs::utimensat(self.dir, name, times, AtFlags::SYMLINK_NOFOLLOW),
            None => Ok(()),
        }
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            remove(self.dir, name);
        }
    }
}

pub(super) fn rename_to_free(
    from_dir: &OwnedFd,
    from: &OsStr,
    to_dir: &OwnedFd,
    to: &OsStr,
) -> Result<(), Errno> {
    rustix::fs::renameat_with(from_dir, from, to_dir, to, RenameFlags::NOREPLACE)
}

fn remove(dir: &OwnedFd, name: &OsStr) {
    // Nothing can be done about a failure here.
    let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
}

fn random_name() -> Result<OsString, Errno> {
    let mut random = [0_u8; 8];
    rustix::rand::getrandom(&mut random, GetRandomFlags::empty())?;
    Ok(format!("{PREFIX}{:016x}", u64::from_ne_bytes(random)).into())
}

/// Why the owner of a replaced file cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ForeignOwner(pub(super) u32);

/// Gives a new file the owner and the extended attributes of the one that it replaces.
///
/// A group that cannot be kept is given up; an owner that cannot be kept is an error.
pub(super) fn keep_owner(new: &File, old: &Facts) -> Result<Result<(), ForeignOwner>, Errno> {
    let now = Facts::of(new)?;
    if (now.uid, now.gid) == (old.uid, old.gid) {
        return Ok(Ok(()));
    }
    let uid = (now.uid != old.uid).then(|| rustix::fs::Uid::from_raw(old.uid));
    let gid = Some(rustix::fs::Gid::from_raw(old.gid));
    match rustix::fs::fchown(new, uid, gid) {
        Ok(()) => Ok(Ok(())),
        Err(Errno::PERM) if uid.is_none() => Ok(Ok(())),
        Err(Errno::PERM | Errno::INVAL) if old.uid != geteuid().as_raw() => {
            Ok(Err(ForeignOwner(old.uid)))
        }
        Err(errno) => Err(errno),
    }
}

/// Copies access control lists, labels and the attributes of users. File capabilities are dropped,
/// as the kernel does on a write. What the file system does not take is left out.
pub(super) fn keep_attributes(new: &File, old: &File) {
    let mut names = vec![0_u8; 64 << 10];
    let Ok(length) = rustix::fs::flistxattr(old, &mut names) else {
        return;
    };
    let mut value = vec![0_u8; 64 << 10];
    for name in names
        .get(..length)
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .filter(|name| is_kept(name))
    {
        if let Ok(length) = rustix::fs::fgetxattr(old, name, &mut value) {
            let value = value.get(..length).unwrap_or_default();
            let _ = rustix::fs::fsetxattr(new, name, value, XattrFlags::empty());
        }
    }
}

fn is_kept(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name == b"system.posix_acl_access" || name == b"security.selinux"
}

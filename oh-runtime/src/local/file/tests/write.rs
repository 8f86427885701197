use std::os::unix::fs::{MetadataExt, PermissionsExt};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use oh_core::{
    Body, ByteStream, Error, ErrorKind, LinkMode, Parents, ReadOptions, RemoveMode, Result,
    WriteMode, WriteOptions,
};

use super::fixture::{Fixture, assert_refused, fixture, is_root, path, skipped, unprivileged};
use crate::local::file::{FileScope, LocalFiles};

fn mode_of(f: &Fixture, name: &str) -> u32 {
    let meta = f.workspace.join(name).metadata().unwrap();
    meta.permissions().mode() & 0o7777
}

fn set_mode(f: &Fixture, name: &str, bits: u32) {
    let permissions = std::fs::Permissions::from_mode(bits);
    std::fs::set_permissions(f.workspace.join(name), permissions).unwrap();
}

fn body(pieces: Vec<Result<&'static str>>) -> Body {
    let pieces = stream::iter(pieces);
    let stream: ByteStream = Box::pin(pieces.map(|piece| piece.map(Bytes::from)));
    Body::from(stream)
}

#[tokio::test]
async fn what_was_written_is_read_back() {
    let f = fixture();
    let options = WriteOptions::default();
    let meta = f
        .files
        .write(&path("new/dir/file"), Body::from("hello"), options)
        .await
        .unwrap();
    assert_eq!((meta.size_bytes, meta.mode), (5, Some(0o644)));
    let read = f
        .files
        .read(&path("new/dir/file"), ReadOptions::text())
        .await
        .unwrap();
    assert_eq!(read.text(), Some("hello"));
    assert_eq!(read.meta, meta);
    f.write("new/dir/file", "").await.unwrap();
    assert_eq!(f.bytes("new/dir/file"), b"");
}

#[tokio::test]
async fn a_stream_becomes_the_file_at_its_end() {
    let f = fixture();
    let pieces = vec![Ok("one "), Ok(""), Ok("two")];
    let options = WriteOptions::default();
    f.files
        .write(&path("file"), body(pieces), options)
        .await
        .unwrap();
    assert_eq!(f.bytes("file"), b"one two");
}

#[tokio::test]
async fn a_stream_that_fails_or_is_dropped_leaves_everything_as_it_was() {
    let f = fixture();
    f.put("file", "old");
    let before = f.snapshot();
    let failing = || {
        let error = Error::new(ErrorKind::Unavailable, "fetch").with_object("source");
        body(vec![Ok("half"), Err(error)])
    };
    for name in ["file", "new/dir/file"] {
        let write = f
            .files
            .write(&path(name), failing(), WriteOptions::default())
            .await;
        let error = assert_refused(write, ErrorKind::Unavailable);
        assert_eq!(error.operation(), "fetch");
        assert_eq!(f.snapshot(), before);
    }
    // Dropped while the source is silent: the blocking side cleans up by itself.
    let silent: ByteStream =
        Box::pin(stream::iter([Ok(Bytes::from("half"))]).chain(stream::pending()));
    let target = path("new/file");
    let mut write = Box::pin(
        f.files
            .write(&target, Body::from(silent), WriteOptions::default()),
    );
    let made = f.workspace.join("new");
    while !made.exists() {
        assert!(write.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(write);
    while made.exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(f.snapshot(), before);
}

#[tokio::test]
async fn write_modes_guard_what_is_there() {
    let f = fixture();
    f.put("file", "old");
    let write = |name: &'static str, mode, text: &'static str| {
        let files = f.files.clone();
        let options = WriteOptions::default().mode(mode);
        async move { files.write(&path(name), Body::from(text), options).await }
    };
    let exists = write("file", WriteMode::CreateNew, "new").await;
    assert_refused(exists, ErrorKind::AlreadyExists);
    write("other", WriteMode::CreateNew, "new").await.unwrap();
    let stat = f.files.stat(&path("file"), LinkMode::Follow).await.unwrap();
    let known = WriteMode::IfVersion(stat.version.unwrap());
    let next = write("file", known.clone(), "next").await.unwrap();
    assert_refused(
        write("file", known.clone(), "lost").await,
        ErrorKind::Conflict,
    );
    assert_refused(write("gone", known, "lost").await, ErrorKind::Conflict);
    write("file", WriteMode::IfVersion(next.version.unwrap()), "last")
        .await
        .unwrap();
    assert_eq!(f.bytes("file"), b"last");
    assert!(!f.workspace.join("gone").exists());
}

#[tokio::test]
async fn of_many_conditional_writers_one_wins() {
    let f = fixture();
    f.put("file", "old");
    let stat = f.files.stat(&path("file"), LinkMode::Follow).await.unwrap();
    let mode = WriteMode::IfVersion(stat.version.unwrap());
    let writes = (0..16).map(|n| {
        let (files, mode) = (f.files.clone(), mode.clone());
        tokio::spawn(async move {
            let options = WriteOptions::default().mode(mode);
            files
                .write(&path("file"), Body::from(format!("{n}")), options)
                .await
        })
    });
    let results = futures::future::join_all(writes).await;
    let (won, lost): (Vec<_>, Vec<_>) = results
        .into_iter()
        .map(Result::unwrap_done)
        .partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 15));
    for error in lost {
        assert_refused(error, ErrorKind::Conflict);
    }
}

trait Done<T> {
    fn unwrap_done(self) -> T;
}

impl<T> Done<T> for std::result::Result<T, tokio::task::JoinError> {
    fn unwrap_done(self) -> T {
        self.unwrap()
    }
}

#[tokio::test]
async fn mode_owner_and_attributes_stay_and_special_bits_do_not() {
    let f = fixture();
    let file = f.put("file", "old");
    let named = rustix::fs::setxattr(&file, "user.note", b"kept", rustix::fs::XattrFlags::empty());
    if is_root() {
        std::os::unix::fs::chown(&file, Some(1234), Some(2345)).unwrap();
    }
    set_mode(&f, "file", 0o6751);
    f.write("file", "new").await.unwrap();
    assert_eq!(mode_of(&f, "file"), 0o751);
    if is_root() {
        let meta = file.metadata().unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1234, 2345));
    }
    if named.is_ok() {
        let mut value = [0_u8; 16];
        let length = rustix::fs::getxattr(&file, "user.note", &mut value).unwrap();
        assert_eq!(&value[..length], b"kept");
    }
    let options = WriteOptions::default().permissions(0o4700);
    f.files
        .write(&path("file"), Body::from("x"), options)
        .await
        .unwrap();
    assert_eq!(mode_of(&f, "file"), 0o4700);
}

#[tokio::test]
async fn a_link_stays_and_its_target_is_written() {
    let f = fixture();
    f.put("dir/target", "old");
    f.link("dir/target", "link");
    f.link("dir/fresh", "dangling");
    f.write("link", "new").await.unwrap();
    f.write("dangling", "made").await.unwrap();
    assert!(f.workspace.join("link").is_symlink() && f.workspace.join("dangling").is_symlink());
    assert_eq!(f.bytes("dir/target"), b"new");
    assert_eq!(f.bytes("dir/fresh"), b"made");
}

#[tokio::test]
async fn targets_that_cannot_be_written_are_typed_errors() {
    let f = fixture();
    f.put("file", "x");
    std::fs::create_dir(f.workspace.join("dir")).unwrap();
    let before = f.snapshot();
    let require = WriteOptions::default().parents(Parents::Require);
    let write = f
        .files
        .write(&path("missing/file"), Body::from("x"), require)
        .await;
    assert_refused(write, ErrorKind::NotFound);
    assert_refused(f.write("dir", "x").await, ErrorKind::IsADirectory);
    assert_refused(f.write(".", "x").await, ErrorKind::IsADirectory);
    assert_refused(f.write("dir/..", "x").await, ErrorKind::IsADirectory);
    assert_refused(f.write("file/below", "x").await, ErrorKind::NotADirectory);
    assert_refused(f.write("new/../file/x", "x").await, ErrorKind::NotFound);
    assert_eq!(f.snapshot(), before);
}

#[test]
fn protected_files_and_directories_are_respected() {
    unprivileged(async |f| {
        f.put("dir/file", "old");
        set_mode(&f, "dir/file", 0o444);
        let before = f.snapshot();
        let denied = ErrorKind::PermissionDenied;
        assert_refused(f.write("dir/file", "x").await, denied);
        let edit = oh_core::edit::Edit::replace("old", "new");
        assert_refused(f.files.edit(&path("dir/file"), edit).await, denied);
        set_mode(&f, "dir/file", 0o644);
        set_mode(&f, "dir", 0o555);
        assert_refused(f.write("dir/file", "x").await, denied);
        assert_refused(f.write("dir/new", "x").await, denied);
        assert_refused(f.write("dir/deep/new", "x").await, denied);
        assert_refused(
            f.files.remove(&path("dir/file"), RemoveMode::Single).await,
            denied,
        );
        set_mode(&f, "dir", 0o755);
        assert_eq!(f.snapshot(), before);
    });
}

#[test]
fn a_file_of_someone_else_is_not_taken_over() {
    if !is_root() {
        return skipped("only root can give a file to someone else");
    }
    let outer = fixture();
    let file = outer.put("file", "old");
    set_mode(&outer, "file", 0o666);
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&outer.workspace, open.clone()).unwrap();
    std::fs::set_permissions(outer.workspace.parent().unwrap(), open).unwrap();
    let files = outer.files.clone();
    unprivileged(async move |_| {
        let write = files
            .write(&path("file"), Body::from("x"), WriteOptions::default())
            .await;
        let error = assert_refused(write, ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("user 0"), "{error}");
    });
    assert_eq!(outer.bytes("file"), b"old");
    assert_eq!(outer.snapshot().len(), 1);
    // A group that cannot be kept is given up.
    std::os::unix::fs::chown(&file, Some(65_534), Some(0)).unwrap();
    let files = outer.files.clone();
    unprivileged(async move |_| {
        files
            .write(&path("file"), Body::from("new"), WriteOptions::default())
            .await
            .unwrap();
    });
    assert_eq!(outer.bytes("file"), b"new");
    assert_eq!(file.metadata().unwrap().gid(), 65_534);
}

/// A small file system that is taken away at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "oh-test"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => return Some(Self(dir)),
            other => skipped(&format!("no small disk can be mounted: {other:?}")),
        }
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
    }
}

#[tokio::test]
async fn a_full_disk_leaves_the_file_as_it_was_and_recovers() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let files = LocalFiles::open(disk.0.path(), FileScope::Workspace).unwrap();
    std::fs::write(disk.0.path().join("file"), "old").unwrap();
    let before = super::fixture::snapshot(disk.0.path());
    let large = || Body::from(vec![1_u8; 2 << 20]);
    for name in ["file", "new/file"] {
        let write = files
            .write(&path(name), large(), WriteOptions::default())
            .await;
        assert_refused(write, ErrorKind::NoSpace);
        assert_eq!(super::fixture::snapshot(disk.0.path()), before);
    }
    let edit = oh_core::edit::Edit::replace("old", "y".repeat(2 << 20));
    assert_refused(files.edit(&path("file"), edit).await, ErrorKind::NoSpace);
    assert_eq!(super::fixture::snapshot(disk.0.path()), before);
    let fits = files
        .write(&path("file"), Body::from("new"), WriteOptions::default())
        .await;
    fits.unwrap();
}

#[test]
fn space_that_the_system_gives_later_is_no_change_of_a_file() {
    use crate::local::file::facts::Facts;
    let f = fixture();
    let file = std::fs::File::open(f.put("file", "x")).unwrap();
    let facts = Facts::of(&file).unwrap();
    let mut later = facts;
    later.blocks += 8;
    assert!(later.is_unchanged_since(&facts));
    later.ctime.1 += 1;
    assert!(!later.is_unchanged_since(&facts));
}

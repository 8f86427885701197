//! A workspace with something outside of it.

use std::path::{Path, PathBuf};

use oh_core::{Body, Error, ErrorKind, ReadOptions, Result, SandboxPath, WriteOptions};

use crate::local::file::{FileScope, LocalFiles};

pub(super) struct Fixture {
    pub(super) files: LocalFiles,
    pub(super) workspace: PathBuf,
    pub(super) outside: PathBuf,
    _dir: tempfile::TempDir,
}

pub(super) fn fixture() -> Fixture {
    with_scope(FileScope::Workspace)
}

pub(super) fn with_scope(scope: FileScope) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let (workspace, outside) = (root.join("ws"), root.join("outside"));
    std::fs::create_dir(&workspace).unwrap();
    std::fs::create_dir(&outside).unwrap();
    Fixture {
        files: LocalFiles::open(&workspace, scope).unwrap(),
        workspace,
        outside,
        _dir: dir,
    }
}

impl Fixture {
    pub(super) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.workspace.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn link(&self, target: impl AsRef<Path>, name: &str) {
        std::os::unix::fs::symlink(target, self.workspace.join(name)).unwrap();
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.workspace.join(name)).unwrap()
    }

    pub(super) async fn text(&self, name: &str) -> Result<String> {
        let output = self.files.read(&path(name), ReadOptions::text()).await?;
        Ok(output.text().unwrap().to_owned())
    }

    pub(super) async fn write(&self, name: &str, content: &'static str) -> Result<()> {
        let options = WriteOptions::default();
        let target = path(name);
        let written = self
            .files
            .write(&target, Body::from(content), options)
            .await;
        written.map(|_| ())
    }

    /// Every path of the workspace with its content, for "left as it was".
    pub(super) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        snapshot(&self.workspace)
    }
}

pub(super) fn snapshot(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            let content = if kind.is_dir() {
                pending.push(entry.path());
                b"directory".to_vec()
            } else if kind.is_symlink() {
                let target = std::fs::read_link(entry.path()).unwrap();
                target.into_os_string().into_encoded_bytes()
            } else if kind.is_file() {
                std::fs::read(entry.path()).unwrap()
            } else {
                b"special".to_vec()
            };
            found.push((entry.path(), content));
        }
    }
    found.sort();
    found
}

pub(super) fn path(text: &str) -> SandboxPath {
    SandboxPath::new(text).unwrap()
}

/// The error has this kind and names operation and object.
#[track_caller]
pub(super) fn assert_refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.expect_err("should have been refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.object().is_some(), "no object: {error}");
    assert!(!error.operation().is_empty());
    error
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Works in a thread that is bound by modes and owners, also where the tests run as root.
pub(super) fn unprivileged<F: Future<Output = ()>>(
    work: impl FnOnce(Fixture) -> F + Send + 'static,
) {
    use rustix::fs::{Gid, Uid};
    use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

    let f = fixture();
    let nobody = 65_534;
    if is_root() {
        for dir in [f.workspace.parent().unwrap(), &f.workspace, &f.outside] {
            std::os::unix::fs::chown(dir, Some(nobody), Some(nobody)).unwrap();
        }
    }
    let thread = std::thread::spawn(move || {
        if is_root() {
            // Of this thread and of those that it starts only.
            set_thread_groups(&[]).unwrap();
            set_thread_gid(Gid::from_raw(nobody)).unwrap();
            set_thread_uid(Uid::from_raw(nobody)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(work(f));
    });
    thread.join().unwrap();
}

/// Says that the machine lacks what a test needs. Where every test has to run, that is a failure.
#[track_caller]
pub(super) fn skipped(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "not run, because {reason}"
    );
    println!("skipped, because {reason}");
}

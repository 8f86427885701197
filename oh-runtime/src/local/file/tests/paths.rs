use std::path::{Path, PathBuf};

use oh_core::{ErrorKind, LinkMode, ReadOptions, RemoveMode, RenameMode};
use proptest::prelude::*;

use super::fixture::{assert_refused, fixture, path, with_scope};
use crate::local::file::FileScope;
use crate::local::file::tree::{Bounds, Miss, Tree};

#[tokio::test]
async fn paths_that_leave_the_workspace_are_refused_by_every_method() {
    let f = fixture();
    std::fs::write(f.outside.join("secret"), "secret").unwrap();
    f.link(&f.outside, "out");
    f.link("../outside", "relative-out");
    f.link(f.outside.join("secret"), "secret-link");
    f.put("dir/inside", "x");
    let before = (f.snapshot(), super::fixture::snapshot(&f.outside));
    for name in [
        "../outside/secret",
        "dir/../../outside/secret",
        "out/secret",
        "relative-out/secret",
        "secret-link",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        f.outside.join("secret").to_str().unwrap(),
    ] {
        let target = path(name);
        let kind = ErrorKind::InvalidInput;
        let error = assert_refused(f.files.read(&target, ReadOptions::default()).await, kind);
        assert!(error.to_string().contains("Anywhere"), "{error}");
        assert_refused(f.write(name, "x").await, kind);
        assert_refused(f.files.stat(&target, LinkMode::Follow).await, kind);
        let edit = oh_core::edit::Edit::create("x");
        assert_refused(f.files.edit(&target, edit).await, kind);
        if name != "secret-link" {
            assert_refused(f.files.make_dir(&target.join("new").unwrap()).await, kind);
            assert_refused(f.files.remove(&target, RemoveMode::Tree).await, kind);
            let renamed = f
                .files
                .rename(&path("dir/inside"), &target, RenameMode::Replace)
                .await;
            assert_refused(renamed, kind);
        }
    }
    assert_refused(
        f.files.list(&path("out"), Default::default()).await,
        ErrorKind::InvalidInput,
    );
    assert_eq!(before, (f.snapshot(), super::fixture::snapshot(&f.outside)));
}

#[tokio::test]
async fn paths_and_links_that_stay_inside_work() {
    let f = fixture();
    f.put("dir/file", "content");
    f.link("dir", "relative");
    f.link(f.workspace.join("dir"), "absolute");
    f.link(f.workspace.join("dir/file"), "file-link");
    f.link("../ws/dir/file", "leaves-and-returns");
    for name in [
        "dir/file",
        "dir/../dir/file",
        "relative/file",
        "absolute/file",
        "absolute/../dir/file",
        "file-link",
        f.workspace.join("dir/file").to_str().unwrap(),
    ] {
        assert_eq!(f.text(name).await.unwrap(), "content", "{name}");
    }
    assert_refused(f.text("leaves-and-returns").await, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_link_that_leads_out_can_be_looked_at_and_removed_but_not_followed() {
    let f = fixture();
    f.link(&f.outside, "out");
    let meta = f.files.stat(&path("out"), LinkMode::Keep).await.unwrap();
    assert_eq!(meta.link_target.as_deref(), f.outside.to_str());
    f.files
        .remove(&path("out"), RemoveMode::Tree)
        .await
        .unwrap();
    assert!(f.outside.exists());
    assert!(f.snapshot().is_empty());
}

#[tokio::test]
async fn the_scope_anywhere_lifts_the_bounds() {
    let f = with_scope(FileScope::Anywhere);
    std::fs::write(f.outside.join("file"), "content").unwrap();
    f.link(&f.outside, "out");
    for name in ["../outside/file", "out/file"] {
        assert_eq!(f.text(name).await.unwrap(), "content");
    }
    assert_eq!(
        f.text(f.outside.join("file").to_str().unwrap())
            .await
            .unwrap(),
        "content"
    );
    let above = f.workspace.parent().unwrap().to_str().unwrap();
    for name in [".", above, "..", "/"] {
        let removed = f.files.remove(&path(name), RemoveMode::Tree).await;
        assert_refused(removed, ErrorKind::InvalidInput);
    }
    assert!(f.outside.exists());
}

#[tokio::test]
async fn endless_links_long_names_and_files_as_directories_are_typed_errors() {
    let f = fixture();
    f.link("loop", "loop");
    f.put("file", "x");
    assert_refused(f.text("loop").await, ErrorKind::InvalidInput);
    assert_refused(f.text("loop/x").await, ErrorKind::InvalidInput);
    assert_refused(f.text("file/x").await, ErrorKind::NotADirectory);
    assert_refused(f.text("missing/x").await, ErrorKind::NotFound);
    let long = "n".repeat(300);
    assert_refused(f.text(&long).await, ErrorKind::InvalidInput);
    assert_refused(f.write(&long, "x").await, ErrorKind::InvalidInput);
}

/// Puts a link that leads out and a directory in turn under one name, until it is dropped.
struct Swapper {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Swapper {
    fn start(workspace: PathBuf, outside: PathBuf) -> Self {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use std::sync::atomic::Ordering;
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        std::fs::create_dir(workspace.join("dir")).unwrap();
        std::os::unix::fs::symlink(outside, workspace.join("other")).unwrap();
        let thread = std::thread::spawn(move || {
            let (dir, other) = (workspace.join("dir"), workspace.join("other"));
            while !stopped.load(Ordering::Relaxed) {
                renameat_with(CWD, &dir, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[tokio::test]
async fn a_directory_that_is_swapped_for_a_link_during_a_call_leads_nowhere() {
    let f = fixture();
    std::fs::write(f.outside.join("file"), "secret").unwrap();
    let before = super::fixture::snapshot(&f.outside);
    let swapper = Swapper::start(f.workspace.clone(), f.outside.clone());
    let mut written = 0;
    for _ in 0..300 {
        written += usize::from(f.write("dir/file", "mine").await.is_ok());
        if let Ok(text) = f.text("dir/file").await {
            assert_eq!(text, "mine");
        }
        let _ = f.files.remove(&path("dir/file"), RemoveMode::Tree).await;
        let _ = f.files.make_dir(&path("dir/new")).await;
    }
    drop(swapper);
    assert!(written > 0, "no write came through");
    assert_eq!(super::fixture::snapshot(&f.outside), before);
}

/// A small world of directories, files and links that point anywhere.
#[derive(Clone, Debug)]
enum Made {
    Dir(PathBuf),
    File(PathBuf),
    Link { at: PathBuf, to: PathBuf },
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(str::to_owned)
}

fn target() -> impl Strategy<Value = PathBuf> {
    let part = prop_oneof![4 => name(), 3 => Just("..".to_owned()), 1 => Just(".".to_owned())];
    let parts = prop::collection::vec(part, 1..5);
    let start = prop_oneof![
        4 => Just(""), 1 => Just("WS/"), 1 => Just("ROOT/"), 1 => Just("ROOT/outside/")
    ];
    (start, parts).prop_map(|(start, parts)| PathBuf::from(format!("{start}{}", parts.join("/"))))
}

fn world() -> impl Strategy<Value = Vec<Made>> {
    let at = prop::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/").into());
    let made =
        (0..5, at, target()).prop_map(|(kind, at, to): (i32, PathBuf, PathBuf)| match kind {
            0 => Made::Dir(at),
            1 => Made::File(at),
            _ => Made::Link { at, to },
        });
    prop::collection::vec(made, 0..14)
}

fn absolute(path: &Path, root: &Path) -> PathBuf {
    match path.to_str().unwrap() {
        text if text.starts_with("WS") => {
            PathBuf::from(text.replacen("WS", root.join("ws").to_str().unwrap(), 1))
        }
        text if text.starts_with("ROOT") => {
            PathBuf::from(text.replacen("ROOT", root.to_str().unwrap(), 1))
        }
        text => text.into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_tree_of_links_leads_a_path_out(world in world(), asked in target()) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let workspace = root.join("ws");
        std::fs::create_dir_all(root.join("outside/a/b")).unwrap();
        std::fs::create_dir_all(&workspace).unwrap();
        for made in &world {
            // What cannot be made in this world is left out.
            let _ = match made {
                Made::Dir(at) => std::fs::create_dir_all(workspace.join(at)).err(),
                Made::File(at) => std::fs::write(workspace.join(at), "x").err(),
                Made::Link { at, to } => {
                    std::os::unix::fs::symlink(absolute(to, &root), workspace.join(at)).err()
                }
            };
        }
        let asked = absolute(&asked, &root);
        let by = |bounds| {
            let tree = Tree::open(&workspace, vec![workspace.clone()], bounds).unwrap();
            tree.open_dir(&asked).map(|dir| {
                use std::os::fd::AsRawFd;
                std::fs::read_link(format!("/proc/self/fd/{}", dir.as_raw_fd())).unwrap()
            })
        };
        let (kernel, walk) = (by(Bounds::Beneath), by(Bounds::BeneathByWalk));
        if let Ok(path) = &walk {
            prop_assert!(path.starts_with(&workspace), "{path:?}");
            // It is the directory that the system finds, too.
            let found = workspace.join(&asked).canonicalize().unwrap();
            prop_assert_eq!(path, &found);
        }
        prop_assert_eq!(&kernel, &walk);
        if walk == Err(Miss::Escapes) {
            prop_assert!(kernel.is_err());
        }
    }
}

/// As on a kernel without `openat2`, or below a filter that refuses it.
fn by_walk() -> super::fixture::Fixture {
    use crate::local::file::LocalFiles;
    use crate::local::file::volume::Volume;
    let mut f = fixture();
    let scope = FileScope::Workspace;
    let volume = Volume::with_bounds(&f.workspace, scope, Bounds::BeneathByWalk);
    f.files = LocalFiles::of(volume.unwrap());
    f
}

#[tokio::test]
async fn without_help_of_the_kernel_paths_end_inside_too() {
    let f = by_walk();
    std::fs::write(f.outside.join("secret"), "secret").unwrap();
    f.link(&f.outside, "out");
    f.link("/proc/self/cwd", "magic");
    f.link("dir", "in");
    f.put("dir/file", "content");
    let outside = super::fixture::snapshot(&f.outside);
    for name in [
        "out/secret",
        "in/../../outside/secret",
        "magic/x",
        "/etc/passwd",
    ] {
        let kind = ErrorKind::InvalidInput;
        assert_refused(f.text(name).await, kind);
        assert_refused(f.write(name, "x").await, kind);
        assert_refused(f.files.make_dir(&path(name)).await, kind);
        assert_refused(f.files.remove(&path(name), RemoveMode::Tree).await, kind);
    }
    assert_eq!(super::fixture::snapshot(&f.outside), outside);
    assert_eq!(f.text("in/../dir/file").await.unwrap(), "content");
    f.write("in/new/file", "new").await.unwrap();
    assert_eq!(f.bytes("dir/new/file"), b"new");
    let swapper = Swapper::start(f.workspace.join("dir"), f.outside.clone());
    for _ in 0..300 {
        let _ = f.write("dir/dir/file", "mine").await;
        let _ = f.files.make_dir(&path("dir/dir/new")).await;
        let _ = f
            .files
            .remove(&path("dir/dir/file"), RemoveMode::Tree)
            .await;
    }
    drop(swapper);
    assert_eq!(super::fixture::snapshot(&f.outside), outside);
}

#[test]
fn a_path_longer_than_the_system_takes_is_refused_by_the_walk_too() {
    let f = fixture();
    let long = PathBuf::from("d/".repeat(500_000));
    for bounds in [Bounds::Beneath, Bounds::BeneathByWalk] {
        let tree = Tree::open(&f.workspace, vec![f.workspace.clone()], bounds).unwrap();
        let made = tree.make_dirs(&long, &mut Default::default());
        assert_eq!(
            made.err(),
            Some(Miss::Errno(rustix::io::Errno::NAMETOOLONG))
        );
    }
    assert!(f.snapshot().is_empty());
}

use oh_core::{ErrorKind, FileKind, RemoveMode, RenameMode};

use super::fixture::{assert_refused, fixture, path, skipped};

#[tokio::test]
async fn directories_are_made_with_their_parents_and_twice_is_fine() {
    let f = fixture();
    f.link("a", "link");
    for name in ["a/b/c", "a/b/c", "link/d", "."] {
        let meta = f.files.make_dir(&path(name)).await.unwrap();
        assert_eq!(meta.kind, FileKind::Directory);
    }
    assert!(f.workspace.join("a/b/c").is_dir() && f.workspace.join("a/d").is_dir());
}

#[tokio::test]
async fn a_name_that_is_taken_is_no_directory() {
    let f = fixture();
    f.put("file", "x");
    f.link("nowhere", "dangling");
    let before = f.snapshot();
    for (name, kind) in [
        ("file", ErrorKind::AlreadyExists),
        ("dangling", ErrorKind::AlreadyExists),
        ("file/below", ErrorKind::NotADirectory),
        ("missing/../x", ErrorKind::NotFound),
        ("made/then/../../file/x", ErrorKind::NotFound),
    ] {
        assert_refused(f.files.make_dir(&path(name)).await, kind);
    }
    assert_eq!(f.snapshot(), before);
}

#[tokio::test]
async fn removing_takes_what_was_named_and_nothing_else() {
    let f = fixture();
    f.put("keep/file", "x");
    f.put("tree/a/b/file", "x");
    f.link("../keep", "tree/link");
    std::fs::create_dir(f.workspace.join("empty")).unwrap();
    let remove = |name: &'static str, mode| {
        let files = f.files.clone();
        async move { files.remove(&path(name), mode).await }
    };
    assert_refused(
        remove("tree", RemoveMode::Single).await,
        ErrorKind::AlreadyExists,
    );
    assert_refused(
        remove("missing", RemoveMode::Tree).await,
        ErrorKind::NotFound,
    );
    assert_refused(remove(".", RemoveMode::Tree).await, ErrorKind::InvalidInput);
    assert_refused(
        remove("tree/..", RemoveMode::Tree).await,
        ErrorKind::InvalidInput,
    );
    assert_refused(
        remove("tree/a/..", RemoveMode::Tree).await,
        ErrorKind::InvalidInput,
    );
    remove("empty", RemoveMode::Single).await.unwrap();
    remove("tree", RemoveMode::Tree).await.unwrap();
    let left: Vec<_> = f.snapshot().into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        left,
        [f.workspace.join("keep"), f.workspace.join("keep/file")]
    );
    remove("keep/file", RemoveMode::Tree).await.unwrap();
}

#[tokio::test]
async fn renaming_replaces_or_keeps_the_target_as_asked() {
    let f = fixture();
    f.put("a", "a");
    f.put("b", "b");
    f.put("dir/x", "x");
    f.link("a", "link");
    let rename = |from: &'static str, to: &'static str, mode| {
        let files = f.files.clone();
        async move { files.rename(&path(from), &path(to), mode).await }
    };
    let before = f.snapshot();
    let kept = rename("a", "b", RenameMode::KeepTarget).await;
    assert_refused(kept, ErrorKind::AlreadyExists);
    for (from, to, kind) in [
        ("missing", "b", ErrorKind::NotFound),
        ("a", "missing/x", ErrorKind::NotFound),
        ("a", "dir", ErrorKind::IsADirectory),
        ("dir", "a", ErrorKind::NotADirectory),
        ("dir", "dir/below", ErrorKind::InvalidInput),
        (".", "c", ErrorKind::InvalidInput),
        ("dir", ".", ErrorKind::InvalidInput),
        ("a", "dir/..", ErrorKind::InvalidInput),
    ] {
        assert_refused(rename(from, to, RenameMode::Replace).await, kind);
    }
    assert_eq!(f.snapshot(), before);
    let meta = rename("a", "b", RenameMode::Replace).await.unwrap();
    assert_eq!(meta.path.as_str(), f.workspace.join("b").to_str().unwrap());
    assert_eq!(f.bytes("b"), b"a");
    rename("link", "link2", RenameMode::KeepTarget)
        .await
        .unwrap();
    assert!(f.workspace.join("link2").is_symlink());
    rename("dir", "dir2", RenameMode::KeepTarget).await.unwrap();
    assert_eq!(f.bytes("dir2/x"), b"x");
}

#[tokio::test]
async fn another_file_system_is_a_typed_error() {
    let f = super::fixture::with_scope(crate::local::file::FileScope::Anywhere);
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        return skipped("there is no /dev/shm");
    };
    use std::os::unix::fs::MetadataExt;
    if other.path().metadata().unwrap().dev() == f.workspace.metadata().unwrap().dev() {
        return skipped("/dev/shm is on the same file system");
    }
    f.put("a", "a");
    let to = path(other.path().join("a").to_str().unwrap());
    let renamed = f.files.rename(&path("a"), &to, RenameMode::Replace).await;
    assert_refused(renamed, ErrorKind::InvalidInput);
    assert_eq!(f.bytes("a"), b"a");
}

#[tokio::test]
async fn renaming_a_file_to_another_of_its_names_leaves_one() {
    let f = fixture();
    let file = f.put("a", "content");
    std::fs::hard_link(&file, f.workspace.join("b")).unwrap();
    for to in ["b", "b"] {
        let from = if file.exists() { "a" } else { "b" };
        f.files
            .rename(&path(from), &path(to), RenameMode::Replace)
            .await
            .unwrap();
        assert_eq!(f.snapshot(), [(f.workspace.join("b"), b"content".to_vec())]);
    }
}

#[tokio::test]
async fn an_edit_never_undoes_a_rename_that_came_before_it() {
    use oh_core::edit::Edit;
    let f = fixture();
    f.put("file", "a 0\n");
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let editor = {
        let (files, done) = (f.files.clone(), done.clone());
        tokio::spawn(async move {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for (old, new) in [("a", "b"), ("b", "a")] {
                    let _ = files.edit(&path("file"), Edit::replace(old, new)).await;
                }
            }
        })
    };
    for n in 1..1000 {
        f.put("next", format!("a {n}\n"));
        f.files
            .rename(&path("next"), &path("file"), RenameMode::Replace)
            .await
            .unwrap();
        let text = f.text("file").await.unwrap();
        assert_eq!(text[2..].trim(), n.to_string());
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    editor.await.unwrap();
}

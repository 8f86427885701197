use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use oh_core::{ErrorKind, FileKind, LinkMode, ListOptions};

use super::fixture::{Fixture, assert_refused, fixture, path};

async fn names(f: &Fixture, name: &str, options: ListOptions) -> (Vec<String>, bool) {
    let listing = f.files.list(&path(name), options).await.unwrap();
    let start = format!("{}/", f.workspace.display());
    let names = listing.entries.iter().map(|meta| {
        let path = meta.path.as_str();
        path.strip_prefix(&start).unwrap_or(path).to_owned()
    });
    (names.collect(), listing.truncated)
}

#[tokio::test]
async fn entries_come_sorted_by_path_down_to_the_depth() {
    let f = fixture();
    for name in ["a/b/deep", "a/x", "a.txt", ".hidden", "z"] {
        f.put(name, "x");
    }
    let flat = names(&f, ".", ListOptions::default()).await;
    assert_eq!(
        flat,
        (
            vec![".hidden", "a", "a.txt", "z"]
                .into_iter()
                .map(String::from)
                .collect(),
            false
        )
    );
    let (all, _) = names(&f, ".", ListOptions::default().depth(9)).await;
    assert_eq!(
        all,
        [".hidden", "a", "a.txt", "a/b", "a/b/deep", "a/x", "z"]
    );
    let (two, _) = names(&f, "a", ListOptions::default().depth(1)).await;
    assert_eq!(two, ["a/b", "a/x"]);
}

#[tokio::test]
async fn a_limit_keeps_the_first_paths_and_says_so() {
    let f = fixture();
    for name in ["a/1", "a/2", "a.txt", "b"] {
        f.put(name, "x");
    }
    let all = ["a", "a.txt", "a/1", "a/2", "b"];
    for limit in 0..=5 {
        let options = ListOptions::default().depth(5).limit(limit);
        let (found, truncated) = names(&f, ".", options).await;
        assert_eq!(found, &all[..limit]);
        assert_eq!(truncated, limit < 5, "{limit}");
    }
}

#[tokio::test]
async fn links_are_listed_as_links_and_other_names_keep_their_bytes() {
    let f = fixture();
    f.link("nowhere", "link");
    std::fs::write(f.workspace.join(OsStr::from_bytes(b"\xffname")), "x").unwrap();
    let listing = f
        .files
        .list(&path("."), ListOptions::default())
        .await
        .unwrap();
    let [link, odd] = &listing.entries[..] else {
        panic!("{listing:?}");
    };
    assert_eq!(link.kind, FileKind::Symlink);
    assert_eq!(link.link_target.as_deref(), Some("nowhere"));
    assert_eq!(odd.raw_name.as_deref(), Some(&b"\xffname"[..]));
    assert!(odd.path.as_str().ends_with("/\u{fffd}name"));
}

#[tokio::test]
async fn a_file_is_no_directory_and_a_depth_of_nothing_is_refused() {
    let f = fixture();
    f.put("file", "x");
    let options = ListOptions::default();
    assert_refused(
        f.files.list(&path("file"), options).await,
        ErrorKind::NotADirectory,
    );
    assert_refused(
        f.files.list(&path("missing"), options).await,
        ErrorKind::NotFound,
    );
    assert_refused(
        f.files.list(&path("."), options.depth(0)).await,
        ErrorKind::InvalidInput,
    );
}

#[tokio::test]
async fn stat_describes_files_directories_and_links() {
    let f = fixture();
    f.put("dir/file", "12345");
    f.link("dir/file", "link");
    f.link("nowhere", "dangling");
    let stat = |name: &'static str, links| {
        let files = f.files.clone();
        async move { files.stat(&path(name), links).await }
    };
    let file = stat("link", LinkMode::Follow).await.unwrap();
    assert_eq!((file.kind, file.size_bytes), (FileKind::File, 5));
    assert_eq!(
        file.path.as_str(),
        f.workspace.join("link").to_str().unwrap()
    );
    assert!(file.version.is_some() && file.modified.is_some() && file.mode.is_some());
    let link = stat("link", LinkMode::Keep).await.unwrap();
    assert_eq!(link.kind, FileKind::Symlink);
    assert_eq!(link.link_target.as_deref(), Some("dir/file"));
    assert_eq!(
        stat(".", LinkMode::Follow).await.unwrap().kind,
        FileKind::Directory
    );
    assert_eq!(
        stat(".", LinkMode::Follow).await.unwrap().path,
        *f.files.workspace()
    );
    assert_refused(
        stat("dangling", LinkMode::Follow).await,
        ErrorKind::NotFound,
    );
    assert_refused(stat("missing", LinkMode::Keep).await, ErrorKind::NotFound);
}

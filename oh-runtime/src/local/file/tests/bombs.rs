//! What is small to make and large to take in.

use std::os::fd::OwnedFd;

use oh_core::{CopyOptions, ErrorKind, GlobQuery, GrepQuery, ListOptions, ReadOptions, RemoveMode};
use rustix::fs::{CWD, Mode, OFlags};

use super::fixture::{Fixture, assert_refused, fixture, path};

/// More levels than a thread has room for, or a process has descriptors.
const LEVELS: usize = 12_000;

/// Makes a directory in a directory in a directory, as `mkdir d && cd d` in a loop does.
fn deep(f: &Fixture, levels: usize) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |dir: &OwnedFd, name: &str| rustix::fs::openat(dir, name, flags, Mode::empty());
    let mut dir = rustix::fs::openat(CWD, &f.workspace, flags, Mode::empty()).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&dir, "d", Mode::RWXU).unwrap();
        dir = open(&dir, "d").unwrap();
    }
}

#[tokio::test]
async fn a_tree_of_any_depth_can_be_removed() {
    let f = fixture();
    deep(&f, LEVELS);
    f.put("d/beside", "x");
    f.files.remove(&path("d"), RemoveMode::Tree).await.unwrap();
    assert!(f.snapshot().is_empty());
}

#[tokio::test]
async fn a_tree_of_any_depth_is_searched_and_listed_as_far_as_it_goes() {
    let f = fixture();
    deep(&f, LEVELS);
    f.put("d/d/d/file", "needle");
    let glob = f.files.glob(GlobQuery::new("file")).await.unwrap();
    assert_eq!((glob.paths.len(), glob.truncated), (1, true));
    let grep = f.files.grep(GrepQuery::new("needle")).await.unwrap();
    assert_eq!((grep.lines.len(), grep.truncated), (1, true));
    let options = ListOptions::default().depth(u32::MAX).limit(usize::MAX);
    let listing = f.files.list(&path("."), options).await.unwrap();
    assert!(listing.truncated && listing.entries.len() > 100);
    let copied = f.files.copy_from(&path("d"), CopyOptions::default()).await;
    let copied = super::copy::collect(copied.unwrap()).await;
    assert_refused(copied, ErrorKind::TooLarge);
    f.files.remove(&path("d"), RemoveMode::Tree).await.unwrap();
}

#[tokio::test]
async fn a_pattern_of_nested_braces_is_refused() {
    let f = fixture();
    f.put("a", "x");
    let nested = [65, 400, 100_000, 400_000]
        .map(|levels| format!("{}a{}", "{".repeat(levels), "}".repeat(levels)));
    for pattern in nested.into_iter().chain(["[!é-ü]".repeat(100_000)]) {
        let found = f.files.glob(GlobQuery::new(&pattern)).await;
        assert_refused(found, ErrorKind::InvalidInput);
    }
    let largest = [
        format!("{}b{}", "{".repeat(64), "}".repeat(64)),
        "[!é-ü]".repeat(500),
        "**/".repeat(1300),
        "{a,b}".repeat(64),
    ];
    for pattern in largest {
        let found = f.files.glob(GlobQuery::new(pattern)).await;
        assert!(found.is_ok());
    }
}

#[tokio::test]
async fn an_ignore_file_of_nested_braces_holds_nothing_up() {
    let f = fixture();
    f.put("a", "x");
    f.put("b", "x");
    let levels = 400_000;
    let nested = format!("{}a{}\nb\n", "{".repeat(levels), "}".repeat(levels));
    f.put(".gitignore", nested);
    let found = f.files.glob(GlobQuery::new("*")).await.unwrap();
    assert_eq!(found.paths.len(), 1);
}

#[tokio::test]
async fn an_ignore_file_of_many_rules_holds_nothing_up() {
    let f = fixture();
    f.put("a", "x");
    let rules: String = (0..)
        .map(|n| format!("*x?{n:x}*y\n"))
        .take(100_000)
        .collect();
    f.put(".gitignore", &rules);
    let found = f.files.glob(GlobQuery::new("*")).await.unwrap();
    assert_eq!(found.paths.len(), 1);
}

#[tokio::test]
async fn an_expression_that_grows_when_it_is_read_is_refused() {
    let f = fixture();
    f.put("a", "x");
    for pattern in [r"(\pL{100}){30}", r"((a{100}){100}){200}", r"\w{5000}"] {
        let found = f.files.grep(GrepQuery::new(pattern)).await;
        assert_refused(found, ErrorKind::InvalidInput);
    }
    let nested = format!("{}a{}", "(".repeat(200_000), ")".repeat(200_000));
    let found = f.files.grep(GrepQuery::new(&nested)).await;
    assert_refused(found, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_file_that_claims_exabytes_is_refused_whatever_the_limit() {
    let f = fixture();
    let file = std::fs::File::create(f.workspace.join("huge")).unwrap();
    let mut size = 1_u64 << 62;
    while file.set_len(size).is_err() {
        size >>= 1;
    }
    let mut options = ReadOptions::default();
    options.max_bytes = u64::MAX;
    let read = f.files.read(&path("huge"), options).await;
    assert_refused(read, ErrorKind::TooLarge);
}

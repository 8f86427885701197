//! Archives that mean harm.

use oh_core::{CopyOptions, ErrorKind};
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::copy::{stream, unpack};
use super::fixture::{Fixture, assert_refused, fixture, path, snapshot};

/// An entry as its bytes say, whatever a decent builder would refuse.
fn entry(kind: EntryType, name: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o6777);
    header.set_mtime(1);
    header.set_size(content.len() as u64);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &str) -> Vec<u8> {
    entry(EntryType::Regular, name, "", content.as_bytes())
}

fn link(name: &str, target: &str) -> Vec<u8> {
    entry(EntryType::Symlink, name, target, b"")
}

fn hard(name: &str, target: &str) -> Vec<u8> {
    entry(EntryType::Link, name, target, b"")
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn hostile() -> Fixture {
    let f = fixture();
    std::fs::write(f.outside.join("secret"), "secret").unwrap();
    f.put("beside", "beside");
    f
}

#[tokio::test]
async fn nothing_is_written_outside_of_the_target() {
    let f = hostile();
    let outside = f.outside.to_str().unwrap();
    for (n, entries) in [
        vec![file("../x", "bad")],
        vec![file("a/../../x", "bad")],
        vec![file("..", "bad")],
        vec![file("/abs", "bad")],
        vec![file(&format!("{outside}/x"), "bad")],
        vec![link("l", outside), file("l/x", "bad")],
        vec![link("l", "../../outside"), file("l/x", "bad")],
        vec![link("l", ".."), file("l/beside", "bad")],
        vec![link("l", outside), file("l/new/dir/x", "bad")],
        vec![
            link("l", outside),
            entry(EntryType::Directory, "l/d/", "", b""),
        ],
        vec![link("l", outside), link("l/x", "y")],
        vec![file("s", "x"), link("l", outside), hard("l/x", "s")],
        vec![link("a", "b"), link("b", ".."), file("a/x", "bad")],
        vec![link("a", "a"), file("a/x", "bad")],
        vec![hard("h", "../beside")],
        vec![hard("h", &format!("{outside}/secret"))],
        vec![link("l", outside), hard("h", "l/secret")],
        vec![link("l", &format!("{outside}/secret")), hard("h", "l")],
        vec![hard("h", "missing")],
        vec![hard("h", "")],
        vec![entry(EntryType::Directory, "d", "", b""), hard("h", "d")],
        vec![entry(EntryType::Directory, "/", "", b""), file("/", "bad")],
        vec![entry(EntryType::Char, "null", "", b"")],
        vec![entry(EntryType::Block, "disk", "", b"")],
        vec![entry(EntryType::Fifo, "pipe", "", b"")],
        vec![entry(EntryType::new(b'Z'), "odd", "", b"")],
        vec![link("l", "")],
        vec![file("", "bad")],
    ]
    .into_iter()
    .enumerate()
    {
        let before = snapshot(&f.outside);
        let target = format!("target-{n}");
        let error = unpack(&f, archive(&entries), &target).await;
        let error = assert_refused(error, ErrorKind::InvalidInput);
        assert!(error.detail().is_some(), "{n}: {error}");
        assert_eq!(snapshot(&f.outside), before, "{n}");
        assert_eq!(f.bytes("beside"), b"beside", "{n}");
        assert!(!f.workspace.join("x").exists(), "{n}");
        let left: Vec<_> = snapshot(&f.workspace);
        let staged = left
            .iter()
            .any(|(path, _)| path.to_str().unwrap().contains("/.oh-"));
        assert!(!staged, "{n}: {left:?}");
    }
}

#[tokio::test]
async fn a_directory_entry_over_a_link_that_leads_out_is_refused_and_a_file_replaces_it() {
    let f = hostile();
    let outside = f.outside.to_str().unwrap();
    let entries = [
        link("l", outside),
        entry(EntryType::Directory, "l", "", b""),
    ];
    let refused = unpack(&f, archive(&entries), "one").await;
    assert_refused(refused, ErrorKind::InvalidInput);
    let secret = format!("{outside}/secret");
    let entries = [link("l", &secret), file("l", "mine")];
    unpack(&f, archive(&entries), "two").await.unwrap();
    assert_eq!(f.bytes("two/l"), b"mine");
    assert_eq!(std::fs::read(f.outside.join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn links_that_stay_inside_and_repeated_entries_are_fine() {
    let f = hostile();
    let entries = [
        entry(EntryType::Directory, "./", "", b""),
        entry(EntryType::Directory, "real/", "", b""),
        link("l", "real"),
        file("l/x", "first"),
        file("./real//x", "second"),
        hard("again", "real/x"),
        hard("again", "real/x"),
        link("l", "nowhere"),
        file("implied/dir/y", "y"),
    ];
    let summary = unpack(&f, archive(&entries), "target").await.unwrap();
    assert_eq!(
        (summary.files, summary.symlinks, summary.directories),
        (5, 2, 2)
    );
    assert_eq!(f.bytes("target/real/x"), b"second");
    assert_eq!(f.bytes("target/again"), b"second");
    assert_eq!(f.bytes("target/implied/dir/y"), b"y");
    assert_eq!(snapshot(&f.workspace.join("target")).len(), 7);
}

#[tokio::test]
async fn special_bits_are_not_taken() {
    use std::os::unix::fs::MetadataExt;
    let f = hostile();
    let entries = [
        file("tool", "x"),
        entry(EntryType::Directory, "dir", "", b""),
    ];
    unpack(&f, archive(&entries), "target").await.unwrap();
    for name in ["target/tool", "target/dir"] {
        let mode = f.workspace.join(name).metadata().unwrap().mode();
        assert_eq!(mode & 0o7777, 0o777, "{name}");
    }
}

#[tokio::test]
async fn sizes_and_headers_that_lie_are_refused_before_they_cost_anything() {
    let f = hostile();
    let sized = |kind, name: &str, size| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let huge = archive(&[sized(EntryType::Regular, "huge", u64::MAX >> 2)]);
    assert_refused(unpack(&f, huge, "a").await, ErrorKind::TooLarge);
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
    ] {
        let mut long = sized(kind, "long", 1 << 40);
        long.resize(4 << 20, b'n');
        assert_refused(
            unpack(&f, archive(&[long]), "b").await,
            ErrorKind::InvalidInput,
        );
    }
    let mut hole = Header::new_gnu();
    hole.set_entry_type(EntryType::GNUSparse);
    hole.set_path("hole").unwrap();
    hole.set_mode(0o644);
    hole.set_size(0);
    hole.as_gnu_mut().unwrap().set_real_size(1 << 60);
    hole.as_gnu_mut().unwrap().sparse[0].set_offset(1 << 60);
    hole.as_gnu_mut().unwrap().sparse[0].set_length(0);
    hole.set_cksum();
    let hole = archive(&[hole.as_bytes().to_vec()]);
    assert_refused(unpack(&f, hole, "c").await, ErrorKind::TooLarge);
    let mut posix = Builder::new(Vec::new());
    let extension = [("GNU.sparse.major", &b"1"[..])];
    posix.append_pax_extensions(extension).unwrap();
    let mut bytes = posix.get_ref().clone();
    bytes.extend(file("GNUSparseFile.0/x", "1\n0\n4\ndata"));
    assert_refused(
        unpack(&f, archive(&[bytes]), "d").await,
        ErrorKind::InvalidInput,
    );
    let deep = file(&"d/".repeat(40), "");
    let limited = CopyOptions::default().max_entries(10);
    let copied = f
        .files
        .copy_to(stream(&archive(&[deep])), &path("e"), limited)
        .await;
    assert_refused(copied, ErrorKind::TooLarge);
}

#[tokio::test]
async fn an_archive_that_was_cut_anywhere_is_refused() {
    let f = hostile();
    let whole = archive(&[file("a", "content of a"), file("b", "content of b")]);
    for length in (0..=2048).step_by(128).chain([1, 511, 513, 2047]) {
        let cut = whole[..length].to_vec();
        let target = format!("cut-{length}");
        assert_refused(unpack(&f, cut, &target).await, ErrorKind::InvalidInput);
    }
    unpack(&f, whole, "whole").await.unwrap();
    let noise: Vec<u8> = (0..4096_u32).map(|n| (n * 7) as u8).collect();
    assert_refused(unpack(&f, noise, "noise").await, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_long_or_odd_name_does_not_flood_the_error() {
    let f = hostile();
    let mut builder = Builder::new(Vec::new());
    let mut long = Header::new_gnu();
    long.set_entry_type(EntryType::GNULongName);
    long.set_path("././@LongLink").unwrap();
    long.set_size(900_000);
    long.set_cksum();
    builder.append(&long, &vec![b'n'; 900_000][..]).unwrap();
    let mut bytes = builder.get_ref().clone();
    bytes.extend(file("short", "x"));
    let error = unpack(&f, archive(&[bytes]), "a").await;
    let error = assert_refused(error, ErrorKind::InvalidInput);
    assert!(error.to_string().len() < 1000);
}

#[tokio::test]
async fn what_comes_with_an_entry_and_is_thrown_away_counts_too() {
    let f = hostile();
    let filler = entry(EntryType::XGlobalHeader, "g", "", &[b'x'; 4096]);
    let directory = entry(EntryType::Directory, "d", "", &[0; 4096]);
    for filler in [filler, directory] {
        let bytes = archive(&vec![filler; 50]);
        for limited in [
            CopyOptions::default().max_entries(10),
            CopyOptions::default().max_bytes(10_000),
        ] {
            let copied = f.files.copy_to(stream(&bytes), &path("t"), limited).await;
            assert_refused(copied, ErrorKind::TooLarge);
        }
    }
}

fn hostile_entry() -> impl Strategy<Value = (EntryType, String, String)> {
    let part = || prop_oneof![8 => "[a-c]".prop_map(String::from), 1 => Just("..".to_owned())];
    let parts = |most| prop::collection::vec(part(), 1..most).prop_map(|parts| parts.join("/"));
    let target = prop_oneof![
        3 => parts(3),
        1 => Just("OUTSIDE".to_owned()),
        1 => Just("OUTSIDE/secret".to_owned()),
        1 => Just("../../outside".to_owned()),
        1 => Just("../beside".to_owned()),
    ];
    let kind = prop_oneof![
        1 => Just(EntryType::Directory),
        3 => Just(EntryType::Symlink),
        2 => Just(EntryType::Link),
        2 => Just(EntryType::Regular),
    ];
    (kind, parts(4), target)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_archive_escapes(entries in prop::collection::vec(hostile_entry(), 1..12)) {
        let f = hostile();
        let before = snapshot(&f.outside);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // Each entry on its own, so that a refused one does not shield those after it.
        for (kind, name, target) in &entries {
            let target = target.replace("OUTSIDE", f.outside.to_str().unwrap());
            let content = if kind.is_file() { &b"bad"[..] } else { b"" };
            let entry = entry(*kind, name, &target, content);
            let _ = runtime.block_on(unpack(&f, archive(&[entry]), "target"));
        }
        prop_assert_eq!(snapshot(&f.outside), before);
        let beside: Vec<_> = std::fs::read_dir(&f.workspace)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != "target")
            .collect();
        prop_assert_eq!(beside, ["beside"]);
        prop_assert_eq!(f.bytes("beside"), b"beside");
    }
}

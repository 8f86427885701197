use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use oh_core::{ByteStream, CopyOptions, CopySummary, ErrorKind, Result};
use proptest::prelude::*;

use super::fixture::{Fixture, assert_refused, fixture, path, snapshot};

pub(super) async fn collect(stream: ByteStream) -> Result<Vec<u8>> {
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

/// The bytes in pieces of a size that no border of the format has.
pub(super) fn stream(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes
        .chunks(1009)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Box::pin(futures::stream::iter(pieces))
}

async fn pack(f: &Fixture, name: &str, options: CopyOptions) -> Result<Vec<u8>> {
    collect(f.files.copy_from(&path(name), options).await?).await
}

pub(super) async fn unpack(f: &Fixture, archive: Vec<u8>, name: &str) -> Result<CopySummary> {
    f.files
        .copy_to(stream(&archive), &path(name), CopyOptions::default())
        .await
}

async fn copy(f: &Fixture, from: &str, to: &str) -> CopySummary {
    let stream = f
        .files
        .copy_from(&path(from), CopyOptions::default())
        .await
        .unwrap();
    f.files
        .copy_to(stream, &path(to), CopyOptions::default())
        .await
        .unwrap()
}

/// Path, type and mode, seconds of the last change, content.
type Facts = BTreeMap<PathBuf, (u32, i64, Vec<u8>)>;

fn facts(root: &Path) -> Facts {
    let entries = snapshot(root).into_iter().map(|(path, content)| {
        let meta = path.symlink_metadata().unwrap();
        let relative = path.strip_prefix(root).unwrap().to_owned();
        (relative, (meta.mode(), meta.mtime(), content))
    });
    entries.collect()
}

fn set_time(path: &Path, seconds: u64) {
    let file = std::fs::File::open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

#[tokio::test]
async fn a_tree_comes_back_as_it_was() {
    let f = fixture();
    f.put("tree/script.sh", "#!/bin/sh\n");
    f.put("tree/empty", "");
    f.put("tree/sub/data", vec![7_u8; 300_000]);
    std::fs::create_dir_all(f.workspace.join("tree/empty-dir")).unwrap();
    std::fs::write(
        f.workspace
            .join("tree")
            .join(OsStr::from_bytes(b"\xffodd\n")),
        "x",
    )
    .unwrap();
    let long = format!("tree/{0}/{0}/{0}", "long-name".repeat(12));
    f.put(&long, "long");
    let far = "far/".repeat(60);
    for (target, name) in [
        ("script.sh", "relative"),
        ("/usr/bin/python3", "absolute"),
        ("../../outside", "outwards"),
        ("./a//b/../c", "spelling"),
        (far.as_str(), "far"),
    ] {
        f.link(target, &format!("tree/{name}"));
    }
    let root = f.workspace.join("tree");
    std::fs::hard_link(root.join("sub/data"), root.join("sub/hard")).unwrap();
    let mode = |name: &str, bits| {
        let permissions = std::fs::Permissions::from_mode(bits);
        std::fs::set_permissions(root.join(name), permissions).unwrap();
    };
    mode("script.sh", 0o755);
    mode("empty", 0o600);
    set_time(&root.join("empty"), 1_000_000_000);
    set_time(&root.join("empty-dir"), 1_000_000_001);
    set_time(&root.join("sub"), 1_000_000_002);
    mode("sub", 0o555);

    let summary = copy(&f, "tree", "new/copy").await;
    let mut found = facts(&f.workspace.join("new/copy"));
    let mut expected = facts(&root);
    assert_eq!(summary.symlinks, 5);
    assert_eq!(summary.bytes, 300_000 + 10 + 1 + 4);
    // Links get the time of their making, and the system may not keep it.
    for facts in [&mut found, &mut expected] {
        for (mode, time, _) in facts.values_mut() {
            if *mode & 0o170_000 == 0o120_000 {
                *time = 0;
            }
        }
    }
    assert_eq!(found, expected);
    let copied = f.workspace.join("new/copy/sub");
    let inode = |name: &str| copied.join(name).metadata().unwrap().ino();
    assert_eq!(inode("data"), inode("hard"));
    mode("sub", 0o755);
    std::fs::set_permissions(copied, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn other_programs_read_and_write_the_same_archives() {
    let f = fixture();
    f.put("tree/a", "a");
    f.put("tree/sub/b", "bb");
    f.link("a", "tree/link");
    let holes = std::fs::File::create(f.workspace.join("tree/holes")).unwrap();
    for n in 0..40 {
        holes.write_all_at(b"data", n << 20).unwrap();
    }
    holes.set_len((41 << 20) + 123).unwrap();
    let archive = pack(&f, "tree", CopyOptions::default()).await.unwrap();
    assert!(archive.len() < 1 << 20, "{} bytes", archive.len());
    let there = f.workspace.join("there");
    std::fs::create_dir(&there).unwrap();
    let tar = |arguments: &[&str], input: &[u8]| {
        let mut child = std::process::Command::new("tar")
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    tar(&["-x", "-C", there.to_str().unwrap()], &archive);
    assert!(
        snapshot(&there)
            .iter()
            .map(|(_, content)| content)
            .eq(snapshot(&f.workspace.join("tree"))
                .iter()
                .map(|(_, content)| content))
    );
    for format in ["gnu", "posix", "ustar"] {
        let format = format!("--format={format}");
        let tree = f.workspace.join("tree");
        let archive = tar(&["-c", &format, "-C", tree.to_str().unwrap(), "."], &[]);
        unpack(&f, archive, &format).await.unwrap();
        assert_eq!(facts(&f.workspace.join(&format)), facts(&tree), "{format}");
    }
}

#[tokio::test]
async fn holes_stay_holes() {
    let f = fixture();
    std::fs::create_dir(f.workspace.join("tree")).unwrap();
    let size: u64 = 64 << 20;
    for (name, writes) in [
        (
            "middle",
            vec![(1_000_000_u64, &b"one"[..]), (40_000_001, b"two")],
        ),
        ("start", vec![(0, b"first")]),
        ("end", vec![(size - 3, b"end")]),
        ("nothing", vec![]),
    ] {
        let file = std::fs::File::create(f.workspace.join("tree").join(name)).unwrap();
        for (at, data) in writes {
            file.write_all_at(data, at).unwrap();
        }
        file.set_len(size).unwrap();
    }
    let archive = pack(&f, "tree", CopyOptions::default()).await.unwrap();
    assert!(archive.len() < 200_000, "{} bytes", archive.len());
    unpack(&f, archive, "copy").await.unwrap();
    for name in ["middle", "start", "end", "nothing"] {
        let (old, new) = (
            f.workspace.join("tree").join(name),
            f.workspace.join("copy").join(name),
        );
        let meta = new.metadata().unwrap();
        assert_eq!(meta.size(), size, "{name}");
        assert!(
            meta.blocks() * 512 < 1 << 20,
            "{name} has {} blocks",
            meta.blocks()
        );
        assert!(
            std::fs::read(old).unwrap() == std::fs::read(new).unwrap(),
            "{name}"
        );
    }
    // An archive that spells out every zero leaves holes as well.
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(8 << 20);
    builder
        .append_data(&mut header, "zeros", std::io::repeat(0).take(8 << 20))
        .unwrap();
    unpack(&f, builder.into_inner().unwrap(), "zeros")
        .await
        .unwrap();
    let meta = f.workspace.join("zeros/zeros").metadata().unwrap();
    assert_eq!(meta.size(), 8 << 20);
    assert!(meta.blocks() < 64, "{} blocks", meta.blocks());
}

#[tokio::test]
async fn one_file_goes_in_and_out_as_plain_bytes_or_as_an_archive() {
    let f = fixture();
    f.put("file", "content");
    assert_eq!(
        pack(&f, "file", CopyOptions::file()).await.unwrap(),
        b"content"
    );
    let source = stream(b"new content");
    let summary = f
        .files
        .copy_to(source, &path("dir/copy"), CopyOptions::file())
        .await
        .unwrap();
    assert_eq!((summary.files, summary.bytes), (1, 11));
    assert_eq!(f.bytes("dir/copy"), b"new content");
    copy(&f, "file", "tar").await;
    assert_eq!(f.bytes("tar/file"), b"content");
    copy(&f, "dir", "dir2").await;
    assert_eq!(f.bytes("dir2/copy"), b"new content");
}

#[tokio::test]
async fn what_has_no_content_is_left_out() {
    let f = fixture();
    f.put("tree/file", "x");
    let made = std::process::Command::new("mkfifo")
        .arg(f.workspace.join("tree/fifo"))
        .status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(f.workspace.join("tree/socket")).unwrap();
    let summary = copy(&f, "tree", "copy").await;
    assert_eq!((summary.files, summary.directories), (1, 0));
}

#[tokio::test]
async fn limits_hold_on_both_sides_before_anything_is_written() {
    let f = fixture();
    f.put("tree/a", "12345");
    f.put("tree/b", "12345");
    let archive = pack(&f, "tree", CopyOptions::default()).await.unwrap();
    for options in [
        CopyOptions::default().max_entries(1),
        CopyOptions::default().max_bytes(9),
    ] {
        assert_refused(pack(&f, "tree", options).await, ErrorKind::TooLarge);
        let target = path("copy");
        let copied = f.files.copy_to(stream(&archive), &target, options).await;
        assert_refused(copied, ErrorKind::TooLarge);
        assert!(!f.workspace.join("copy/b").exists());
    }
    let exact = CopyOptions::default().max_entries(2).max_bytes(10);
    assert_eq!(pack(&f, "tree", exact).await.unwrap(), archive);
    f.files
        .copy_to(stream(&archive), &path("copy"), exact)
        .await
        .unwrap();
    let small = CopyOptions::file().max_bytes(4);
    assert_refused(pack(&f, "tree/a", small).await, ErrorKind::TooLarge);
    let target = path("tree/a");
    let copied = f.files.copy_to(stream(b"54321"), &target, small).await;
    assert_refused(copied, ErrorKind::TooLarge);
    assert_eq!(f.bytes("tree/a"), b"12345");
}

#[tokio::test]
async fn sources_and_targets_that_do_not_fit_are_typed_errors() {
    let f = fixture();
    f.put("file", "x");
    f.put("tree/a/b", "x");
    f.link(&f.outside, "out");
    for (name, kind) in [
        ("missing", ErrorKind::NotFound),
        ("out", ErrorKind::InvalidInput),
        ("../outside", ErrorKind::InvalidInput),
    ] {
        assert_refused(pack(&f, name, CopyOptions::default()).await, kind);
    }
    assert_refused(
        pack(&f, "tree", CopyOptions::file()).await,
        ErrorKind::IsADirectory,
    );
    let archive = pack(&f, "tree", CopyOptions::default()).await.unwrap();
    for (name, kind) in [
        ("file", ErrorKind::NotADirectory),
        ("file/x", ErrorKind::NotADirectory),
        ("out/x", ErrorKind::InvalidInput),
    ] {
        assert_refused(unpack(&f, archive.clone(), name).await, kind);
    }
    let target = path("tree");
    let copied = f
        .files
        .copy_to(stream(b"x"), &target, CopyOptions::file())
        .await;
    assert_refused(copied, ErrorKind::IsADirectory);
    // A file in the place of a directory, and the other way round.
    f.put("one/a", "file");
    assert_refused(unpack(&f, archive, "one").await, ErrorKind::NotADirectory);
    let file = pack(&f, "one", CopyOptions::default()).await.unwrap();
    assert_refused(unpack(&f, file, "tree").await, ErrorKind::IsADirectory);
    assert_eq!(f.bytes("one/a"), b"file");
    assert_eq!(f.bytes("tree/a/b"), b"x");
}

#[tokio::test]
async fn a_file_that_shrinks_or_grows_meanwhile_leaves_a_whole_archive() {
    let f = fixture();
    for (name, size) in [("shrinks", 0), ("grows", 9 << 20)] {
        let file = f.put(&format!("{name}/a"), vec![b'x'; 4 << 20]);
        f.put(&format!("{name}/b"), "after");
        let source = path(name);
        let mut packed = f
            .files
            .copy_from(&source, CopyOptions::default())
            .await
            .unwrap();
        let mut archive = packed.next().await.unwrap().unwrap().to_vec();
        // The bounded channel holds the packer within the first file.
        std::fs::OpenOptions::new()
            .write(true)
            .open(file)
            .unwrap()
            .set_len(size)
            .unwrap();
        archive.extend(collect(packed).await.unwrap());
        unpack(&f, archive, &format!("copy-{name}")).await.unwrap();
        let copy = f.bytes(&format!("copy-{name}/a"));
        assert_eq!(copy.len(), 4 << 20);
        assert!(copy.starts_with(b"xxxx"));
        assert_eq!(f.bytes(&format!("copy-{name}/b")), b"after");
    }
}

#[tokio::test]
async fn a_dropped_stream_ends_the_packing() {
    let f = fixture();
    let file = f.put("tree/large", vec![b'x'; 8 << 20]);
    let source = path("tree");
    let mut packed = f
        .files
        .copy_from(&source, CopyOptions::default())
        .await
        .unwrap();
    packed.next().await.unwrap().unwrap();
    let is_open = || {
        let fds = std::fs::read_dir("/proc/self/fd").unwrap();
        fds.flatten()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == file))
    };
    assert!(is_open());
    drop(packed);
    while is_open() {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone, Debug)]
enum Node {
    File { content: Vec<u8>, mode: u32 },
    Dir { mode: u32 },
    Link(String),
}

fn tree() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let name = "[a-c]{1,2}|[é☃ \\n]{1,3}|(n){120}";
    let at = prop::collection::vec(name, 1..5).prop_map(|parts| parts.join("/"));
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        (0_usize..20_000).prop_map(|count| vec![0; count]),
    ];
    let node = prop_oneof![
        4 => (content, 0_u32..0o1000).prop_map(|(content, mode)| Node::File {
            content,
            mode: mode | 0o400,
        }),
        2 => (0_u32..0o1000).prop_map(|mode| Node::Dir { mode: mode | 0o700 }),
        1 => "[a-c/.]{1,150}".prop_map(Node::Link),
    ];
    prop::collection::btree_map(at, node, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_tree_survives_an_archive(tree in tree()) {
        let f = fixture();
        let root = f.workspace.join("tree");
        std::fs::create_dir(&root).unwrap();
        for (at, node) in &tree {
            let at = root.join(at);
            // Where a name is taken or lies below a file, the node is left out.
            let Ok(()) = std::fs::create_dir_all(at.parent().unwrap()) else { continue };
            let (made, mode) = match node {
                Node::File { content, mode } if !at.exists() => (std::fs::write(&at, content), mode),
                Node::Dir { mode } => (std::fs::create_dir(&at), mode),
                Node::Link(target) => {
                    let _ = std::os::unix::fs::symlink(target, &at);
                    continue;
                }
                Node::File { .. } => continue,
            };
            if made.is_ok() {
                std::fs::set_permissions(&at, std::fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let archive = pack(&f, "tree", CopyOptions::default()).await.unwrap();
            unpack(&f, archive.clone(), "copy").await.unwrap();
            // Once more onto itself: everything is replaced by itself.
            unpack(&f, archive, "copy").await.unwrap();
        });
        prop_assert_eq!(facts(&root), facts(&f.workspace.join("copy")));
    }
}

#[tokio::test]
async fn times_before_1970_arrive() {
    let f = fixture();
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    header.set_path("gnu").unwrap();
    header.as_old_mut().mtime = [0xff; 12];
    header.as_old_mut().mtime[11] = 0xfe;
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, &[][..]).unwrap();
    builder
        .append_pax_extensions([("mtime", &b"-1.25"[..])])
        .unwrap();
    header.set_path("pax").unwrap();
    header.set_mtime(0);
    header.set_cksum();
    builder.append(&header, &[][..]).unwrap();
    unpack(&f, builder.into_inner().unwrap(), "t")
        .await
        .unwrap();
    let time = |name: &str| {
        let meta = f.workspace.join(name).metadata().unwrap();
        (meta.mtime(), meta.mtime_nsec())
    };
    assert_eq!(time("t/gnu"), (-2, 0));
    assert_eq!(time("t/pax"), (-2, 750_000_000));
    copy(&f, "t", "again").await;
    assert_eq!(time("again/gnu"), (-2, 0));
}

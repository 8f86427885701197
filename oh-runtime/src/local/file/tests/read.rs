use std::os::unix::fs::PermissionsExt;

use futures::StreamExt;
use oh_core::{
    ByteRange, ErrorKind, FileContent, LineEnding, LinkMode, ReadAs, ReadOptions, TextContent,
};

use super::fixture::{Fixture, assert_refused, fixture, path, unprivileged, with_scope};
use crate::local::file::FileScope;

async fn content(f: &Fixture, name: &str, options: ReadOptions) -> TextContent {
    match f.files.read(&path(name), options).await.unwrap().content {
        FileContent::Text(content) => content,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bytes_come_whole_or_by_range() {
    let f = fixture();
    f.put("file", b"0123456789");
    for (range, expected) in [
        (ByteRange::from(0..10), &b"0123456789"[..]),
        ((2..5).into(), b"234"),
        ((8..).into(), b"89"),
        ((8..100).into(), b"89"),
        ((100..).into(), b""),
        ((3..3).into(), b""),
    ] {
        let options = ReadOptions::default().range(range);
        let output = f.files.read(&path("file"), options).await.unwrap();
        assert_eq!(&output.bytes().unwrap()[..], expected, "{range:?}");
        assert_eq!(output.meta.size_bytes, 10);
    }
    let output = f
        .files
        .read(&path("file"), ReadOptions::default())
        .await
        .unwrap();
    assert_eq!(&output.bytes().unwrap()[..], b"0123456789");
    assert_eq!(
        output.meta.path.as_str(),
        f.workspace.join("file").to_str().unwrap()
    );
}

#[tokio::test]
async fn lines_come_by_number() {
    let f = fixture();
    f.put("file", "one\ntwo\r\nthree\nfour");
    for (first, last, expected) in [
        (1, None, "one\ntwo\r\nthree\nfour"),
        (2, Some(3), "two\r\nthree\n"),
        (4, Some(4), "four"),
        (3, Some(99), "three\nfour"),
    ] {
        let found = content(&f, "file", ReadOptions::text().lines(first, last)).await;
        assert_eq!(found.text, expected);
        assert_eq!(found.first_line, first);
        assert_eq!(found.total_lines, 4);
        assert_eq!(found.line_ending, LineEnding::Mixed);
    }
    f.put("empty", "");
    let empty = content(&f, "empty", ReadOptions::text().lines(1, None)).await;
    assert_eq!((empty.text.as_str(), empty.total_lines), ("", 0));
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let f = fixture();
    f.put("file", "one\ntwo\n");
    for options in [
        ReadOptions::text().lines(0, None),
        ReadOptions::text().lines(3, None),
        ReadOptions::text().lines(2, Some(1)),
        ReadOptions::text().range(0..1),
        ReadOptions::default().lines(1, None),
        ReadOptions::default().range(ByteRange {
            start: 2,
            end: Some(1),
        }),
        ReadOptions::default().form(ReadAs::Encoded("no-such-encoding".into())),
        ReadOptions::default().form(ReadAs::Encoded("replacement".into())),
    ] {
        let read = f.files.read(&path("file"), options.clone()).await;
        assert_refused(read, ErrorKind::InvalidInput);
        if !matches!(options.form, ReadAs::Encoded(_)) {
            let read = f.files.read_stream(&path("file"), options).await;
            assert_refused(read.map(|_| ()), ErrorKind::InvalidInput);
        }
    }
    let beyond = f
        .files
        .read(&path("file"), ReadOptions::text().lines(3, None))
        .await;
    assert!(beyond.unwrap_err().to_string().contains("2 lines"));
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused_and_its_size_named() {
    let f = fixture();
    f.put("file", "0123456789\n0123456789\n");
    let options = ReadOptions::default().max_bytes(21);
    let error = assert_refused(
        f.files.read(&path("file"), options.clone()).await,
        ErrorKind::TooLarge,
    );
    assert!(
        error.to_string().contains("22") && error.to_string().contains("21"),
        "{error}"
    );
    let text = ReadOptions::text().max_bytes(21);
    assert_refused(
        f.files.read(&path("file"), text.clone()).await,
        ErrorKind::TooLarge,
    );
    // A part that fits is given.
    f.files
        .read(&path("file"), options.clone().range(0..21))
        .await
        .unwrap();
    f.files
        .read(&path("file"), text.lines(1, Some(1)))
        .await
        .unwrap();
    assert_refused(
        f.files.read(&path("file"), options.range(0..22)).await,
        ErrorKind::TooLarge,
    );
}

#[tokio::test]
async fn directories_pipes_and_devices_are_refused_at_once() {
    let f = with_scope(FileScope::Anywhere);
    std::fs::create_dir(f.workspace.join("dir")).unwrap();
    let status = std::process::Command::new("mkfifo")
        .arg(f.workspace.join("fifo"))
        .status()
        .unwrap();
    assert!(status.success());
    let _socket = std::os::unix::net::UnixListener::bind(f.workspace.join("socket")).unwrap();
    for (name, kind) in [
        ("dir", ErrorKind::IsADirectory),
        (".", ErrorKind::IsADirectory),
        ("missing", ErrorKind::NotFound),
        ("fifo", ErrorKind::InvalidInput),
        ("socket", ErrorKind::InvalidInput),
        ("/dev/zero", ErrorKind::InvalidInput),
        ("/dev/tty", ErrorKind::InvalidInput),
    ] {
        let read = f.files.read(&path(name), ReadOptions::default()).await;
        assert_refused(read, kind);
        assert_refused(f.text(name).await, kind);
        let stream = f
            .files
            .read_stream(&path(name), ReadOptions::default())
            .await;
        assert_refused(stream.map(|_| ()), kind);
        if name != "missing" && !name.starts_with('/') {
            assert_refused(f.write(name, "x").await, kind);
        }
    }
}

#[tokio::test]
async fn a_file_without_a_size_is_read_to_its_end() {
    let f = with_scope(FileScope::Anywhere);
    let output = f
        .files
        .read(&path("/proc/self/status"), ReadOptions::text())
        .await
        .unwrap();
    assert!(output.text().unwrap().contains("Pid:"));
}

#[tokio::test]
async fn a_stream_has_every_byte() {
    let f = fixture();
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    f.put("file", &bytes);
    for (options, expected) in [
        (ReadOptions::default(), &bytes[..]),
        (ReadOptions::default().range(5..700_001), &bytes[5..700_001]),
        (ReadOptions::default().range(999_999..), &bytes[999_999..]),
        (ReadOptions::default().range(2_000_000..), &[]),
    ] {
        let (meta, mut stream) = f.files.read_stream(&path("file"), options).await.unwrap();
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await {
            all.extend_from_slice(&piece.unwrap());
        }
        assert!(all == expected);
        assert_eq!(meta.size_bytes, 1_000_003);
    }
}

#[tokio::test]
async fn the_version_changes_with_the_content_and_only_then() {
    let f = fixture();
    let file = f.put("file", "aaaa");
    let version = async || {
        let read = f
            .files
            .read(&path("file"), ReadOptions::default())
            .await
            .unwrap();
        let stat = f.files.stat(&path("file"), LinkMode::Follow).await.unwrap();
        assert_eq!(read.meta.version, stat.version);
        let part = ReadOptions::default().range(1..2);
        let part = f.files.read(&path("file"), part).await.unwrap();
        assert_eq!(part.meta.version, stat.version);
        stat.version.unwrap()
    };
    let first = version().await;
    assert_eq!(first, version().await);
    // The same size, and the time put back.
    let modified = file.metadata().unwrap().modified().unwrap();
    std::fs::write(&file, "bbbb").unwrap();
    std::fs::File::open(&file)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    assert_ne!(first, version().await);
}

#[test]
fn what_may_not_be_read_is_an_error_or_said_to_be_left_out() {
    unprivileged(async |f| {
        let set_mode = |name: &str, bits| {
            let permissions = std::fs::Permissions::from_mode(bits);
            std::fs::set_permissions(f.workspace.join(name), permissions).unwrap();
        };
        f.put("open", "needle");
        f.put("closed/file", "needle");
        f.put("secret", "needle");
        set_mode("secret", 0o200);
        set_mode("closed", 0o000);
        let denied = ErrorKind::PermissionDenied;
        assert_refused(f.text("secret").await, denied);
        assert_refused(f.text("closed/file").await, denied);
        let options = oh_core::ListOptions::default();
        assert_refused(f.files.list(&path("closed"), options).await, denied);
        let listing = f.files.list(&path("."), options.depth(3)).await.unwrap();
        assert_eq!((listing.entries.len(), listing.truncated), (3, true));
        let glob = f.files.glob(oh_core::GlobQuery::new("*")).await.unwrap();
        assert_eq!((glob.paths.len(), glob.truncated), (2, true));
        let grep = f
            .files
            .grep(oh_core::GrepQuery::new("needle"))
            .await
            .unwrap();
        assert_eq!((grep.lines.len(), grep.truncated), (1, true));
        let copied = f
            .files
            .copy_from(&path("."), oh_core::CopyOptions::default())
            .await;
        let copied = super::copy::collect(copied.unwrap()).await;
        assert_eq!(assert_refused(copied, denied).object(), Some("closed"));
        let stat = f
            .files
            .stat(&path("secret"), LinkMode::Follow)
            .await
            .unwrap();
        assert_eq!(stat.version, None);
        set_mode("closed", 0o700);
    });
}

#[tokio::test]
async fn a_range_of_a_file_without_a_size_is_never_cut_silently() {
    let f = super::fixture::with_scope(crate::local::file::FileScope::Anywhere);
    let target = path("/proc/self/status");
    let options = |start, end| {
        let mut options = ReadOptions::default().range(oh_core::ByteRange { start, end });
        options.max_bytes = 10;
        options
    };
    let whole = f.files.read(&target, options(0, None)).await;
    assert_refused(whole, ErrorKind::TooLarge);
    let part = f.files.read(&target, options(0, Some(5))).await.unwrap();
    assert_eq!(part.bytes().unwrap(), &b"Name:"[..]);
}

#[test]
fn a_directory_whose_names_alone_can_be_read_is_left_out_and_said_to_be() {
    unprivileged(async |f| {
        let set_mode = |bits| {
            let permissions = std::fs::Permissions::from_mode(bits);
            std::fs::set_permissions(f.workspace.join("names"), permissions).unwrap();
        };
        f.put("names/file", "needle");
        f.put("open", "needle");
        std::fs::create_dir(f.workspace.join("empty")).unwrap();
        set_mode(0o444);
        let options = oh_core::ListOptions::default().depth(3);
        let listing = f.files.list(&path("."), options).await.unwrap();
        assert_eq!((listing.entries.len(), listing.truncated), (3, true));
        let glob = f.files.glob(oh_core::GlobQuery::new("*")).await.unwrap();
        assert_eq!((glob.paths.len(), glob.truncated), (1, true));
        let query = oh_core::GrepQuery::new("needle");
        let grep = f.files.grep(query).await.unwrap();
        assert_eq!((grep.lines.len(), grep.truncated), (1, true));
        let denied = ErrorKind::PermissionDenied;
        assert_refused(f.files.list(&path("names"), options).await, denied);
        let tree = oh_core::RemoveMode::Tree;
        assert_refused(f.files.remove(&path("names"), tree).await, denied);
        set_mode(0o700);
        let permissions = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(f.workspace.join("empty"), permissions).unwrap();
        f.files.remove(&path("empty"), tree).await.unwrap();
    });
}

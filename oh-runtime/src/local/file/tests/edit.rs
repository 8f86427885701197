use std::os::unix::fs::PermissionsExt;

use oh_core::ErrorKind;
use oh_core::edit::Edit;
use proptest::prelude::*;

use super::fixture::{Fixture, assert_refused, fixture, path};

async fn edit(f: &Fixture, name: &str, edit: Edit) -> oh_core::Result<oh_core::edit::EditOutput> {
    f.files.edit(&path(name), edit).await
}

#[tokio::test]
async fn an_edit_changes_one_place_and_shows_the_difference() {
    let f = fixture();
    let file = f.put("file", "one\ntwo\nthree\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = edit(&f, "file", Edit::replace("two", "2")).await.unwrap();
    assert!(output.diff.contains("-two\n+2\n"), "{}", output.diff);
    assert_eq!(f.bytes("file"), b"one\n2\nthree\n");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let output = edit(&f, "file", Edit::insert(0, "zero\n")).await.unwrap();
    assert_eq!(output.after.as_deref(), Some("zero\none\n2\nthree\n"));
}

#[tokio::test]
async fn encoding_mark_and_line_ends_stay() {
    let f = fixture();
    f.put("utf8", b"\xef\xbb\xbfone\r\ntwo\r\n");
    edit(&f, "utf8", Edit::replace("two", "2\nlines"))
        .await
        .unwrap();
    assert_eq!(f.bytes("utf8"), b"\xef\xbb\xbfone\r\n2\r\nlines\r\n");
    f.put("latin", b"caf\xe9 cr\xe8me br\xfbl\xe9e\n");
    edit(&f, "latin", Edit::replace("crème", "thé"))
        .await
        .unwrap();
    assert_eq!(f.bytes("latin"), b"caf\xe9 th\xe9 br\xfbl\xe9e\n");
    f.put("utf16", b"\xff\xfeh\0i\0\n\0");
    edit(&f, "utf16", Edit::replace("hi", "ho☃")).await.unwrap();
    assert_eq!(f.bytes("utf16"), b"\xff\xfeh\0o\0\x03\x26\n\0");
}

#[tokio::test]
async fn undo_restores_every_byte_and_removes_what_was_created() {
    let f = fixture();
    f.put("file", b"caf\xe9 cr\xe8me br\xfbl\xe9e\n");
    f.link("file", "link");
    edit(&f, "file", Edit::replace("café", "a")).await.unwrap();
    edit(&f, "link", Edit::replace("crème", "b")).await.unwrap();
    let output = edit(&f, "file", Edit::Undo).await.unwrap();
    assert_eq!(output.after.as_deref(), Some("a crème brûlée\n"));
    edit(&f, "file", Edit::Undo).await.unwrap();
    assert_eq!(f.bytes("file"), b"caf\xe9 cr\xe8me br\xfbl\xe9e\n");
    assert_refused(edit(&f, "file", Edit::Undo).await, ErrorKind::InvalidInput);

    let created = edit(&f, "dir/new", Edit::create("text")).await.unwrap();
    assert!(created.created);
    let output = edit(&f, "dir/new", Edit::Undo).await.unwrap();
    assert_eq!(output.after, None);
    assert!(!f.workspace.join("dir/new").exists());
}

#[tokio::test]
async fn an_edit_that_does_not_fit_changes_nothing() {
    let f = fixture();
    f.put("file", "one\none\n");
    f.put("latin", b"caf\xe9 cr\xe8me\n");
    f.put("binary", b"\0\x01\x02");
    f.put("large", vec![b'x'; (16 << 20) + 1]);
    std::fs::create_dir(f.workspace.join("dir")).unwrap();
    let before = f.snapshot();
    for (name, change, kind) in [
        ("file", Edit::replace("one", "1"), ErrorKind::InvalidInput),
        (
            "file",
            Edit::replace("absent", "1"),
            ErrorKind::InvalidInput,
        ),
        ("file", Edit::replace("", "1"), ErrorKind::InvalidInput),
        ("file", Edit::insert(3, "x"), ErrorKind::InvalidInput),
        ("file", Edit::create("x"), ErrorKind::AlreadyExists),
        ("file", Edit::Undo, ErrorKind::InvalidInput),
        ("missing", Edit::replace("a", "b"), ErrorKind::NotFound),
        ("missing/file", Edit::insert(0, "b"), ErrorKind::NotFound),
        ("binary", Edit::insert(0, "b"), ErrorKind::InvalidInput),
        ("large", Edit::insert(0, "b"), ErrorKind::TooLarge),
        ("dir", Edit::insert(0, "b"), ErrorKind::IsADirectory),
        ("file/x", Edit::create("b"), ErrorKind::NotADirectory),
    ] {
        let error = assert_refused(edit(&f, name, change).await, kind);
        assert_eq!((error.operation(), error.object()), ("edit", Some(name)));
    }
    let error = edit(&f, "latin", Edit::replace("café", "☃"))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains('☃') && text.contains("windows-1252"),
        "{text}"
    );
    assert_eq!(f.snapshot(), before);
}

#[tokio::test]
async fn edits_at_the_same_time_all_arrive() {
    let f = fixture();
    let lines: String = (0..24).map(|n| format!("<{n}>\n")).collect();
    f.put("file", &lines);
    let edits = (0..24).map(|n| {
        let files = f.files.clone();
        tokio::spawn(async move {
            let change = Edit::replace(format!("<{n}>"), format!("[{n}]"));
            files.edit(&path("file"), change).await
        })
    });
    for done in futures::future::join_all(edits).await {
        done.unwrap().unwrap();
    }
    let expected = lines.replace('<', "[").replace('>', "]");
    assert_eq!(f.bytes("file"), expected.as_bytes());
}

#[tokio::test]
async fn an_undo_takes_back_nothing_but_an_edit() {
    let f = fixture();
    let file = f.put("file", "one\n");
    edit(&f, "file", Edit::replace("one", "two")).await.unwrap();
    f.put("file", "of another program\n");
    assert_refused(edit(&f, "file", Edit::Undo).await, ErrorKind::Conflict);
    assert_eq!(f.bytes("file"), b"of another program\n");
    std::fs::remove_file(&file).unwrap();
    assert_refused(edit(&f, "file", Edit::Undo).await, ErrorKind::Conflict);
    assert!(!file.exists());
    // Back as the edit left it, by whatever way.
    f.put("file", "two\n");
    edit(&f, "file", Edit::Undo).await.unwrap();
    assert_eq!(f.bytes("file"), b"one\n");
    assert_refused(edit(&f, "file", Edit::Undo).await, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_file_that_was_removed_and_made_anew_has_no_past() {
    let f = fixture();
    edit(&f, "file", Edit::create("old\n")).await.unwrap();
    let change = Edit::replace("old", "older");
    edit(&f, "file", change).await.unwrap();
    std::fs::remove_file(f.workspace.join("file")).unwrap();
    edit(&f, "file", Edit::create("new\n")).await.unwrap();
    edit(&f, "file", Edit::Undo).await.unwrap();
    assert!(f.snapshot().is_empty());
    assert_refused(edit(&f, "file", Edit::Undo).await, ErrorKind::Conflict);
    assert!(f.snapshot().is_empty());
}

#[tokio::test]
async fn an_edit_that_makes_a_file_too_large_to_edit_is_refused() {
    let f = fixture();
    let large = "x".repeat((16 << 20) + 1);
    let create = Edit::create(large.clone());
    let refused = edit(&f, "dir/file", create).await.map(|_| ());
    assert_refused(refused, ErrorKind::TooLarge);
    assert!(f.snapshot().is_empty());
    f.put("file", "x\n");
    let insert = Edit::insert(0, large);
    let refused = edit(&f, "file", insert).await.map(|_| ());
    assert_refused(refused, ErrorKind::TooLarge);
    assert_eq!(f.bytes("file"), b"x\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_edit_keeps_every_other_byte_and_undo_gives_all_back(
        head in "[a-zé☃\r\n]{0,60}",
        tail in "[a-zé☃\r\n]{0,60}",
        new in "[A-Yé☃]{0,20}",
        mark: bool,
    ) {
        let f = fixture();
        let start = if mark { "\u{feff}" } else { "" };
        let old = format!("{start}{head}QQQ{tail}");
        f.put("file", &old);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(edit(&f, "file", Edit::replace("QQQ", new.clone()))).unwrap();
        prop_assert_eq!(f.bytes("file"), format!("{start}{head}{new}{tail}").into_bytes());
        runtime.block_on(edit(&f, "file", Edit::Undo)).unwrap();
        prop_assert_eq!(f.bytes("file"), old.into_bytes());
    }
}

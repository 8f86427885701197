//! Editing text files.

use oh_core::{Capability, Edit, EditOutput, ErrorKind, Result};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::concurrent::{Boxed, join_all};
use crate::conformance::expect::{
    Checked, ensure, expect_bytes, expect_eq, expect_kind, expect_names, expect_one_of,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Edit;

pub(super) const CHECKS: &[Check] = &[
    check!(the_only_occurrence_is_replaced),
    check!(the_answer_shows_the_change),
    check!(a_text_that_does_not_occur_changes_nothing),
    check!(a_text_that_occurs_twice_changes_nothing_and_is_counted),
    check!(lines_are_inserted),
    check!(a_line_past_the_end_is_refused),
    check!(a_file_is_created),
    check!(an_existing_file_is_not_created),
    check!(a_missing_file_is_not_found),
    check!(a_directory_is_refused),
    check!(a_binary_file_is_refused),
    check!(crlf_line_ends_are_kept),
    check!(a_missing_final_newline_is_kept),
    check!(the_mode_is_kept),
    check!(utf_16_is_kept).needs(&[Capability::Encodings]),
    check!(undo_goes_back_step_by_step).needs(UNDO),
    check!(undo_of_a_creation_removes_the_file).needs(UNDO),
    check!(undo_without_a_change_is_refused).needs(UNDO),
    check!(edits_at_once_are_all_there_or_refused).needs(&[Capability::Versions]),
];

const UNDO: &[Capability] = &[Capability::Undo];

async fn edit(trial: &Trial<'_>, name: &str, edit: Edit) -> Checked<Result<EditOutput>> {
    Ok(trial.runtime().edit(&trial.path(name)?, edit).await)
}

async fn expect_file(trial: &Trial<'_>, name: &str, wanted: &str) -> Checked {
    expect_bytes(name, &trial.get(name).await?, wanted.as_bytes())
}

async fn the_only_occurrence_is_replaced(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo\n  three\n").await?;
    edit(trial, "file", Edit::replace("two\n  th", "2\n\tTH")).await??;
    expect_file(trial, "file", "one\n2\n\tTHree\n").await?;
    edit(trial, "file", Edit::replace("one\n", "")).await??;
    expect_file(trial, "file", "2\n\tTHree\n").await?;
    edit(trial, "file", Edit::replace("TH", "$1 \\0 é漢")).await??;
    expect_file(trial, "file", "2\n\t$1 \\0 é漢ree\n").await
}

async fn the_answer_shows_the_change(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo\nthree\n").await?;
    let answer = edit(trial, "file", Edit::replace("two", "2")).await??;
    expect_eq(
        "before",
        answer.before.as_deref(),
        Some("one\ntwo\nthree\n"),
    )?;
    expect_eq("after", answer.after.as_deref(), Some("one\n2\nthree\n"))?;
    expect_eq("created", answer.created, false)?;
    ensure!(
        answer.diff.contains("-two\n+2\n"),
        "the diff does not show the change: {:?}",
        answer.diff
    );
    expect_eq("the first changed line", answer.first_changed_line, 2)
}

async fn a_text_that_does_not_occur_changes_nothing(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo\n").await?;
    for old in ["three", "ONE", "one two", "one\\ntwo", ""] {
        let refused = edit(trial, "file", Edit::replace(old, "x")).await?;
        let error = expect_kind(&format!("{old:?}"), refused, ErrorKind::InvalidInput)?;
        expect_names(&error, "file")?;
    }
    expect_file(trial, "file", "one\ntwo\n").await
}

async fn a_text_that_occurs_twice_changes_nothing_and_is_counted(trial: &Trial<'_>) -> Checked {
    trial.put("file", "a x\nb x\nc x\n").await?;
    let refused = edit(trial, "file", Edit::replace("x", "y")).await?;
    expect_names(&expect_kind("edit", refused, ErrorKind::InvalidInput)?, "3")?;
    expect_file(trial, "file", "a x\nb x\nc x\n").await
}

async fn lines_are_inserted(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo\n").await?;
    for (after, text, wanted) in [
        (0, "zero", "zero\none\ntwo\n"),
        (2, "half\nmore", "zero\none\nhalf\nmore\ntwo\n"),
        (5, "last\n", "zero\none\nhalf\nmore\ntwo\nlast\n"),
    ] {
        edit(trial, "file", Edit::insert(after, text)).await??;
        expect_file(trial, "file", wanted).await?;
    }
    Ok(())
}

async fn a_line_past_the_end_is_refused(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo\n").await?;
    for line in [3, u64::MAX] {
        let refused = edit(trial, "file", Edit::insert(line, "x")).await?;
        expect_names(
            &expect_kind("edit", refused, ErrorKind::InvalidInput)?,
            "file",
        )?;
    }
    expect_file(trial, "file", "one\ntwo\n").await
}

async fn a_file_is_created(trial: &Trial<'_>) -> Checked {
    let answer = edit(trial, "new/file", Edit::create("one\n")).await??;
    expect_eq("created", answer.created, true)?;
    expect_file(trial, "new/file", "one\n").await
}

async fn an_existing_file_is_not_created(trial: &Trial<'_>) -> Checked {
    trial.put("file", "old").await?;
    let refused = edit(trial, "file", Edit::create("new")).await?;
    expect_names(
        &expect_kind("edit", refused, ErrorKind::AlreadyExists)?,
        "file",
    )?;
    expect_file(trial, "file", "old").await
}

async fn a_missing_file_is_not_found(trial: &Trial<'_>) -> Checked {
    for change in [Edit::replace("a", "b"), Edit::insert(0, "a")] {
        let refused = edit(trial, "missing", change).await?;
        expect_names(
            &expect_kind("edit", refused, ErrorKind::NotFound)?,
            "missing",
        )?;
    }
    Ok(())
}

async fn a_directory_is_refused(trial: &Trial<'_>) -> Checked {
    trial.put("dir/file", "x").await?;
    let refused = edit(trial, "dir", Edit::replace("a", "b")).await?;
    expect_kind("edit", refused, ErrorKind::IsADirectory).map(drop)
}

async fn a_binary_file_is_refused(trial: &Trial<'_>) -> Checked {
    let bytes: &[u8] = b"\x7fELF\x02\0\0\0text\0\0\xff\xfe";
    trial.put("file", bytes).await?;
    let refused = edit(trial, "file", Edit::replace("text", "TEXT")).await?;
    expect_names(
        &expect_kind("edit", refused, ErrorKind::InvalidInput)?,
        "file",
    )?;
    expect_bytes("the file", &trial.get("file").await?, bytes)
}

async fn crlf_line_ends_are_kept(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\r\ntwo\r\nthree\r\n").await?;
    edit(trial, "file", Edit::replace("one\ntwo", "1\n2\n2b")).await??;
    edit(trial, "file", Edit::insert(0, "zero\n")).await??;
    expect_file(trial, "file", "zero\r\n1\r\n2\r\n2b\r\nthree\r\n").await
}

async fn a_missing_final_newline_is_kept(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\ntwo").await?;
    edit(trial, "file", Edit::replace("one", "1")).await??;
    expect_file(trial, "file", "1\ntwo").await
}

async fn the_mode_is_kept(trial: &Trial<'_>) -> Checked {
    trial.ok("echo 'echo one' >tool; chmod 755 tool").await?;
    edit(trial, "tool", Edit::replace("one", "two")).await??;
    let found = trial.ok("ls -l tool | cut -c1-10").await?;
    expect_eq("the mode", found.as_str(), "-rwxr-xr-x\n")
}

async fn utf_16_is_kept(trial: &Trial<'_>) -> Checked {
    let encode = |text: &str| -> Vec<u8> {
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    trial.put("file", encode("one\r\ntwo é\r\n")).await?;
    edit(trial, "file", Edit::replace("two", "漢")).await??;
    expect_bytes(
        "the file",
        &trial.get("file").await?,
        &encode("one\r\n漢 é\r\n"),
    )
}

async fn undo_goes_back_step_by_step(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one\r\n").await?;
    edit(trial, "file", Edit::replace("one", "two")).await??;
    edit(trial, "file", Edit::replace("two", "three")).await??;
    for wanted in ["two\r\n", "one\r\n"] {
        let answer = edit(trial, "file", Edit::Undo).await??;
        expect_eq("after", answer.after.as_deref(), Some(wanted))?;
        expect_file(trial, "file", wanted).await?;
    }
    Ok(())
}

async fn undo_of_a_creation_removes_the_file(trial: &Trial<'_>) -> Checked {
    edit(trial, "file", Edit::create("one\n")).await??;
    let answer = edit(trial, "file", Edit::Undo).await??;
    expect_eq("after", answer.after, None)?;
    let names = trial.ok("ls -A").await?;
    expect_eq("the names in the directory", names.as_str(), "")
}

async fn undo_without_a_change_is_refused(trial: &Trial<'_>) -> Checked {
    trial.ok("printf one >file").await?;
    let refused = edit(trial, "file", Edit::Undo).await?;
    expect_names(
        &expect_kind("undo", refused, ErrorKind::InvalidInput)?,
        "file",
    )?;
    expect_file(trial, "file", "one").await
}

async fn edits_at_once_are_all_there_or_refused(trial: &Trial<'_>) -> Checked {
    trial.put("file", "start\n").await?;
    let one = |n: usize| -> Boxed<'_, Checked<Result<EditOutput>>> {
        Box::pin(async move { edit(trial, "file", Edit::insert(1, format!("line {n}"))).await })
    };
    let mut written = Vec::new();
    for (n, answer) in join_all((0..10).map(one).collect())
        .await
        .into_iter()
        .enumerate()
    {
        match answer? {
            Ok(_) => written.push(format!("line {n}")),
            refused => drop(expect_one_of("edit", refused, &[ErrorKind::Conflict])?),
        }
    }
    let content = trial.get("file").await?;
    let content = String::from_utf8_lossy(&content).into_owned();
    let mut found: Vec<_> = content.lines().skip(1).map(str::to_owned).collect();
    found.sort();
    written.sort();
    expect_eq("the lines of successful edits", found, written)
}

//! Writing files.

use bytes::Bytes;
use oh_core::{
    Body, Capability, Error, ErrorKind, FileMeta, FileVersion, Parents, ReadOptions, Result,
    SandboxPath, WriteMode, WriteOptions,
};

use crate::conformance::byte_stream::{stream_in_pieces, stream_of};
use crate::conformance::check::{Check, Family, check};
use crate::conformance::concurrent::{Boxed, join_all};
use crate::conformance::expect::{
    Checked, Failure, ensure, expect_bytes, expect_eq, expect_kind, expect_names, expect_one_of,
    expect_prints, shown,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::FileWrite;

pub(super) const CHECKS: &[Check] = &[
    check!(a_written_file_is_seen_by_commands),
    check!(missing_parents_are_made),
    check!(missing_parents_are_refused_when_required),
    check!(a_stream_is_written_whole),
    check!(a_broken_stream_leaves_the_target_as_it_was),
    check!(an_existing_file_keeps_its_mode),
    check!(permissions_are_set),
    check!(a_new_file_is_not_executable),
    check!(create_new_never_replaces),
    check!(only_one_of_many_creates_a_file),
    check!(an_old_version_is_a_conflict).needs(VERSIONS),
    check!(the_present_version_is_replaced).needs(VERSIONS),
    check!(every_change_makes_another_version).needs(VERSIONS),
    check!(only_one_of_many_replaces_a_version).needs(VERSIONS),
    check!(a_reader_never_sees_a_mix),
    check!(many_writers_leave_one_whole_file),
    check!(writing_through_a_link_changes_its_target),
    check!(a_directory_is_not_replaced),
    check!(a_path_through_a_file_is_not_a_directory),
    check!(awkward_names_are_kept),
    check!(a_name_that_is_too_long_is_refused),
    check!(the_answer_describes_the_file),
    check!(a_path_out_of_the_workspace_is_refused).scoped(),
    check!(a_link_out_of_the_workspace_is_not_written_through).scoped(),
];

const VERSIONS: &[Capability] = &[Capability::Versions];

async fn write(
    trial: &Trial<'_>,
    name: &str,
    body: impl Into<Body>,
    options: WriteOptions,
) -> Checked<Result<FileMeta>> {
    let path = trial.path(name)?;
    Ok(trial.runtime().write(&path, body.into(), options).await)
}

fn mode(mode: WriteMode) -> WriteOptions {
    WriteOptions::default().mode(mode)
}

async fn expect_file(trial: &Trial<'_>, name: &str, wanted: &str) -> Checked {
    expect_bytes(name, &trial.get(name).await?, wanted.as_bytes())
}

/// Nothing but these names is in the directory: no temporary file was left.
async fn expect_names_in(trial: &Trial<'_>, dir: &str, wanted: &str) -> Checked {
    let names = trial.ok(&format!("LC_ALL=C ls -A {dir}")).await?;
    expect_eq("the names in the directory", names.as_str(), wanted)
}

async fn a_written_file_is_seen_by_commands(trial: &Trial<'_>) -> Checked {
    let bytes: Vec<u8> = (0..=255).collect();
    trial.put("file", bytes.clone()).await?;
    expect_prints(&trial.sh("cat file").await?, bytes)?;
    trial.put("file", "").await?;
    expect_prints(&trial.sh("cat file").await?, "")?;
    expect_names_in(trial, ".", "file\n").await
}

async fn missing_parents_are_made(trial: &Trial<'_>) -> Checked {
    trial.put("a/b c/d/file", "deep").await?;
    expect_file(trial, "a/b c/d/file", "deep").await
}

async fn missing_parents_are_refused_when_required(trial: &Trial<'_>) -> Checked {
    let options = WriteOptions::default().parents(Parents::Require);
    let written = write(trial, "a/file", "x", options.clone()).await?;
    expect_names(
        &expect_kind("write", written, ErrorKind::NotFound)?,
        "a/file",
    )?;
    expect_names_in(trial, ".", "").await?;
    write(trial, "file", "x", options).await??;
    expect_file(trial, "file", "x").await
}

async fn a_stream_is_written_whole(trial: &Trial<'_>) -> Checked {
    let bytes: Bytes = (0..=250u8).cycle().take(3_000_001).collect();
    let body = Body::Stream(stream_in_pieces(&bytes, 70_001));
    let meta = write(trial, "file", body, WriteOptions::default()).await??;
    expect_eq("the size", meta.size_bytes, 3_000_001)?;
    expect_bytes("the content", &trial.get("file").await?, &bytes)
}

async fn a_broken_stream_leaves_the_target_as_it_was(trial: &Trial<'_>) -> Checked {
    trial.put("dir/old", "old").await?;
    for name in ["dir/old", "dir/new"] {
        let broken = Error::new(ErrorKind::Unavailable, "test stream").with_detail("broken off");
        let pieces = vec![Ok(Bytes::from(vec![b'x'; 100_000])), Err(broken)];
        let body = Body::Stream(stream_of(pieces));
        let written = write(trial, name, body, WriteOptions::default()).await?;
        expect_kind("write", written, ErrorKind::Unavailable)?;
    }
    expect_names_in(trial, "dir", "old\n").await?;
    expect_file(trial, "dir/old", "old").await
}

async fn an_existing_file_keeps_its_mode(trial: &Trial<'_>) -> Checked {
    for bits in ["755", "600", "664"] {
        let script = format!("echo old >file; chmod {bits} file; ls -l file | cut -c1-10");
        let before = trial.ok(&script).await?;
        trial.put("file", "new").await?;
        let after = trial.ok("ls -l file | cut -c1-10").await?;
        expect_eq("the mode", after, before)?;
    }
    Ok(())
}

async fn permissions_are_set(trial: &Trial<'_>) -> Checked {
    for (name, bits, wanted) in [("a", 0o600, "-rw-------\n"), ("b", 0o755, "-rwxr-xr-x\n")] {
        let options = WriteOptions::default().permissions(bits);
        write(trial, name, "x", options).await??;
        let found = trial.ok(&format!("ls -l {name} | cut -c1-10")).await?;
        expect_eq("the mode", found.as_str(), wanted)?;
    }
    Ok(())
}

async fn a_new_file_is_not_executable(trial: &Trial<'_>) -> Checked {
    trial.put("file", "x").await?;
    let found = trial.ok("ls -l file | cut -c1-10").await?;
    expect_eq("the mode of a new file", found.as_str(), "-rw-r--r--\n")
}

async fn create_new_never_replaces(trial: &Trial<'_>) -> Checked {
    trial
        .ok("printf old >file; mkdir dir; ln -s nowhere link")
        .await?;
    for name in ["file", "dir", "link"] {
        let written = write(trial, name, "new", mode(WriteMode::CreateNew)).await?;
        let kinds = [ErrorKind::AlreadyExists, ErrorKind::IsADirectory];
        expect_names(&expect_one_of(name, written, &kinds)?, name)?;
    }
    expect_file(trial, "file", "old").await?;
    expect_names_in(trial, ".", "dir\nfile\nlink\n").await?;
    write(trial, "other", "new", mode(WriteMode::CreateNew)).await??;
    expect_file(trial, "other", "new").await
}

async fn count_written(trial: &Trial<'_>, mode: &WriteMode) -> Checked<usize> {
    let one = |n: usize| -> Boxed<'_, Checked<Result<FileMeta>>> {
        let options = WriteOptions::default().mode(mode.clone());
        Box::pin(async move { write(trial, "file", format!("by {n}"), options).await })
    };
    let mut written = 0;
    for result in join_all((0..10).map(one).collect()).await {
        match result? {
            Ok(_) => written += 1,
            refused => {
                let kinds = [ErrorKind::AlreadyExists, ErrorKind::Conflict];
                expect_one_of("write", refused, &kinds)?;
            }
        }
    }
    Ok(written)
}

async fn only_one_of_many_creates_a_file(trial: &Trial<'_>) -> Checked {
    expect_eq(
        "writers that succeeded",
        count_written(trial, &WriteMode::CreateNew).await?,
        1,
    )?;
    expect_names_in(trial, ".", "file\n").await
}

async fn version(trial: &Trial<'_>, name: &str) -> Checked<FileVersion> {
    let output = trial
        .runtime()
        .read(&trial.path(name)?, ReadOptions::default())
        .await?;
    let version = output.meta.version;
    version.ok_or_else(|| Failure::new("a read file has no version"))
}

async fn only_one_of_many_replaces_a_version(trial: &Trial<'_>) -> Checked {
    trial.put("file", "old").await?;
    let mode = WriteMode::IfVersion(version(trial, "file").await?);
    expect_eq(
        "writers that succeeded",
        count_written(trial, &mode).await?,
        1,
    )
}

async fn an_old_version_is_a_conflict(trial: &Trial<'_>) -> Checked {
    trial.put("file", "one").await?;
    let old = version(trial, "file").await?;
    trial.ok("printf two >file").await?;
    let written = write(
        trial,
        "file",
        "three",
        mode(WriteMode::IfVersion(old.clone())),
    )
    .await?;
    expect_names(&expect_kind("write", written, ErrorKind::Conflict)?, "file")?;
    expect_file(trial, "file", "two").await?;
    trial.ok("rm file").await?;
    let written = write(trial, "file", "three", mode(WriteMode::IfVersion(old))).await?;
    let kinds = [ErrorKind::Conflict, ErrorKind::NotFound];
    expect_one_of("write of a removed file", written, &kinds)?;
    expect_names_in(trial, ".", "").await
}

async fn the_present_version_is_replaced(trial: &Trial<'_>) -> Checked {
    let meta = write(trial, "file", "one", WriteOptions::default()).await??;
    let read = version(trial, "file").await?;
    expect_eq("the version", meta.version.as_ref(), Some(&read))?;
    let meta = write(trial, "file", "two", mode(WriteMode::IfVersion(read))).await??;
    ensure!(meta.version.is_some(), "a written file has no version");
    expect_file(trial, "file", "two").await
}

async fn every_change_makes_another_version(trial: &Trial<'_>) -> Checked {
    let mut seen = Vec::new();
    for content in ["one", "two", "six", ""] {
        trial.ok(&format!("printf '{content}' >file")).await?;
        let version = version(trial, "file").await?;
        ensure!(
            !seen.contains(&version),
            "{content:?} has the version of another content"
        );
        seen.push(version);
    }
    Ok(())
}

async fn a_reader_never_sees_a_mix(trial: &Trial<'_>) -> Checked {
    const SIZE: usize = 1_000_000;
    trial.put("file", vec![b'0'; SIZE]).await?;
    let writing = async {
        for round in 0..30u8 {
            trial.put("file", vec![b'0' + round % 10; SIZE]).await?;
        }
        Ok::<_, Failure>(())
    };
    let reading = async {
        for _ in 0..60 {
            let content = trial.get("file").await?;
            let first = content.first().copied().unwrap_or_default();
            ensure!(
                content.len() == SIZE && content.iter().all(|byte| *byte == first),
                "a reader sees {} bytes that begin with \"{}\" and are not one content",
                content.len(),
                shown(&content)
            );
        }
        Ok(())
    };
    let (written, read) = tokio::join!(writing, reading);
    written.and(read)
}

async fn many_writers_leave_one_whole_file(trial: &Trial<'_>) -> Checked {
    let one = |n: u8| -> Boxed<'_, Checked> {
        Box::pin(async move { trial.put("dir/file", vec![b'a' + n; 200_000]).await })
    };
    let all: Checked = join_all((0..10).map(one).collect())
        .await
        .into_iter()
        .collect();
    all?;
    let content = trial.get("dir/file").await?;
    let first = content.first().copied().unwrap_or_default();
    ensure!(
        content.len() == 200_000 && content.iter().all(|byte| *byte == first),
        "the file has {} bytes and is not one content",
        content.len()
    );
    expect_names_in(trial, "dir", "file\n").await
}

async fn writing_through_a_link_changes_its_target(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir sub; printf old >sub/file; ln -s sub/file link")
        .await?;
    trial.put("link", "new").await?;
    expect_file(trial, "sub/file", "new").await?;
    expect_prints(&trial.sh("test -L link && echo still").await?, "still\n")
}

async fn a_directory_is_not_replaced(trial: &Trial<'_>) -> Checked {
    trial.put("dir/file", "x").await?;
    let written = write(trial, "dir", "x", WriteOptions::default()).await?;
    expect_names(
        &expect_kind("write", written, ErrorKind::IsADirectory)?,
        "dir",
    )?;
    expect_file(trial, "dir/file", "x").await
}

async fn a_path_through_a_file_is_not_a_directory(trial: &Trial<'_>) -> Checked {
    trial.put("file", "x").await?;
    let written = write(trial, "file/below", "y", WriteOptions::default()).await?;
    let kinds = [ErrorKind::NotADirectory, ErrorKind::AlreadyExists];
    expect_names(&expect_one_of("write", written, &kinds)?, "file")?;
    expect_file(trial, "file", "x").await
}

async fn awkward_names_are_kept(trial: &Trial<'_>) -> Checked {
    let long = "n".repeat(255);
    let names = [
        "two words",
        "é漢🦀",
        "-dash",
        "'quote\"",
        "$HOME",
        "*",
        "a\\b",
        "line\nbreak",
        ".hidden",
        "tab\there",
        "...",
        " ",
        "#",
        "~",
        long.as_str(),
    ];
    for name in names {
        trial.put(name, format!("in {name}")).await?;
        expect_file(trial, name, &format!("in {name}")).await?;
        let output = trial
            .run(trial.program("cat")?.arg(format!("./{name}")))
            .await?;
        expect_prints(&output, format!("in {name}"))?;
    }
    Ok(())
}

async fn a_name_that_is_too_long_is_refused(trial: &Trial<'_>) -> Checked {
    let written = write(trial, &"n".repeat(256), "x", WriteOptions::default()).await?;
    expect_kind("write", written, ErrorKind::InvalidInput)?;
    expect_names_in(trial, ".", "").await
}

async fn the_answer_describes_the_file(trial: &Trial<'_>) -> Checked {
    let meta = write(trial, "sub/file", "12345", WriteOptions::default()).await??;
    expect_eq("the size", meta.size_bytes, 5)?;
    ensure!(
        meta.path.is_absolute() && meta.path.as_str().ends_with("sub/file"),
        "the path is {}",
        meta.path
    );
    let read = trial
        .runtime()
        .read(&meta.path, ReadOptions::text())
        .await?;
    expect_eq("the content under that path", read.text(), Some("12345"))
}

/// Writes where nothing may be written, and takes away what was.
async fn expect_refused(trial: &Trial<'_>, path: &SandboxPath, outside: &str) -> Checked {
    let body = Body::from("x");
    let options = WriteOptions::default();
    let written = trial.runtime().write(path, body, options).await;
    let left = trial
        .ok(&format!("ls -d {outside} 2>/dev/null; rm -f {outside}"))
        .await?;
    let kinds = [ErrorKind::InvalidInput, ErrorKind::Denied];
    expect_one_of(path.as_str(), written, &kinds)?;
    expect_eq("what was written outside", left.as_str(), "")
}

async fn a_path_out_of_the_workspace_is_refused(trial: &Trial<'_>) -> Checked {
    let name = format!("oh-{}", trial.dir());
    for (path, outside) in [
        (format!("../{name}"), format!("../../{name}")),
        (format!("/tmp/{name}"), format!("/tmp/{name}")),
        (
            format!("{}/../../../../../../../../../../tmp/{name}", trial.dir()),
            format!("/tmp/{name}"),
        ),
    ] {
        expect_refused(trial, &SandboxPath::new(path)?, &outside).await?;
    }
    Ok(())
}

async fn a_link_out_of_the_workspace_is_not_written_through(trial: &Trial<'_>) -> Checked {
    let outside = format!("/tmp/oh-{}", trial.dir());
    trial
        .ok(&format!("ln -s {outside} link; ln -s /tmp dir"))
        .await?;
    for link in ["link".to_owned(), format!("dir/oh-{}", trial.dir())] {
        expect_refused(trial, &trial.path(&link)?, &outside).await?;
    }
    Ok(())
}

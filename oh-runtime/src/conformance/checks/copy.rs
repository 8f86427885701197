//! Trees and files in and out.

use bytes::Bytes;
use oh_core::{Capability, CopyOptions, CopySummary, Error, ErrorKind, Result};

use crate::conformance::byte_stream::{collect, stream_in_pieces, stream_of};
use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, ensure, expect_bytes, expect_eq, expect_kind, expect_names, expect_one_of,
};
use crate::conformance::tar_writer::{SYMLINK, TarWriter};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Copy;

pub(super) const CHECKS: &[Check] = &[
    check!(a_tree_goes_out_and_in_again_unchanged).needs(COPY),
    check!(a_name_that_is_no_utf_8_goes_out_and_in_again).needs(COPY),
    check!(long_paths_and_sparse_files_go_out_and_in_again).needs(COPY),
    check!(a_foreign_archive_is_unpacked).needs(COPY),
    check!(a_copy_in_replaces_files_and_keeps_others).needs(COPY),
    check!(an_empty_tree_is_copied).needs(COPY),
    check!(the_summary_counts_what_was_written).needs(COPY),
    check!(a_file_goes_in_and_out).needs(COPY),
    check!(a_broken_stream_is_passed_on).needs(COPY),
    check!(more_bytes_than_allowed_are_too_large).needs(COPY),
    check!(more_entries_than_allowed_are_too_large).needs(COPY),
    check!(a_missing_source_is_not_found).needs(COPY),
];

const COPY: &[Capability] = &[Capability::Copy];

pub(super) async fn unpack(
    trial: &Trial<'_>,
    archive: &Bytes,
    name: &str,
) -> Checked<Result<CopySummary>> {
    let source = stream_in_pieces(archive, 777);
    let options = CopyOptions::default();
    Ok(trial
        .runtime()
        .copy_to(source, &trial.path(name)?, options)
        .await)
}

async fn pack(trial: &Trial<'_>, name: &str) -> Checked<Bytes> {
    let source = trial.path(name)?;
    let stream = trial.runtime().copy_from(&source, CopyOptions::default());
    Ok(collect(stream.await?).await?.into())
}

/// Kind, mode, name, and content or target of all that is below a directory.
const MANIFEST: &str = r#"find . | LC_ALL=C sort | while IFS= read -r f; do
  if [ -L "$f" ]; then echo "link $f $(readlink "$f")"
  elif [ -d "$f" ]; then echo "$(ls -ld "$f" | cut -c1-10) $f"
  else echo "$(ls -ld "$f" | cut -c1-10) $f $(cksum <"$f")"; fi
done"#;

async fn manifest(trial: &Trial<'_>, name: &str) -> Checked<String> {
    trial.ok(&format!("cd {name} && {MANIFEST}")).await
}

async fn expect_round_trip(trial: &Trial<'_>) -> Checked {
    let archive = pack(trial, "from").await?;
    unpack(trial, &archive, "to").await??;
    expect_eq(
        "the copy",
        manifest(trial, "to").await?,
        manifest(trial, "from").await?,
    )
}

async fn a_tree_goes_out_and_in_again_unchanged(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir -p from/dir/empty from/.hidden; cd from; printf 'a\\0b' >dir/file; : >zero
             seq 1 100000 >big; echo 'echo hi' >tool; chmod 755 tool; chmod 600 zero
             mkdir -m 750 narrow; ln -s dir/file link; ln -s nowhere dangling; ln -s ../dir narrow/up
             : >'two words'; : >'é漢🦀'; : >-dash; ln dir/file hard")
        .await?;
    expect_round_trip(trial).await
}

async fn a_name_that_is_no_utf_8_goes_out_and_in_again(trial: &Trial<'_>) -> Checked {
    trial.ok("mkdir from to").await?;
    if !trial
        .sh("echo x >\"from/$(printf 'a\\377b')\"")
        .await?
        .is_success()
    {
        // This file system takes no such names.
        return Ok(());
    }
    let archive = pack(trial, "from").await?;
    unpack(trial, &archive, "to").await??;
    let names = "LC_ALL=C ls | od -An -c";
    let found = trial.ok(&format!("cd to && {names}")).await?;
    let wanted = trial.ok(&format!("cd from && {names}")).await?;
    expect_eq("the names", found, wanted)
}

async fn long_paths_and_sparse_files_go_out_and_in_again(trial: &Trial<'_>) -> Checked {
    let dir = format!("{}/{}", "d".repeat(120), "e".repeat(200));
    let script = format!(
        "mkdir -p from/{dir}; cd from; echo deep >{dir}/{name}; ln -s {target} link
         printf end | dd of=sparse bs=1 seek=3000000 2>/dev/null",
        name = "f".repeat(255),
        target = "t/".repeat(150)
    );
    trial.ok(&script).await?;
    expect_round_trip(trial).await
}

fn small_tree() -> TarWriter {
    TarWriter::default()
        .directory("dir/")
        .file("dir/file", b"content")
        .file("./other", b"")
        .link(SYMLINK, "dir/link", "file")
        .directory("empty/")
}

async fn a_foreign_archive_is_unpacked(trial: &Trial<'_>) -> Checked {
    unpack(trial, &small_tree().finish(), "to").await??;
    let found = trial
        .ok("cd to; find . | LC_ALL=C sort; cat dir/link")
        .await?;
    let wanted = ".\n./dir\n./dir/file\n./dir/link\n./empty\n./other\ncontent";
    expect_eq("the tree", found.as_str(), wanted)
}

async fn a_copy_in_replaces_files_and_keeps_others(trial: &Trial<'_>) -> Checked {
    trial.put("to/dir/file", "old").await?;
    trial.put("to/dir/mine", "mine").await?;
    unpack(trial, &small_tree().finish(), "to").await??;
    expect_bytes(
        "the replaced file",
        &trial.get("to/dir/file").await?,
        b"content",
    )?;
    expect_bytes("the other file", &trial.get("to/dir/mine").await?, b"mine")
}

async fn an_empty_tree_is_copied(trial: &Trial<'_>) -> Checked {
    trial.ok("mkdir from").await?;
    expect_round_trip(trial).await?;
    let summary = unpack(trial, &TarWriter::default().finish(), "to").await??;
    expect_eq("the number of files", summary.files, 0)
}

async fn the_summary_counts_what_was_written(trial: &Trial<'_>) -> Checked {
    let summary = unpack(trial, &small_tree().finish(), "to").await??;
    expect_eq("files", summary.files, 2)?;
    expect_eq("directories", summary.directories, 2)?;
    expect_eq("symlinks", summary.symlinks, 1)?;
    expect_eq("bytes", summary.bytes, 7)
}

async fn a_file_goes_in_and_out(trial: &Trial<'_>) -> Checked {
    let runtime = trial.runtime();
    let bytes: Bytes = (0..=250u8).cycle().take(3_000_001).collect();
    for content in [bytes, Bytes::new()] {
        let source = stream_in_pieces(&content, 99_991);
        let summary = runtime
            .copy_to(source, &trial.path("file")?, CopyOptions::file())
            .await?;
        expect_eq(
            "the bytes of the summary",
            summary.bytes,
            content.len() as u64,
        )?;
        expect_bytes("the file", &trial.get("file").await?, &content)?;
        let stream = runtime
            .copy_from(&trial.path("file")?, CopyOptions::file())
            .await?;
        expect_bytes("the copy out", &collect(stream).await?, &content)?;
    }
    Ok(())
}

async fn a_broken_stream_is_passed_on(trial: &Trial<'_>) -> Checked {
    trial.put("dir/file", "old").await?;
    for (name, options) in [
        ("dir/file", CopyOptions::file()),
        ("dir", CopyOptions::default()),
    ] {
        let archive = small_tree().finish();
        let broken = Error::new(ErrorKind::Unavailable, "test stream").with_detail("broken off");
        let source = stream_of(vec![Ok(archive.slice(..600)), Err(broken)]);
        let copied = trial
            .runtime()
            .copy_to(source, &trial.path(name)?, options)
            .await;
        expect_kind("copy_to", copied, ErrorKind::Unavailable)?;
        expect_bytes("the old file", &trial.get("dir/file").await?, b"old")?;
    }
    Ok(())
}

async fn more_bytes_than_allowed_are_too_large(trial: &Trial<'_>) -> Checked {
    let runtime = trial.runtime();
    let archive = TarWriter::default()
        .file("a", &[b'x'; 600])
        .file("b", &[b'x'; 600])
        .finish();
    let options = CopyOptions::default().max_bytes(1000);
    let copied = runtime
        .copy_to(stream_in_pieces(&archive, 512), &trial.path("to")?, options)
        .await;
    expect_kind("copy_to of a tree", copied, ErrorKind::TooLarge)?;
    let source = stream_of(vec![Ok(Bytes::from(vec![b'x'; 1001]))]);
    let options = CopyOptions::file().max_bytes(1000);
    let copied = runtime.copy_to(source, &trial.path("file")?, options).await;
    expect_kind("copy_to of a file", copied, ErrorKind::TooLarge)?;
    let found = trial.ok("test -e file || echo none").await?;
    expect_eq("the file", found.as_str(), "none\n")
}

async fn more_entries_than_allowed_are_too_large(trial: &Trial<'_>) -> Checked {
    let archive = (0..20).fold(TarWriter::default(), |tar, n| {
        tar.file(&format!("f{n}"), b"")
    });
    let source = stream_in_pieces(&archive.finish(), 512);
    let options = CopyOptions::default().max_entries(10);
    let copied = trial
        .runtime()
        .copy_to(source, &trial.path("to")?, options)
        .await;
    let kinds = [ErrorKind::TooLarge, ErrorKind::LimitExceeded];
    expect_one_of("copy_to", copied, &kinds)?;
    let count = trial.ok("ls to | wc -l").await?;
    let count: u32 = count.trim().parse().unwrap_or(u32::MAX);
    ensure!(count <= 10, "{count} entries were written");
    Ok(())
}

async fn a_missing_source_is_not_found(trial: &Trial<'_>) -> Checked {
    for options in [CopyOptions::default(), CopyOptions::file()] {
        let copied = trial
            .runtime()
            .copy_from(&trial.path("missing")?, options)
            .await;
        expect_names(
            &expect_kind("copy_from", copied, ErrorKind::NotFound)?,
            "missing",
        )?;
    }
    Ok(())
}

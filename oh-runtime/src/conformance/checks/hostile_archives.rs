//! Archives that want to write where they may not.

use bytes::Bytes;
use oh_core::{Capability, CopyOptions, ErrorKind, SandboxPath};

use crate::conformance::byte_stream::stream_in_pieces;
use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, expect_bytes, expect_eq, expect_kind, expect_one_of};
use crate::conformance::tar_writer::{CHARACTER_DEVICE, HARD_LINK, SYMLINK, TarWriter};
use crate::conformance::trial::Trial;

use super::copy::unpack;

const FAMILY: Family = Family::Copy;

pub(super) const CHECKS: &[Check] = &[
    check!(an_entry_with_dot_dot_is_refused).needs(COPY),
    check!(an_entry_with_an_absolute_path_is_refused).needs(COPY),
    check!(an_entry_through_a_link_of_the_archive_is_refused).needs(COPY),
    check!(an_entry_through_a_link_of_the_target_is_refused).needs(COPY),
    check!(a_hard_link_out_of_the_target_is_refused).needs(COPY),
    check!(a_link_in_the_place_of_a_file_is_not_written_through).needs(COPY),
    check!(a_device_is_refused).needs(COPY),
    check!(a_cut_archive_is_refused).needs(COPY),
    check!(bytes_that_are_no_archive_are_refused).needs(COPY),
    check!(a_copy_out_of_the_workspace_is_refused)
        .needs(COPY)
        .scoped(),
];

const COPY: &[Capability] = &[Capability::Copy];

/// Unpacks into `to`; the archive is refused, and nothing beside `to` has changed.
async fn expect_refused(trial: &Trial<'_>, archive: TarWriter) -> Checked {
    trial.ok("mkdir -p to/inner; printf safe >victim").await?;
    let unpacked = unpack(trial, &archive.finish(), "to").await?;
    expect_kind("copy_to", unpacked, ErrorKind::InvalidInput)?;
    expect_bytes(
        "a file beside the target",
        &trial.get("victim").await?,
        b"safe",
    )?;
    let names = trial.ok("LC_ALL=C ls -A").await?;
    expect_eq(
        "the names beside the target",
        names.as_str(),
        "to\nvictim\n",
    )
}

async fn an_entry_with_dot_dot_is_refused(trial: &Trial<'_>) -> Checked {
    for name in [
        "../victim",
        "inner/../../victim",
        "inner/../../new",
        "../to/../victim",
    ] {
        expect_refused(trial, TarWriter::default().file(name, b"evil")).await?;
    }
    expect_refused(trial, TarWriter::default().directory("../new/")).await
}

async fn an_entry_with_an_absolute_path_is_refused(trial: &Trial<'_>) -> Checked {
    let outside = format!("/tmp/oh-{}", trial.dir());
    let refused = expect_refused(trial, TarWriter::default().file(&outside, b"evil")).await;
    let left = trial
        .ok(&format!("ls -d {outside} 2>/dev/null; rm -f {outside}"))
        .await?;
    refused?;
    expect_eq("what was written outside", left.as_str(), "")?;
    let victim = trial.absolute("victim")?;
    if victim.as_str().len() <= 100 {
        expect_refused(trial, TarWriter::default().file(victim.as_str(), b"evil")).await?;
    }
    Ok(())
}

async fn an_entry_through_a_link_of_the_archive_is_refused(trial: &Trial<'_>) -> Checked {
    for target in ["..", "../", "inner/../.."] {
        let archive = TarWriter::default()
            .link(SYMLINK, "link", target)
            .file("link/victim", b"evil");
        expect_refused(trial, archive).await?;
        trial.ok("rm -f to/link").await?;
    }
    Ok(())
}

async fn an_entry_through_a_link_of_the_target_is_refused(trial: &Trial<'_>) -> Checked {
    trial.ok("mkdir to; ln -s .. to/link").await?;
    expect_refused(trial, TarWriter::default().file("link/victim", b"evil")).await
}

async fn a_hard_link_out_of_the_target_is_refused(trial: &Trial<'_>) -> Checked {
    let archive = TarWriter::default()
        .link(HARD_LINK, "hard", "../victim")
        .file("hard", b"evil");
    expect_refused(trial, archive).await
}

async fn a_link_in_the_place_of_a_file_is_not_written_through(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir to; printf safe >victim; ln -s ../victim to/file")
        .await?;
    let archive = TarWriter::default()
        .link(SYMLINK, "other", "../victim")
        .file("file", b"evil")
        .file("other", b"evil");
    // Whether the link is replaced or the entry refused: what it points to stays.
    let _ = unpack(trial, &archive.finish(), "to").await?;
    expect_bytes(
        "a file beside the target",
        &trial.get("victim").await?,
        b"safe",
    )
}

async fn a_device_is_refused(trial: &Trial<'_>) -> Checked {
    expect_refused(
        trial,
        TarWriter::default().link(CHARACTER_DEVICE, "device", ""),
    )
    .await?;
    let found = trial.ok("test -e to/device || echo none").await?;
    expect_eq("the device", found.as_str(), "none\n")
}

const REFUSALS: &[ErrorKind] = &[ErrorKind::InvalidInput, ErrorKind::Corrupt];

async fn a_cut_archive_is_refused(trial: &Trial<'_>) -> Checked {
    let archive = TarWriter::default()
        .file("a", b"whole")
        .file("b", &[b'x'; 5000])
        .finish();
    for end in [100, 1024 + 100, 1024 + 512 + 700] {
        let unpacked = unpack(trial, &archive.slice(..end), "to").await?;
        expect_one_of(&format!("copy_to of {end} bytes"), unpacked, REFUSALS)?;
        let found = trial.ok("test -e to/b || echo none").await?;
        expect_eq("the file that was cut", found.as_str(), "none\n")?;
    }
    Ok(())
}

async fn bytes_that_are_no_archive_are_refused(trial: &Trial<'_>) -> Checked {
    let noise: Bytes = (1..=250u8).cycle().take(2048).collect();
    let unpacked = unpack(trial, &noise, "to").await?;
    expect_one_of("copy_to", unpacked, REFUSALS).map(drop)
}

async fn a_copy_out_of_the_workspace_is_refused(trial: &Trial<'_>) -> Checked {
    let runtime = trial.runtime();
    trial.ok("ln -s /etc link").await?;
    for path in [
        SandboxPath::new("/etc")?,
        SandboxPath::new("../..")?,
        trial.path("link/passwd")?,
    ] {
        for options in [CopyOptions::default(), CopyOptions::file()] {
            let copied = runtime.copy_from(&path, options).await;
            expect_one_of(
                "copy_from",
                copied,
                &[ErrorKind::InvalidInput, ErrorKind::Denied],
            )?;
        }
    }
    let archive = TarWriter::default().file("evil", b"evil").finish();
    let path = SandboxPath::new(format!("/tmp/oh-{}", trial.dir()))?;
    let copied = runtime.copy_to(
        stream_in_pieces(&archive, 512),
        &path,
        CopyOptions::default(),
    );
    let copied = copied.await;
    let left = trial
        .ok(&format!("ls -d {path} 2>/dev/null; rm -rf {path}"))
        .await?;
    expect_one_of(
        "copy_to",
        copied,
        &[ErrorKind::InvalidInput, ErrorKind::Denied],
    )?;
    expect_eq("what was written outside", left.as_str(), "")
}

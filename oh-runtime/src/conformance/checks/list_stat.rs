//! Listing and describing files.

use oh_core::{Capability, ErrorKind, FileKind, LinkMode, ListOptions, Listing, SandboxPath};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, ensure, expect_eq, expect_kind, expect_names};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::ListGlobGrep;

pub(super) const CHECKS: &[Check] = &[
    check!(list_gives_the_entries_in_order).needs(LIST),
    check!(list_goes_as_deep_as_asked).needs(LIST),
    check!(list_says_when_its_limit_left_some_out).needs(LIST),
    check!(list_shows_links_as_links).needs(LIST),
    check!(list_of_an_empty_directory_is_empty).needs(LIST),
    check!(list_of_a_name_that_is_no_utf_8_does_not_fail).needs(LIST),
    check!(list_of_a_file_or_of_nothing_is_refused).needs(LIST),
    check!(list_out_of_the_workspace_is_refused)
        .needs(LIST)
        .scoped(),
    check!(stat_follows_a_link_or_keeps_it).needs(STAT),
    check!(stat_describes_files_and_directories).needs(STAT),
    check!(stat_of_nothing_is_not_found).needs(STAT),
];

const LIST: &[Capability] = &[Capability::List];
const STAT: &[Capability] = &[Capability::Stat];

async fn list(trial: &Trial<'_>, name: &str, options: ListOptions) -> Checked<Listing> {
    Ok(trial.runtime().list(&trial.path(name)?, options).await?)
}

fn names(trial: &Trial<'_>, listing: &Listing) -> Vec<String> {
    listing
        .entries
        .iter()
        .map(|entry| trial.below(&entry.path))
        .collect()
}

async fn list_gives_the_entries_in_order(trial: &Trial<'_>) -> Checked {
    for name in ["b", "a", ".hidden", "c d", "é", "Z", "dir/below"] {
        trial.put(name, "12345").await?;
    }
    let listing = list(trial, "", ListOptions::default()).await?;
    let wanted = [".hidden", "Z", "a", "b", "c d", "dir", "é"].map(str::to_owned);
    expect_eq("the names", names(trial, &listing), wanted.to_vec())?;
    expect_eq("truncated", listing.truncated, false)?;
    for entry in &listing.entries {
        ensure!(
            entry.path.is_absolute(),
            "the path {} is not absolute",
            entry.path
        );
        let directory = entry.path.file_name() == Some("dir");
        let wanted = if directory {
            FileKind::Directory
        } else {
            FileKind::File
        };
        expect_eq(entry.path.as_str(), entry.kind, wanted)?;
        ensure!(
            directory || entry.size_bytes == 5,
            "a size is {}",
            entry.size_bytes
        );
    }
    Ok(())
}

async fn list_goes_as_deep_as_asked(trial: &Trial<'_>) -> Checked {
    trial.put("a/b/c/d", "").await?;
    for (depth, wanted) in [(1, 1), (2, 2), (3, 3), (4, 4), (9, 4)] {
        let listing = list(trial, "", ListOptions::default().depth(depth)).await?;
        let wanted: Vec<String> = ["a", "a/b", "a/b/c", "a/b/c/d"]
            .into_iter()
            .take(wanted)
            .map(str::to_owned)
            .collect();
        expect_eq(&format!("depth {depth}"), names(trial, &listing), wanted)?;
    }
    Ok(())
}

async fn list_says_when_its_limit_left_some_out(trial: &Trial<'_>) -> Checked {
    trial
        .ok("for i in 1 2 3 4 5 6 7 8 9; do : >f$i; done")
        .await?;
    for (limit, count, truncated) in [(4, 4, true), (9, 9, false), (10, 9, false)] {
        let listing = list(trial, "", ListOptions::default().limit(limit)).await?;
        expect_eq("the number of entries", listing.entries.len(), count)?;
        expect_eq(
            &format!("truncated at {limit}"),
            listing.truncated,
            truncated,
        )?;
    }
    Ok(())
}

async fn list_shows_links_as_links(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir dir; : >dir/file; ln -s dir link; ln -s nowhere dangling")
        .await?;
    let listing = list(trial, "", ListOptions::default().depth(3)).await?;
    let wanted = ["dangling", "dir", "dir/file", "link"].map(str::to_owned);
    expect_eq("the names", names(trial, &listing), wanted.to_vec())?;
    for (name, target) in [("link", "dir"), ("dangling", "nowhere")] {
        let entry = listing
            .entries
            .iter()
            .find(|entry| entry.path.file_name() == Some(name));
        let kind = entry.map(|entry| entry.kind);
        expect_eq(name, kind, Some(FileKind::Symlink))?;
        let found = entry.and_then(|entry| entry.link_target.as_deref());
        expect_eq("its target", found, Some(target))?;
    }
    Ok(())
}

async fn list_of_an_empty_directory_is_empty(trial: &Trial<'_>) -> Checked {
    let listing = list(trial, "", ListOptions::default().depth(5)).await?;
    expect_eq("the entries", listing.entries.len(), 0)?;
    expect_eq("truncated", listing.truncated, false)
}

async fn list_of_a_name_that_is_no_utf_8_does_not_fail(trial: &Trial<'_>) -> Checked {
    if !trial.sh(": >\"$(printf 'a\\377b')\"").await?.is_success() {
        // This file system takes no such names.
        return Ok(());
    }
    trial.put("plain", "").await?;
    let listing = list(trial, "", ListOptions::default()).await?;
    let raw = listing
        .entries
        .iter()
        .find_map(|entry| entry.raw_name.as_deref());
    expect_eq("the number of entries", listing.entries.len(), 2)?;
    expect_eq("the raw name", raw, Some(&b"a\xffb"[..]))
}

async fn list_of_a_file_or_of_nothing_is_refused(trial: &Trial<'_>) -> Checked {
    trial.put("file", "").await?;
    for (name, kind) in [
        ("file", ErrorKind::NotADirectory),
        ("missing", ErrorKind::NotFound),
    ] {
        let listed = trial
            .runtime()
            .list(&trial.path(name)?, ListOptions::default())
            .await;
        expect_names(&expect_kind("list", listed, kind)?, name)?;
    }
    Ok(())
}

async fn list_out_of_the_workspace_is_refused(trial: &Trial<'_>) -> Checked {
    for path in ["/", "..", "/etc"] {
        let listed = trial
            .runtime()
            .list(&SandboxPath::new(path)?, ListOptions::default())
            .await;
        expect_kind(path, listed, ErrorKind::InvalidInput)?;
    }
    Ok(())
}

async fn stat_follows_a_link_or_keeps_it(trial: &Trial<'_>) -> Checked {
    trial
        .ok("printf 12345 >file; ln -s file link; ln -s nowhere dangling")
        .await?;
    let runtime = trial.runtime();
    let meta = runtime.stat(&trial.path("link")?, LinkMode::Follow).await?;
    expect_eq("the kind of the target", meta.kind, FileKind::File)?;
    expect_eq("the size of the target", meta.size_bytes, 5)?;
    for (name, target) in [("link", "file"), ("dangling", "nowhere")] {
        let meta = runtime.stat(&trial.path(name)?, LinkMode::Keep).await?;
        expect_eq("the kind of the link", meta.kind, FileKind::Symlink)?;
        expect_eq("the target", meta.link_target.as_deref(), Some(target))?;
    }
    let followed = runtime
        .stat(&trial.path("dangling")?, LinkMode::Follow)
        .await;
    expect_kind("stat of a dangling link", followed, ErrorKind::NotFound).map(drop)
}

async fn stat_describes_files_and_directories(trial: &Trial<'_>) -> Checked {
    trial
        .ok("printf 12345 >file; chmod 640 file; mkdir -m 750 dir; mkfifo pipe")
        .await?;
    for (name, kind, mode) in [
        ("file", FileKind::File, 0o640),
        ("dir", FileKind::Directory, 0o750),
        ("pipe", FileKind::Other, 0o644),
    ] {
        let meta = trial
            .runtime()
            .stat(&trial.path(name)?, LinkMode::Follow)
            .await?;
        expect_eq(name, meta.kind, kind)?;
        ensure!(
            name == "pipe" || meta.mode.is_none_or(|found| found & 0o7777 == mode),
            "the mode of {name} is {:?}",
            meta.mode
        );
        ensure!(
            meta.path.is_absolute(),
            "the path {} is not absolute",
            meta.path
        );
    }
    Ok(())
}

async fn stat_of_nothing_is_not_found(trial: &Trial<'_>) -> Checked {
    for links in [LinkMode::Follow, LinkMode::Keep] {
        let found = trial.runtime().stat(&trial.path("missing")?, links).await;
        expect_names(&expect_kind("stat", found, ErrorKind::NotFound)?, "missing")?;
    }
    Ok(())
}

//! Making, removing and renaming.

use oh_core::{
    Capability, ErrorKind, FileKind, FileMeta, RemoveMode, RenameMode, Result, SandboxPath,
};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, ensure, expect_bytes, expect_eq, expect_kind, expect_names, expect_one_of,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::ListGlobGrep;

pub(super) const CHECKS: &[Check] = &[
    check!(make_dir_makes_parents_and_accepts_what_is_there).needs(MANAGE),
    check!(make_dir_over_a_file_is_refused).needs(MANAGE),
    check!(remove_takes_a_file_a_link_and_an_empty_directory).needs(MANAGE),
    check!(remove_of_a_full_directory_is_refused).needs(MANAGE),
    check!(remove_of_a_tree_takes_all_of_it).needs(MANAGE),
    check!(remove_of_a_tree_does_not_follow_links).needs(MANAGE),
    check!(remove_of_nothing_is_not_found).needs(MANAGE),
    check!(the_workspace_itself_is_not_removed).needs(MANAGE),
    check!(rename_moves_files_and_directories).needs(MANAGE),
    check!(rename_replaces_or_keeps_the_target).needs(MANAGE),
    check!(rename_of_nothing_is_not_found).needs(MANAGE),
    check!(nothing_is_managed_out_of_the_workspace)
        .needs(MANAGE)
        .scoped(),
];

const MANAGE: &[Capability] = &[Capability::Manage];

async fn remove(trial: &Trial<'_>, name: &str, mode: RemoveMode) -> Checked<Result<()>> {
    Ok(trial.runtime().remove(&trial.path(name)?, mode).await)
}

async fn rename(
    trial: &Trial<'_>,
    from: &str,
    to: &str,
    mode: RenameMode,
) -> Checked<Result<FileMeta>> {
    Ok(trial
        .runtime()
        .rename(&trial.path(from)?, &trial.path(to)?, mode)
        .await)
}

async fn expect_tree(trial: &Trial<'_>, wanted: &str) -> Checked {
    let found = trial.ok("find . ! -name . | LC_ALL=C sort").await?;
    expect_eq("what is there", found.as_str(), wanted)
}

async fn make_dir_makes_parents_and_accepts_what_is_there(trial: &Trial<'_>) -> Checked {
    for _ in 0..2 {
        let meta = trial.runtime().make_dir(&trial.path("a/b c/d")?).await?;
        expect_eq("the kind", meta.kind, FileKind::Directory)?;
        ensure!(meta.path.is_absolute(), "the path is {}", meta.path);
    }
    expect_tree(trial, "./a\n./a/b c\n./a/b c/d\n").await
}

async fn make_dir_over_a_file_is_refused(trial: &Trial<'_>) -> Checked {
    trial.put("file", "x").await?;
    let made = trial.runtime().make_dir(&trial.path("file")?).await;
    expect_names(
        &expect_kind("make_dir", made, ErrorKind::AlreadyExists)?,
        "file",
    )?;
    let made = trial.runtime().make_dir(&trial.path("file/below")?).await;
    let kinds = [ErrorKind::NotADirectory, ErrorKind::AlreadyExists];
    expect_one_of("make_dir", made, &kinds)?;
    expect_bytes("the file", &trial.get("file").await?, b"x")
}

async fn remove_takes_a_file_a_link_and_an_empty_directory(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir dir keep; : >file; : >keep/x; ln -s keep link; ln -s no dangling")
        .await?;
    for name in ["file", "dir", "link", "dangling"] {
        remove(trial, name, RemoveMode::Single).await??;
    }
    expect_tree(trial, "./keep\n./keep/x\n").await
}

async fn remove_of_a_full_directory_is_refused(trial: &Trial<'_>) -> Checked {
    trial.put("dir/file", "x").await?;
    let removed = remove(trial, "dir", RemoveMode::Single).await?;
    expect_names(
        &expect_kind("remove", removed, ErrorKind::AlreadyExists)?,
        "dir",
    )?;
    expect_tree(trial, "./dir\n./dir/file\n").await
}

async fn remove_of_a_tree_takes_all_of_it(trial: &Trial<'_>) -> Checked {
    let deep = "d/".repeat(100);
    trial
        .ok(&format!(
            "mkdir -p tree/{deep} tree/a; : >tree/a/.hidden; mkfifo tree/pipe; : >tree/{deep}x"
        ))
        .await?;
    trial.ok(": >\"tree/$(printf 'a\\377b')\" || true").await?;
    remove(trial, "tree", RemoveMode::Tree).await??;
    expect_tree(trial, "").await?;
    trial.put("file", "x").await?;
    remove(trial, "file", RemoveMode::Tree).await??;
    expect_tree(trial, "").await
}

async fn remove_of_a_tree_does_not_follow_links(trial: &Trial<'_>) -> Checked {
    trial.put("keep/file", "x").await?;
    trial
        .ok("mkdir tree; ln -s ../keep tree/link; ln -s keep link")
        .await?;
    remove(trial, "tree", RemoveMode::Tree).await??;
    remove(trial, "link", RemoveMode::Tree).await??;
    expect_tree(trial, "./keep\n./keep/file\n").await
}

async fn remove_of_nothing_is_not_found(trial: &Trial<'_>) -> Checked {
    for mode in [RemoveMode::Single, RemoveMode::Tree] {
        let removed = remove(trial, "missing", mode).await?;
        expect_names(
            &expect_kind("remove", removed, ErrorKind::NotFound)?,
            "missing",
        )?;
    }
    Ok(())
}

async fn the_workspace_itself_is_not_removed(trial: &Trial<'_>) -> Checked {
    trial.put("file", "x").await?;
    let workspace = trial.runtime().descriptor().workspace.clone();
    // Only `Single`: a runtime that takes the tree would take everything of its user.
    let around = SandboxPath::new(format!("{}/..", trial.dir()))?;
    for path in [SandboxPath::workspace(), workspace, around] {
        let removed = trial.runtime().remove(&path, RemoveMode::Single).await;
        let kinds = [ErrorKind::InvalidInput, ErrorKind::Denied];
        expect_one_of("remove of the workspace", removed, &kinds)?;
    }
    expect_bytes("the file", &trial.get("file").await?, b"x")
}

async fn rename_moves_files_and_directories(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir -p dir/sub; printf x >dir/file; ln -s file dir/link")
        .await?;
    let meta = rename(trial, "dir", "other", RenameMode::Replace).await??;
    ensure!(
        meta.path.as_str().ends_with("/other"),
        "the path is {}",
        meta.path
    );
    rename(trial, "other/file", "file", RenameMode::KeepTarget).await??;
    expect_tree(trial, "./file\n./other\n./other/link\n./other/sub\n").await?;
    expect_bytes("the file", &trial.get("file").await?, b"x")
}

async fn rename_replaces_or_keeps_the_target(trial: &Trial<'_>) -> Checked {
    trial.put("a", "a").await?;
    trial.put("b", "b").await?;
    let kept = rename(trial, "a", "b", RenameMode::KeepTarget).await?;
    expect_names(&expect_kind("rename", kept, ErrorKind::AlreadyExists)?, "b")?;
    expect_bytes("the target", &trial.get("b").await?, b"b")?;
    rename(trial, "a", "b", RenameMode::Replace).await??;
    expect_bytes("the target", &trial.get("b").await?, b"a")?;
    expect_tree(trial, "./b\n").await
}

async fn rename_of_nothing_is_not_found(trial: &Trial<'_>) -> Checked {
    trial.put("a", "a").await?;
    for (from, to) in [("missing", "b"), ("a", "missing/b")] {
        let renamed = rename(trial, from, to, RenameMode::Replace).await?;
        expect_names(
            &expect_kind("rename", renamed, ErrorKind::NotFound)?,
            "missing",
        )?;
    }
    expect_tree(trial, "./a\n").await
}

async fn nothing_is_managed_out_of_the_workspace(trial: &Trial<'_>) -> Checked {
    let outside = format!("/tmp/oh-{}", trial.dir());
    let script = format!("mkdir {outside}; printf x >{outside}/file; : >file; ln -s {outside} dir");
    trial.ok(&script).await?;
    let refused = expect_managed_nowhere(trial, &outside).await;
    let left = trial
        .ok(&format!("cat {outside}/*; rm -rf {outside}"))
        .await?;
    refused?;
    expect_eq("what is outside", left.as_str(), "x")
}

async fn expect_managed_nowhere(trial: &Trial<'_>, outside: &str) -> Checked {
    let runtime = trial.runtime();
    let kinds = [ErrorKind::InvalidInput, ErrorKind::Denied];
    for dir in [SandboxPath::new(outside)?, trial.path("dir")?] {
        let removed = runtime.remove(&dir.join("file")?, RemoveMode::Tree).await;
        expect_one_of("remove", removed, &kinds)?;
        let made = runtime.make_dir(&dir.join("new")?).await;
        expect_one_of("make_dir", made, &kinds)?;
        let (from, to) = (dir.join("file")?, trial.path("in")?);
        let moved = runtime.rename(&from, &to, RenameMode::Replace).await;
        expect_one_of("rename in", moved, &kinds)?;
        let (from, to) = (trial.path("file")?, dir.join("file")?);
        let moved = runtime.rename(&from, &to, RenameMode::Replace).await;
        expect_one_of("rename out", moved, &kinds)?;
    }
    Ok(())
}

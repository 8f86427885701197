//! The runtime itself: status, figures, closing.

use std::future::poll_fn;
use std::time::Duration;

use oh_core::{
    Body, Capability, Command, ErrorKind, Exit, Follow, ListOptions, ReadOptions, RuntimeExt,
    RuntimeStatus, SandboxPath, WriteOptions,
};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, ensure, expect_eq, expect_kind, expect_prints};
use crate::conformance::follower::Follower;
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Lifecycle;

pub(super) const CHECKS: &[Check] = &[
    check!(a_started_runtime_is_ready),
    check!(status_changes_begin_with_the_present_status),
    check!(the_descriptor_is_complete),
    check!(figures_count_what_happens).needs(&[Capability::Stats]),
    check!(ports_are_listed).needs(&[Capability::Ports]),
    check!(a_paused_runtime_goes_on).needs(&[Capability::Pause]),
    check!(a_snapshot_has_a_name).needs(&[Capability::Snapshot]),
    check!(two_runtimes_differ).fresh(),
    check!(closing_twice_is_fine).fresh(),
    check!(a_closed_runtime_is_stopped).fresh(),
    check!(a_closed_runtime_starts_nothing).fresh(),
    check!(closing_ends_what_runs).fresh(),
    check!(closing_ends_a_waiting_run).fresh(),
    check!(closing_ends_shells)
        .needs(&[Capability::Sessions])
        .fresh(),
    check!(status_changes_end_with_the_close).fresh(),
];

async fn a_started_runtime_is_ready(trial: &Trial<'_>) -> Checked {
    expect_eq("the status", trial.runtime().status(), RuntimeStatus::Ready)
}

async fn status_changes_begin_with_the_present_status(trial: &Trial<'_>) -> Checked {
    let mut changes = trial.runtime().status_changes();
    let first = poll_fn(|cx| changes.as_mut().poll_next(cx)).await;
    expect_eq("the first status", first, Some(RuntimeStatus::Ready))
}

async fn the_descriptor_is_complete(trial: &Trial<'_>) -> Checked {
    let descriptor = trial.runtime().descriptor();
    ensure!(!descriptor.kind.is_empty(), "the kind is empty");
    ensure!(!descriptor.id.as_str().is_empty(), "the id is empty");
    let workspace = &descriptor.workspace;
    ensure!(
        workspace.is_absolute(),
        "the workspace {workspace} is not absolute"
    );
    let uname = trial.ok("uname -s").await?.trim().to_lowercase();
    ensure!(
        descriptor.os == uname || descriptor.os == "macos" && uname == "darwin",
        "the operating system is given as {:?}, the sandbox says {uname:?}",
        descriptor.os
    );
    Ok(())
}

async fn figures_count_what_happens(trial: &Trial<'_>) -> Checked {
    let before = trial.runtime().stats().await?;
    trial.ok("echo one").await?;
    trial.ok("echo two").await?;
    let after = trial.runtime().stats().await?;
    let started = after
        .commands_started
        .saturating_sub(before.commands_started);
    ensure!(started >= 2, "two commands are counted as {started}");
    ensure!(after.uptime >= before.uptime, "the uptime went back");
    Ok(())
}

async fn ports_are_listed(trial: &Trial<'_>) -> Checked {
    for port in trial.runtime().ports().await? {
        ensure!(!port.url.is_empty(), "port {} has no address", port.number);
    }
    Ok(())
}

async fn a_paused_runtime_goes_on(trial: &Trial<'_>) -> Checked {
    trial.runtime().pause().await?;
    trial.runtime().resume().await?;
    expect_prints(&trial.sh("echo on").await?, "on\n")
}

async fn a_snapshot_has_a_name(trial: &Trial<'_>) -> Checked {
    let snapshot = trial.runtime().snapshot().await?;
    ensure!(!snapshot.0.is_empty(), "the name is empty");
    Ok(())
}

async fn two_runtimes_differ(trial: &Trial<'_>) -> Checked {
    let (one, two) = (trial.fresh().await?, trial.fresh().await?);
    let ids = [one.descriptor().id.clone(), two.descriptor().id.clone()];
    let works = async {
        expect_prints(&one.shell("echo one").await?, "one\n")?;
        one.close().await?;
        expect_prints(&two.shell("echo two").await?, "two\n")
    };
    let worked = works.await;
    two.close().await?;
    worked?;
    let [one, two] = ids;
    ensure!(one != two, "both runtimes have the id {one}");
    Ok(())
}

async fn closing_twice_is_fine(trial: &Trial<'_>) -> Checked {
    let runtime = trial.fresh().await?;
    runtime.shell("echo used").await?;
    runtime.close().await?;
    Ok(runtime.close().await?)
}

async fn a_closed_runtime_is_stopped(trial: &Trial<'_>) -> Checked {
    let runtime = trial.fresh().await?;
    runtime.close().await?;
    expect_eq("the status", runtime.status(), RuntimeStatus::Stopped)
}

async fn a_closed_runtime_starts_nothing(trial: &Trial<'_>) -> Checked {
    let runtime = trial.fresh().await?;
    let done = runtime.shell("echo done").await?;
    runtime.close().await?;
    let gone = ErrorKind::Gone;
    expect_kind("run", runtime.shell("echo late").await, gone)?;
    let spawned = runtime.spawn(Command::new("true"), Follow::default()).await;
    expect_kind("spawn", spawned, gone)?;
    let path = SandboxPath::new("late")?;
    expect_kind(
        "read",
        runtime.read(&path, ReadOptions::default()).await,
        gone,
    )?;
    let written = runtime
        .write(&path, Body::from("x"), WriteOptions::default())
        .await;
    expect_kind("write", written, gone)?;
    if trial.has(Capability::Attach) {
        expect_kind(
            "attach",
            runtime.attach(&done.process, Follow::default()).await,
            gone,
        )?;
    }
    if trial.has(Capability::List) {
        let listed = runtime
            .list(&SandboxPath::workspace(), ListOptions::default())
            .await;
        expect_kind("list", listed, gone)?;
    }
    Ok(())
}

async fn expect_ended(follower: &mut Follower) -> Checked {
    follower.until_over().await;
    let exit = follower.report.as_ref().map(|report| &report.exit);
    let by_itself = exit.is_some_and(|exit| matches!(exit, Exit::Code(_) | Exit::TimedOut));
    ensure!(
        !by_itself,
        "the command is said to have ended with {exit:?}"
    );
    Ok(())
}

const STUBBORN: &str = "trap '' TERM INT HUP; echo up; while :; do sleep 1; done";

async fn closing_ends_what_runs(trial: &Trial<'_>) -> Checked {
    let runtime = trial.fresh().await?;
    let command = Command::new("sh")
        .args(["-c", STUBBORN])
        .grace(Duration::from_millis(300));
    let process = runtime.spawn(command, Follow::default()).await?;
    let mut follower = Follower::new(process, Default::default());
    follower.until_stdout("up").await?;
    runtime.close().await?;
    expect_ended(&mut follower).await
}

async fn closing_ends_a_waiting_run(trial: &Trial<'_>) -> Checked {
    let runtime = trial.fresh().await?;
    let waiting = Command::new("sleep").arg("300");
    let running = runtime.run(waiting, Follow::default());
    let closing = async {
        // A command that starts after it and is done: the first one runs for sure.
        runtime.shell("true").await?;
        runtime.close().await
    };
    let (ran, closed) = tokio::join!(running, closing);
    closed?;
    ensure!(
        ran.as_ref().map_or(true, |output| !output.is_success()),
        "a command that was ended is a success: {ran:?}"
    );
    Ok(())
}

async fn closing_ends_shells(trial: &Trial<'_>) -> Checked {
    let runtime = trial.fresh().await?;
    let session = trial.session("fresh")?;
    let command = Command::shell("echo up; sleep 300").session(session);
    let process = runtime.spawn(command, Follow::default()).await?;
    let mut follower = Follower::new(process, Default::default());
    follower.until_stdout("up").await?;
    runtime.close().await?;
    expect_ended(&mut follower).await
}

async fn status_changes_end_with_the_close(trial: &Trial<'_>) -> Checked {
    let runtime = trial.fresh().await?;
    let mut changes = runtime.status_changes();
    runtime.close().await?;
    let mut last = None;
    while let Some(status) = poll_fn(|cx| changes.as_mut().poll_next(cx)).await {
        last = Some(status);
    }
    // A runtime without a watch gives the status at the time of the call.
    let allowed = [Some(RuntimeStatus::Stopped), Some(RuntimeStatus::Ready)];
    ensure!(allowed.contains(&last), "the last status is {last:?}");
    Ok(())
}

//! Following again.

use std::time::Duration;

use oh_core::{Capability, CaptureLimit, ErrorKind, Exit, Follow, Position, ProcessId};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::concurrent::{Boxed, join_all};
use crate::conformance::expect::{Checked, expect_bytes, expect_eq, expect_kind, expect_names};
use crate::conformance::follower::Follower;
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Attach;

pub(super) const CHECKS: &[Check] = &[
    check!(an_ended_process_is_replayed).needs(ATTACH),
    check!(a_running_process_is_replayed_and_followed).needs(ATTACH),
    check!(any_position_gives_the_rest).needs(ATTACH),
    check!(a_silent_look_keeps_its_position).needs(ATTACH),
    check!(twenty_followers_see_the_same_bytes).needs(ATTACH),
    check!(a_follower_that_does_not_read_holds_nobody_up).needs(ATTACH),
    check!(input_through_an_attached_process_arrives)
        .needs(&[Capability::Attach, Capability::Stdin]),
    check!(all_followers_see_a_cancel).needs(ATTACH),
    check!(an_unknown_process_is_not_found).needs(ATTACH),
    check!(a_program_that_did_not_start_is_replayed).needs(ATTACH),
];

const ATTACH: &[Capability] = &[Capability::Attach];

async fn attach(trial: &Trial<'_>, id: &ProcessId, from: Position) -> Checked<Follower> {
    let process = trial
        .runtime()
        .attach(id, Follow::default().from(from))
        .await?;
    Ok(Follower::new(process, from))
}

async fn an_ended_process_is_replayed(trial: &Trial<'_>) -> Checked {
    let output = trial
        .sh("echo one; echo two >&2; echo three; exit 4")
        .await?;
    for _ in 0..2 {
        let mut follower = attach(trial, &output.process, Position::default()).await?;
        follower.expect_end(&Exit::Code(4)).await?;
        expect_bytes("stdout", &follower.stdout, b"one\nthree\n")?;
        expect_bytes("stderr", &follower.stderr, b"two\n")?;
    }
    Ok(())
}

async fn a_running_process_is_replayed_and_followed(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let command = trial.script("echo one; read x <go; echo two; exit 4")?;
    let mut first = trial.follow(command, Follow::default()).await?;
    first.until_stdout("one").await?;
    let mut second = attach(trial, first.id(), Position::default()).await?;
    second.until_stdout("one").await?;
    trial.open_gate("go").await?;
    second.expect_end(&Exit::Code(4)).await?;
    expect_bytes("stdout", &second.stdout, b"one\ntwo\n")
}

async fn a_silent_look_keeps_its_position(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let command = trial.script("echo one; read x <go; echo two")?;
    let mut first = trial.follow(command, Follow::default()).await?;
    first.until_stdout("one").await?;
    let from = Position {
        stdout: 4,
        stderr: 0,
    };
    let look = Follow::default().from(from).until(Duration::from_millis(1));
    let mut silent = trial.runtime().attach(first.id(), look).await?;
    expect_eq("position before a look", &silent.position(), &from)?;
    let output = silent.output(CaptureLimit::default()).await?;
    expect_bytes("output of a silent look", &output.stdout.head, b"")?;
    expect_eq("position after a silent look", &output.position, &from)?;
    trial.open_gate("go").await?;
    let mut last = attach(trial, first.id(), output.position).await?;
    last.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout after a silent look", &last.stdout, b"two\n")
}

async fn any_position_gives_the_rest(trial: &Trial<'_>) -> Checked {
    let output = trial.sh("seq 1 2000; printf abcdef >&2").await?;
    let all: String = (1..=2000).map(|n| format!("{n}\n")).collect();
    let end = all.len() as u64;
    for (stdout, stderr) in [(0, 6), (1, 3), (4_000, 0), (end - 1, 5), (end, 6)] {
        let mut follower = attach(trial, &output.process, Position { stdout, stderr }).await?;
        follower.expect_end(&Exit::Code(0)).await?;
        let rest = all.get(stdout as usize..).unwrap_or_default();
        expect_bytes(
            &format!("stdout from {stdout}"),
            &follower.stdout,
            rest.as_bytes(),
        )?;
        let rest = "abcdef".get(stderr as usize..).unwrap_or_default();
        expect_bytes(
            &format!("stderr from {stderr}"),
            &follower.stderr,
            rest.as_bytes(),
        )?;
    }
    Ok(())
}

async fn twenty_followers_see_the_same_bytes(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let script = "seq 1 20000; read x <go; seq 20001 40000; exit 3";
    let first = trial
        .follow(trial.script(script)?, Follow::default())
        .await?;
    let mut followers = vec![first];
    for _ in 1..20 {
        let id = followers.first().map(|first| first.id().clone());
        let id = id.unwrap_or_else(|| ProcessId::new(""));
        followers.push(attach(trial, &id, Position::default()).await?);
    }
    trial.open_gate("go").await?;
    let wanted: String = (1..=40_000).map(|n| format!("{n}\n")).collect();
    let one = |follower: Follower| -> Boxed<'_, Checked> {
        let wanted = &wanted;
        Box::pin(async move {
            let mut follower = follower;
            follower.expect_end(&Exit::Code(3)).await?;
            expect_bytes("stdout", &follower.stdout, wanted.as_bytes())
        })
    };
    join_all(followers.into_iter().map(one).collect())
        .await
        .into_iter()
        .collect()
}

async fn a_follower_that_does_not_read_holds_nobody_up(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let script = "read x <go; seq 1 300000; exit 3";
    let mut slow = trial
        .follow(trial.script(script)?, Follow::default())
        .await?;
    let mut fast = attach(trial, slow.id(), Position::default()).await?;
    trial.open_gate("go").await?;
    fast.expect_end(&Exit::Code(3)).await?;
    slow.expect_end(&Exit::Code(3)).await?;
    expect_bytes("what the slow follower saw", &slow.stdout, &fast.stdout)
}

async fn input_through_an_attached_process_arrives(trial: &Trial<'_>) -> Checked {
    let command = trial
        .script("read x; echo \"got $x\"")?
        .stdin(oh_core::Stdin::Piped);
    let mut first = trial.follow(command, Follow::default()).await?;
    let second = attach(trial, first.id(), Position::default()).await?;
    second.control().write_stdin("word\n").await?;
    first.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout", &first.stdout, b"got word\n")
}

async fn all_followers_see_a_cancel(trial: &Trial<'_>) -> Checked {
    let mut first = trial
        .follow(trial.script("echo up; sleep 300")?, Follow::default())
        .await?;
    first.until_stdout("up").await?;
    let mut second = attach(trial, first.id(), Position::default()).await?;
    second.control().cancel().await?;
    first.expect_end(&Exit::Cancelled).await?;
    second.expect_end(&Exit::Cancelled).await
}

async fn an_unknown_process_is_not_found(trial: &Trial<'_>) -> Checked {
    let id = ProcessId::new("no-such-process");
    let attached = trial.runtime().attach(&id, Follow::default()).await;
    expect_names(
        &expect_kind("attach", attached, ErrorKind::NotFound)?,
        id.as_str(),
    )
}

async fn a_program_that_did_not_start_is_replayed(trial: &Trial<'_>) -> Checked {
    let output = trial.run(trial.program("no-such-program-here")?).await?;
    let mut follower = attach(trial, &output.process, Position::default()).await?;
    let exit = follower.until_closed().await?;
    expect_eq("the exit", Some(&exit), output.exit())
}

//! Waiting, deadlines, cancelling and dropping.

use std::time::Duration;

use oh_core::{Capability, Command, ErrorKind, Exit, Follow, Outcome, Pause, Signal};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, Failure, ensure, expect_bytes, expect_code, expect_eq, expect_exit, expect_kind,
    expect_stdout,
};
use crate::conformance::follower::contains;
use crate::conformance::tree::{LEAF, TREE, TREE_SIZE};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::DeadlineAndCancel;

pub(super) const CHECKS: &[Check] = &[
    check!(a_deadline_ends_the_command_and_says_so),
    check!(output_before_the_deadline_is_delivered),
    check!(a_deadline_that_is_not_reached_changes_nothing),
    check!(a_deadline_kills_what_ignores_the_polite_signal),
    check!(a_deadline_ends_the_whole_tree)
        .needs(TREE_KILL)
        .programs(SETSID),
    check!(cancel_ends_the_command_and_says_so),
    check!(cancel_sends_the_polite_signal_first),
    check!(cancel_kills_what_ignores_the_polite_signal),
    check!(cancel_ends_the_whole_tree)
        .needs(TREE_KILL)
        .programs(SETSID),
    check!(cancel_ends_what_outlived_the_command).needs(TREE_KILL),
    check!(cancel_of_an_ended_process_is_fine),
    check!(cancel_twice_at_once_is_fine),
    check!(dropping_the_future_of_run_ends_the_command),
    check!(dropping_the_future_of_run_ends_the_whole_tree)
        .needs(TREE_KILL)
        .programs(SETSID),
    check!(dropping_a_process_only_detaches).needs(&[Capability::Attach]),
    check!(elapsed_time_ends_the_waiting_and_not_the_command),
    check!(silence_ends_the_waiting_and_not_the_command),
    check!(output_puts_off_the_end_of_the_waiting),
    check!(each_silence_is_reported_once),
    check!(a_pause_is_followed_on_without_loss).needs(&[Capability::Attach]),
    check!(a_signal_ends_a_command).needs(SIGNALS),
    check!(a_signal_can_be_handled).needs(SIGNALS),
    check!(a_stopped_command_goes_on).needs(SIGNALS),
    check!(a_signal_to_an_ended_process_is_gone).needs(SIGNALS),
];

const TREE_KILL: &[Capability] = &[Capability::TreeKill];
const SIGNALS: &[Capability] = &[Capability::Signals];
const SETSID: &[&str] = &["setsid"];
const SOON: Duration = Duration::from_millis(300);

async fn a_deadline_ends_the_command_and_says_so(trial: &Trial<'_>) -> Checked {
    let output = trial.run(trial.script("sleep 300")?.deadline(SOON)).await?;
    expect_exit(&output, &Exit::TimedOut)?;
    ensure!(!output.is_success(), "a deadline is reported as success");
    Ok(())
}

async fn output_before_the_deadline_is_delivered(trial: &Trial<'_>) -> Checked {
    let command = trial.script("echo partial; printf half; sleep 300")?;
    let output = trial.run(command.deadline(Duration::from_secs(2))).await?;
    expect_exit(&output, &Exit::TimedOut)?;
    expect_stdout(&output, "partial\nhalf")
}

async fn a_deadline_that_is_not_reached_changes_nothing(trial: &Trial<'_>) -> Checked {
    let command = trial.script("echo fine; exit 3")?;
    let output = trial.run(command.deadline(Duration::from_secs(50))).await?;
    expect_code(&output, 3)?;
    expect_stdout(&output, "fine\n")
}

async fn a_deadline_kills_what_ignores_the_polite_signal(trial: &Trial<'_>) -> Checked {
    trial.plant().await?;
    let script = format!("trap '' TERM INT HUP QUIT; {LEAF}");
    let command = trial.script(&script)?.deadline(Duration::from_secs(2));
    let output = trial.run(command.grace(SOON)).await?;
    expect_exit(&output, &Exit::TimedOut)?;
    expect_stdout(&output, "up\n")?;
    trial.expect_felled().await
}

async fn a_deadline_ends_the_whole_tree(trial: &Trial<'_>) -> Checked {
    trial.plant().await?;
    // On a machine under load the tree may need longer than the first deadline to stand.
    for seconds in [2, 6, 20] {
        let command = trial.script(TREE)?.deadline(Duration::from_secs(seconds));
        let output = trial.run(command.grace(SOON)).await?;
        expect_exit(&output, &Exit::TimedOut)?;
        trial.expect_felled().await?;
        if output.stdout_text().matches("up\n").count() == TREE_SIZE {
            return Ok(());
        }
    }
    Err(Failure::new(
        "the output of the tree before its deadline is missing",
    ))
}

async fn cancel_ends_the_command_and_says_so(trial: &Trial<'_>) -> Checked {
    let command = trial.script("echo partial; sleep 300")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("partial").await?;
    follower.control().cancel().await?;
    follower.expect_end(&Exit::Cancelled).await?;
    expect_bytes("stdout", &follower.stdout, b"partial\n")
}

async fn cancel_sends_the_polite_signal_first(trial: &Trial<'_>) -> Checked {
    let script = "trap 'echo bye; exit 0' TERM INT HUP; echo up; while :; do sleep 1; done";
    let command = trial.script(script)?.grace(Duration::from_secs(40));
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower.control().cancel().await?;
    follower.expect_end(&Exit::Cancelled).await?;
    ensure!(contains(&follower.stdout, b"bye"), "{}", follower.state());
    Ok(())
}

async fn cancel_kills_what_ignores_the_polite_signal(trial: &Trial<'_>) -> Checked {
    trial.plant().await?;
    let script = format!("trap '' TERM INT HUP QUIT; {LEAF}");
    let command = trial.script(&script)?.grace(SOON);
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower.control().cancel().await?;
    trial.expect_felled().await?;
    follower.expect_end(&Exit::Cancelled).await
}

async fn cancel_ends_the_whole_tree(trial: &Trial<'_>) -> Checked {
    trial.plant().await?;
    let command = trial.script(TREE)?.grace(SOON);
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout(&"up\n".repeat(TREE_SIZE)).await?;
    follower.control().cancel().await?;
    trial.expect_felled().await?;
    follower.expect_end(&Exit::Cancelled).await
}

async fn cancel_ends_what_outlived_the_command(trial: &Trial<'_>) -> Checked {
    trial.plant().await?;
    let command = trial.script(&format!("({LEAF}) & read x <go"))?;
    trial.gate("go").await?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    trial.open_gate("go").await?;
    expect_eq("the exit", follower.until_exit().await?, Exit::Code(0))?;
    follower.control().cancel().await?;
    trial.expect_felled().await?;
    expect_eq("the exit", follower.until_closed().await?, Exit::Code(0))
}

async fn cancel_of_an_ended_process_is_fine(trial: &Trial<'_>) -> Checked {
    let mut follower = trial
        .follow(trial.script("exit 4")?, Follow::default())
        .await?;
    follower.until_closed().await?;
    follower.control().cancel().await?;
    expect_eq("the exit", follower.until_closed().await?, Exit::Code(4))
}

async fn cancel_twice_at_once_is_fine(trial: &Trial<'_>) -> Checked {
    let command = trial.script("echo up; sleep 300")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    let control = follower.control();
    let (first, second) = tokio::join!(control.cancel(), control.cancel());
    first?;
    second?;
    follower.expect_end(&Exit::Cancelled).await
}

/// Runs a script that opens the pipe `signed` when it stands, and drops the call then.
async fn drop_when_standing(trial: &Trial<'_>, script: &str) -> Checked {
    trial.plant().await?;
    trial.gate("signed").await?;
    tokio::select! {
        early = trial.sh(script) => {
            Err(Failure::new(format!("the command ended too early: {early:?}")))
        }
        signed = trial.ok("read x <signed") => signed.map(drop),
    }
}

async fn dropping_the_future_of_run_ends_the_command(trial: &Trial<'_>) -> Checked {
    let script = "exec 9<>alive; echo up >signed; while :; do sleep 1; done";
    drop_when_standing(trial, script).await?;
    trial.expect_felled().await
}

async fn dropping_the_future_of_run_ends_the_whole_tree(trial: &Trial<'_>) -> Checked {
    let script =
        format!("({TREE}) | {{ for i in 1 2 3 4 5; do read x; done; echo up >signed; cat; }}");
    drop_when_standing(trial, &script).await?;
    trial.expect_felled().await
}

async fn dropping_a_process_only_detaches(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let command = trial.script("echo up; read x <go; echo done; exit 5")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    let id = follower.id().clone();
    drop(follower);
    trial.open_gate("go").await?;
    let mut process = trial.runtime().attach(&id, Follow::default()).await?;
    let output = process.output(Default::default()).await?;
    expect_code(&output, 5)?;
    expect_stdout(&output, "up\ndone\n")
}

fn paused(trial: &Trial<'_>) -> Checked<Command> {
    trial.script("echo one; read x <go; echo two; exit 7")
}

async fn elapsed_time_ends_the_waiting_and_not_the_command(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let mut process = trial
        .spawn(paused(trial)?, Follow::default().until(SOON))
        .await?;
    let output = process.output(Default::default()).await?;
    ensure!(
        matches!(
            output.outcome,
            Outcome::Running {
                why: Pause::Elapsed,
                ..
            }
        ),
        "the call ended with {:?}",
        output.outcome
    );
    trial.open_gate("go").await?;
    expect_code(&process.output(Default::default()).await?, 7)
}

async fn silence_ends_the_waiting_and_not_the_command(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let follow = Follow::default().quiet(Duration::from_secs(2));
    let mut process = trial.spawn(paused(trial)?, follow).await?;
    let output = process.output(Default::default()).await?;
    ensure!(
        matches!(
            output.outcome,
            Outcome::Running {
                why: Pause::Quiet,
                ..
            }
        ),
        "the call ended with {:?}",
        output.outcome
    );
    expect_stdout(&output, "one\n")?;
    trial.open_gate("go").await?;
    let rest = process.output(Default::default()).await?;
    expect_code(&rest, 7)?;
    expect_stdout(&rest, "two\n")
}

async fn output_puts_off_the_end_of_the_waiting(trial: &Trial<'_>) -> Checked {
    let script = "for i in 1 2 3 4 5 6; do echo $i; sleep 1; done";
    let follow = Follow::default().quiet(Duration::from_secs(5));
    let output = trial.runtime().run(trial.script(script)?, follow).await?;
    expect_code(&output, 0)?;
    expect_stdout(&output, "1\n2\n3\n4\n5\n6\n")
}

async fn each_silence_is_reported_once(trial: &Trial<'_>) -> Checked {
    trial.gate("first").await?;
    trial.gate("second").await?;
    let script = "echo one; read x <first; echo two; read x <second; echo three";
    let follow = Follow::default().quiet(Duration::from_secs(1));
    let mut follower = trial.follow(trial.script(script)?, follow).await?;
    for (word, gate) in [("one\n", "first"), ("two\n", "second")] {
        follower.until_stdout(word).await?;
        let (why, _) = follower.until_pause().await?;
        expect_eq("the pause", why, Pause::Quiet)?;
        trial.open_gate(gate).await?;
    }
    follower.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout", &follower.stdout, b"one\ntwo\nthree\n")
}

async fn a_pause_is_followed_on_without_loss(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let follow = Follow::default().quiet(Duration::from_secs(1));
    let script = "seq 1 5000; echo err >&2; read x <go; seq 5001 9000; echo more >&2";
    let first = trial.runtime().run(trial.script(script)?, follow).await?;
    ensure!(
        first.exit().is_none(),
        "the call ended with {:?}",
        first.outcome
    );
    trial.open_gate("go").await?;
    let follow = Follow::default().from(first.position);
    let mut process = trial.runtime().attach(&first.process, follow).await?;
    let rest = process.output(Default::default()).await?;
    expect_code(&rest, 0)?;
    let lines = |from: u32, to: u32| -> String { (from..=to).map(|n| format!("{n}\n")).collect() };
    expect_stdout(&first, lines(1, 5000))?;
    expect_stdout(&rest, lines(5001, 9000))?;
    expect_eq(
        "the last position",
        rest.position.stdout,
        lines(1, 9000).len() as u64,
    )?;
    expect_eq("the last position of stderr", rest.position.stderr, 9)
}

async fn a_signal_ends_a_command(trial: &Trial<'_>) -> Checked {
    for (signal, number) in [
        (Signal::Terminate, 15),
        (Signal::Kill, 9),
        (Signal::Hangup, 1),
    ] {
        let command = trial.script("echo up; exec sleep 300")?;
        let mut follower = trial.follow(command, Follow::default()).await?;
        follower.until_stdout("up").await?;
        follower.control().signal(signal).await?;
        follower.expect_end(&Exit::Signal(number)).await?;
    }
    Ok(())
}

async fn a_signal_can_be_handled(trial: &Trial<'_>) -> Checked {
    let script = "trap 'echo first' USR1; trap 'echo second; exit 6' USR2; echo up; \
                  while :; do sleep 1; done";
    let mut follower = trial
        .follow(trial.script(script)?, Follow::default())
        .await?;
    follower.until_stdout("up").await?;
    // A signal goes to the whole group, so the `sleep` ends with it.
    follower.control().signal(Signal::User1).await?;
    follower.until_stdout("first").await?;
    follower.control().signal(Signal::User2).await?;
    follower.expect_end(&Exit::Code(6)).await
}

async fn a_stopped_command_goes_on(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let command = trial.script("echo up; read x <go; echo done; exit 2")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower.control().signal(Signal::Stop).await?;
    follower.control().signal(Signal::Continue).await?;
    trial.open_gate("go").await?;
    follower.expect_end(&Exit::Code(2)).await
}

async fn a_signal_to_an_ended_process_is_gone(trial: &Trial<'_>) -> Checked {
    let mut follower = trial
        .follow(trial.script("true")?, Follow::default())
        .await?;
    follower.until_closed().await?;
    let sent = follower.control().signal(Signal::Terminate).await;
    expect_kind("signal", sent, ErrorKind::Gone).map(drop)
}

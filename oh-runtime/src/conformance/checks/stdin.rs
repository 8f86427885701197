//! What goes into a process.

use bytes::Bytes;
use oh_core::{Capability, ErrorKind, Exit, Follow, Stdin};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, expect_bytes, expect_kind, expect_one_of, expect_prints,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Stdin;

pub(super) const CHECKS: &[Check] = &[
    check!(null_stdin_is_at_its_end_at_once),
    check!(given_bytes_reach_the_command_exactly),
    check!(given_bytes_that_nobody_reads_do_no_harm),
    check!(empty_bytes_are_an_empty_input),
    check!(written_bytes_reach_the_command_until_stdin_is_closed).needs(PIPED),
    check!(a_dialogue_goes_back_and_forth).needs(PIPED),
    check!(ten_megabytes_go_through_although_nobody_reads_the_events).needs(PIPED),
    check!(writing_to_an_ended_process_is_gone).needs(PIPED),
    check!(writing_after_closing_is_refused).needs(PIPED),
    check!(closing_twice_is_fine).needs(PIPED),
    check!(writing_without_a_pipe_is_invalid).needs(PIPED),
    check!(cancel_ends_a_process_that_waits_for_input).needs(PIPED),
];

const PIPED: &[Capability] = &[Capability::Stdin];

async fn null_stdin_is_at_its_end_at_once(trial: &Trial<'_>) -> Checked {
    expect_prints(&trial.sh("cat; read x || echo end").await?, "end\n")
}

async fn given_bytes_reach_the_command_exactly(trial: &Trial<'_>) -> Checked {
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let stdin = Stdin::Bytes(bytes.clone().into());
    let output = trial
        .run(trial.script("cat >copy; echo done")?.stdin(stdin))
        .await?;
    expect_prints(&output, "done\n")?;
    expect_bytes("what was read", &trial.get("copy").await?, &bytes)
}

async fn given_bytes_that_nobody_reads_do_no_harm(trial: &Trial<'_>) -> Checked {
    let stdin = Stdin::Bytes(vec![b'x'; 4 << 20].into());
    let output = trial.run(trial.script("echo done")?.stdin(stdin)).await?;
    expect_prints(&output, "done\n")
}

async fn empty_bytes_are_an_empty_input(trial: &Trial<'_>) -> Checked {
    let command = trial.script("wc -c | tr -d ' '")?;
    let output = trial.run(command.stdin(Stdin::Bytes(Bytes::new()))).await?;
    expect_prints(&output, "0\n")
}

async fn written_bytes_reach_the_command_until_stdin_is_closed(trial: &Trial<'_>) -> Checked {
    let command = trial.script("cat; echo end")?.stdin(Stdin::Piped);
    let mut follower = trial.follow(command, Follow::default()).await?;
    let control = follower.control();
    control.write_stdin("one\0\u{7f}").await?;
    control.write_stdin("two\n").await?;
    follower.until_stdout("two\n").await?;
    control.close_stdin().await?;
    follower.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout", &follower.stdout, b"one\0\x7ftwo\nend\n")
}

async fn a_dialogue_goes_back_and_forth(trial: &Trial<'_>) -> Checked {
    let script = "while read word; do echo \"got $word\"; done; exit 2";
    let command = trial.script(script)?.stdin(Stdin::Piped);
    let mut follower = trial.follow(command, Follow::default()).await?;
    for n in 0..50 {
        follower.control().write_stdin(format!("word{n}\n")).await?;
        follower.until_stdout(&format!("got word{n}\n")).await?;
    }
    follower.control().close_stdin().await?;
    follower.expect_end(&Exit::Code(2)).await
}

async fn ten_megabytes_go_through_although_nobody_reads_the_events(trial: &Trial<'_>) -> Checked {
    let bytes: Bytes = (0..=250u8).cycle().take(10_000_000).collect();
    let command = trial.script("cat")?.stdin(Stdin::Piped);
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.control().write_stdin(bytes.clone()).await?;
    follower.control().close_stdin().await?;
    follower.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout", &follower.stdout, &bytes)
}

async fn writing_to_an_ended_process_is_gone(trial: &Trial<'_>) -> Checked {
    let command = trial.script("exit 0")?.stdin(Stdin::Piped);
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_closed().await?;
    let written = follower.control().write_stdin("x").await;
    expect_kind("write_stdin", written, ErrorKind::Gone).map(drop)
}

async fn writing_after_closing_is_refused(trial: &Trial<'_>) -> Checked {
    let command = trial.script("cat; read x <go")?.stdin(Stdin::Piped);
    trial.gate("go").await?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.control().close_stdin().await?;
    let written = follower.control().write_stdin("x").await;
    let kinds = [ErrorKind::Gone, ErrorKind::InvalidInput];
    expect_one_of("write_stdin", written, &kinds)?;
    trial.open_gate("go").await?;
    follower.expect_end(&Exit::Code(0)).await
}

async fn closing_twice_is_fine(trial: &Trial<'_>) -> Checked {
    let command = trial.script("cat")?.stdin(Stdin::Piped);
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.control().close_stdin().await?;
    follower.control().close_stdin().await?;
    follower.expect_end(&Exit::Code(0)).await?;
    Ok(follower.control().close_stdin().await?)
}

async fn writing_without_a_pipe_is_invalid(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    for stdin in [Stdin::Null, Stdin::Bytes("given\n".into())] {
        let command = trial.script("read x <go")?.stdin(stdin);
        let mut follower = trial.follow(command, Follow::default()).await?;
        let written = follower.control().write_stdin("x").await;
        expect_kind("write_stdin", written, ErrorKind::InvalidInput)?;
        trial.open_gate("go").await?;
        follower.until_closed().await?;
    }
    Ok(())
}

async fn cancel_ends_a_process_that_waits_for_input(trial: &Trial<'_>) -> Checked {
    let command = trial.script("echo up; cat")?.stdin(Stdin::Piped);
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower.control().cancel().await?;
    follower.expect_end(&Exit::Cancelled).await
}

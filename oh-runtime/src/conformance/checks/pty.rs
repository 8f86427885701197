//! Terminals.

use std::time::Duration;

use oh_core::{
    Capability, Command, ErrorKind, Exit, Follow, Pause, PtySize, Signal, WaitsForInput,
};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, ensure, expect_bytes, expect_code, expect_eq, expect_kind, expect_prints, shown,
    terminal_text,
};
use crate::conformance::follower::contains;
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Pty;

pub(super) const CHECKS: &[Check] = &[
    check!(without_a_terminal_there_is_none),
    check!(a_terminal_is_one_on_all_three_streams).needs(PTY),
    check!(a_terminal_is_the_controlling_one).needs(PTY),
    check!(the_size_is_the_one_that_was_asked_for).needs(PTY),
    check!(a_resize_reaches_the_program).needs(PTY),
    check!(a_resize_without_a_terminal_is_invalid).needs(PTY),
    check!(both_streams_of_a_terminal_are_stdout).needs(PTY),
    check!(all_output_of_a_terminal_is_drained_at_the_exit).needs(PTY),
    check!(every_byte_leaves_a_terminal_without_output_processing).needs(PTY),
    check!(the_exit_of_a_program_in_a_terminal_is_exact).needs(PTY),
    check!(an_answer_reaches_the_program_that_asks).needs(PTY),
    check!(end_of_file_ends_the_input).needs(PTY),
    check!(ctrl_c_as_a_byte_interrupts).needs(PTY),
    check!(an_interrupt_signal_reaches_the_foreground_program)
        .needs(&[Capability::Pty, Capability::Signals]),
    check!(an_open_question_is_known_as_waiting_for_input)
        .needs(&[Capability::Pty, Capability::InputDetection]),
    check!(a_busy_program_is_not_taken_for_one_that_waits)
        .needs(&[Capability::Pty, Capability::InputDetection]),
    check!(a_background_child_does_not_hold_the_terminal).needs(PTY),
    check!(cancel_ends_a_program_in_a_terminal).needs(PTY),
];

const PTY: &[Capability] = &[Capability::Pty];

fn terminal(trial: &Trial<'_>, script: &str) -> Checked<Command> {
    Ok(trial.script(script)?.pty(PtySize::default()))
}

async fn without_a_terminal_there_is_none(trial: &Trial<'_>) -> Checked {
    let script = "for i in 0 1 2; do test -t $i && echo $i; done; (: </dev/tty) && echo tty; true";
    let output = trial.sh(script).await?;
    expect_prints(&output, "")
}

async fn a_terminal_is_one_on_all_three_streams(trial: &Trial<'_>) -> Checked {
    let script = "for i in 0 1 2; do test -t $i && echo $i; done";
    let output = trial.run(terminal(trial, script)?).await?;
    expect_code(&output, 0)?;
    expect_eq("the output", terminal_text(&output)?.as_str(), "0\n1\n2\n")
}

async fn a_terminal_is_the_controlling_one(trial: &Trial<'_>) -> Checked {
    let output = trial.run(terminal(trial, "echo hello >/dev/tty")?).await?;
    expect_code(&output, 0)?;
    expect_eq("the output", terminal_text(&output)?.as_str(), "hello\n")
}

async fn the_size_is_the_one_that_was_asked_for(trial: &Trial<'_>) -> Checked {
    for (rows, columns) in [(24, 80), (7, 133)] {
        let command = trial.script("stty size")?.pty(PtySize { rows, columns });
        let text = terminal_text(&trial.run(command).await?)?;
        expect_eq("the size", text, format!("{rows} {columns}\n"))?;
    }
    Ok(())
}

async fn a_resize_reaches_the_program(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let command = terminal(trial, "echo up; read x <go; stty size")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower
        .control()
        .resize(PtySize {
            rows: 41,
            columns: 99,
        })
        .await?;
    trial.open_gate("go").await?;
    follower.until_stdout("41 99").await?;
    follower.expect_end(&Exit::Code(0)).await
}

async fn a_resize_without_a_terminal_is_invalid(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let command = trial.script("read x <go")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    let resized = follower.control().resize(PtySize::default()).await;
    expect_kind("resize", resized, ErrorKind::InvalidInput)?;
    trial.open_gate("go").await?;
    follower.expect_end(&Exit::Code(0)).await
}

async fn both_streams_of_a_terminal_are_stdout(trial: &Trial<'_>) -> Checked {
    let output = trial
        .run(terminal(trial, "echo one; echo two >&2; echo three")?)
        .await?;
    expect_eq(
        "the output",
        terminal_text(&output)?.as_str(),
        "one\ntwo\nthree\n",
    )?;
    expect_eq("bytes of stderr", output.stderr.total_bytes, 0)
}

async fn all_output_of_a_terminal_is_drained_at_the_exit(trial: &Trial<'_>) -> Checked {
    let command = terminal(trial, "stty -opost; seq 1 50000")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.expect_end(&Exit::Code(0)).await?;
    let wanted: String = (1..=50_000).map(|n| format!("{n}\n")).collect();
    expect_bytes("the output", &follower.stdout, wanted.as_bytes())
}

async fn every_byte_leaves_a_terminal_without_output_processing(trial: &Trial<'_>) -> Checked {
    let bytes: Vec<u8> = (0..=255).collect();
    trial.put("bytes", bytes.clone()).await?;
    let output = trial
        .run(terminal(trial, "stty -opost; cat bytes")?)
        .await?;
    expect_prints(&output, bytes)
}

async fn the_exit_of_a_program_in_a_terminal_is_exact(trial: &Trial<'_>) -> Checked {
    for code in [0, 1, 42, 255] {
        let output = trial
            .run(terminal(trial, &format!("echo x; exit {code}"))?)
            .await?;
        expect_code(&output, code)?;
        expect_eq("the output", terminal_text(&output)?.as_str(), "x\n")?;
    }
    Ok(())
}

async fn an_answer_reaches_the_program_that_asks(trial: &Trial<'_>) -> Checked {
    let script = "printf 'name? '; read name; echo \"hello $name\"; test -n \"$name\"";
    let mut follower = trial
        .follow(terminal(trial, script)?, Follow::default())
        .await?;
    follower.until_stdout("name? ").await?;
    follower.control().write_stdin("Bob\n").await?;
    follower.until_stdout("hello Bob").await?;
    follower.expect_end(&Exit::Code(0)).await
}

async fn end_of_file_ends_the_input(trial: &Trial<'_>) -> Checked {
    let command = terminal(trial, "stty -echo; echo up; cat; echo end")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower.control().write_stdin("line\n").await?;
    follower.until_stdout("line").await?;
    follower.control().close_stdin().await?;
    follower.until_stdout("end").await?;
    follower.expect_end(&Exit::Code(0)).await
}

const INTERRUPTED: &str = "trap 'echo caught; exit 9' INT; echo up; while :; do sleep 1; done";

async fn ctrl_c_as_a_byte_interrupts(trial: &Trial<'_>) -> Checked {
    let command = terminal(trial, INTERRUPTED)?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower.control().write_stdin("\u{3}").await?;
    follower.expect_end(&Exit::Code(9)).await?;
    ensure!(
        contains(&follower.stdout, b"caught"),
        "{}",
        follower.state()
    );
    Ok(())
}

async fn an_interrupt_signal_reaches_the_foreground_program(trial: &Trial<'_>) -> Checked {
    let command = terminal(trial, INTERRUPTED)?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("up").await?;
    follower.control().signal(Signal::Interrupt).await?;
    follower.expect_end(&Exit::Code(9)).await
}

async fn an_open_question_is_known_as_waiting_for_input(trial: &Trial<'_>) -> Checked {
    let command = terminal(trial, "printf 'sure? '; read x; echo \"said $x\"")?;
    let follow = Follow::default().quiet(Duration::from_secs(1));
    let mut follower = trial.follow(command, follow).await?;
    follower.until_stdout("sure? ").await?;
    let (why, input) = follower.until_pause().await?;
    expect_eq("the reason of the pause", why, Pause::Quiet)?;
    ensure!(
        matches!(input, WaitsForInput::Yes(_)),
        "a program that reads its terminal is reported as {input:?}"
    );
    follower.control().write_stdin("yes\n").await?;
    follower.until_stdout("said yes").await?;
    follower.expect_end(&Exit::Code(0)).await
}

async fn a_busy_program_is_not_taken_for_one_that_waits(trial: &Trial<'_>) -> Checked {
    for work in ["sleep 300", "while :; do :; done"] {
        let command = terminal(trial, &format!("echo up; {work}"))?;
        let follow = Follow::default().quiet(Duration::from_millis(500));
        let mut follower = trial.follow(command, follow).await?;
        follower.until_stdout("up").await?;
        let (_, input) = follower.until_pause().await?;
        ensure!(
            !matches!(input, WaitsForInput::Yes(_)),
            "`{work}` is said to wait for input: {input:?}"
        );
        follower.control().cancel().await?;
    }
    Ok(())
}

async fn a_background_child_does_not_hold_the_terminal(trial: &Trial<'_>) -> Checked {
    let script = "trap '' HUP; sleep 300 & echo started $!";
    let output = trial.run(terminal(trial, script)?).await?;
    expect_code(&output, 0)?;
    let text = terminal_text(&output)?;
    let Some(pid) = text.trim().strip_prefix("started ") else {
        ensure!(false, "the output is \"{}\"", shown(text.as_bytes()));
        return Ok(());
    };
    trial.sh(&format!("kill -KILL {pid}")).await.map(drop)
}

async fn cancel_ends_a_program_in_a_terminal(trial: &Trial<'_>) -> Checked {
    let script = "trap '' INT TERM HUP QUIT; echo up; while :; do sleep 1; done";
    let mut follower = trial
        .follow(terminal(trial, script)?, Follow::default())
        .await?;
    follower.until_stdout("up").await?;
    follower.control().cancel().await?;
    follower.expect_end(&Exit::Cancelled).await
}

//! What comes out of a process.

use oh_core::{
    ByteRange, Capability, CaptureLimit, Command, ErrorKind, Exit, Follow, OutputMode, OutputStream,
};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{
    Checked, ensure, expect_bytes, expect_code, expect_eq, expect_one_of, expect_prints,
    expect_stderr, expect_stdout,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Output;

pub(super) const CHECKS: &[Check] = &[
    check!(stdout_and_stderr_are_kept_apart),
    check!(merged_output_keeps_the_order_of_writes),
    check!(all_256_byte_values_arrive),
    check!(output_without_a_final_newline_is_kept),
    check!(no_output_is_an_empty_output),
    check!(ten_megabytes_on_one_line_arrive_exactly),
    check!(ten_thousand_lines_on_each_stream_arrive_exactly),
    check!(head_and_tail_of_a_long_output_are_exact),
    check!(capturing_nothing_still_counts_every_byte),
    check!(the_output_of_200_short_commands_is_never_lost),
    check!(output_is_reported_while_the_command_runs),
    check!(events_begin_with_started_and_end_with_closed),
    check!(output_after_the_exit_is_followed_until_closed),
    check!(text_that_looks_like_a_mark_is_data),
    check!(a_program_that_closes_its_output_is_still_followed),
    check!(a_reader_that_stops_early_ends_its_writer),
    check!(kept_output_is_read_by_range).needs(RANGE),
    check!(kept_output_is_the_same_as_the_events).needs(RANGE),
    check!(more_than_16_mib_at_once_is_refused).needs(RANGE),
];

const RANGE: &[Capability] = &[Capability::OutputRange];

async fn stdout_and_stderr_are_kept_apart(trial: &Trial<'_>) -> Checked {
    let output = trial
        .sh("echo one; echo two >&2; echo three; echo four >&2")
        .await?;
    expect_prints(&output, "one\nthree\n")?;
    expect_stderr(&output, "two\nfour\n")
}

async fn merged_output_keeps_the_order_of_writes(trial: &Trial<'_>) -> Checked {
    let script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    let output = trial
        .run(trial.script(script)?.output(OutputMode::Merged))
        .await?;
    let wanted: String = (0..200).map(|i| format!("o{i}\ne{i}\n")).collect();
    expect_prints(&output, wanted)?;
    expect_stderr(&output, "")
}

async fn all_256_byte_values_arrive(trial: &Trial<'_>) -> Checked {
    let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    trial.put("bytes", bytes.clone()).await?;
    let output = trial.sh("cat bytes; cat bytes >&2").await?;
    expect_prints(&output, &bytes)?;
    expect_stderr(&output, &bytes)
}

async fn output_without_a_final_newline_is_kept(trial: &Trial<'_>) -> Checked {
    let output = trial.sh("printf 'a\\nb'; printf c >&2").await?;
    expect_prints(&output, "a\nb")?;
    expect_stderr(&output, "c")
}

async fn no_output_is_an_empty_output(trial: &Trial<'_>) -> Checked {
    let output = trial.sh(":").await?;
    expect_prints(&output, "")?;
    expect_stderr(&output, "")?;
    expect_eq("total_bytes", output.stdout.total_bytes, 0)
}

/// About ten megabytes in which every place differs from its surroundings, and how to print them.
fn long_line() -> (&'static str, Vec<u8>) {
    let mut line = Vec::with_capacity(11 << 20);
    for n in 1..=1_400_000 {
        line.extend_from_slice(n.to_string().as_bytes());
        line.push(b',');
    }
    ("seq 1 1400000 | tr '\\n' ,", line)
}

async fn ten_megabytes_on_one_line_arrive_exactly(trial: &Trial<'_>) -> Checked {
    let (script, line) = long_line();
    let mut follower = trial
        .follow(trial.script(script)?, Follow::default())
        .await?;
    follower.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout", &follower.stdout, &line)
}

async fn ten_thousand_lines_on_each_stream_arrive_exactly(trial: &Trial<'_>) -> Checked {
    let script = "i=0; while [ $i -lt 10000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    let mut follower = trial
        .follow(trial.script(script)?, Follow::default())
        .await?;
    follower.expect_end(&Exit::Code(0)).await?;
    let lines =
        |letter: char| -> String { (0..10_000).map(|i| format!("{letter}{i}\n")).collect() };
    expect_bytes("stdout", &follower.stdout, lines('o').as_bytes())?;
    expect_bytes("stderr", &follower.stderr, lines('e').as_bytes())
}

async fn head_and_tail_of_a_long_output_are_exact(trial: &Trial<'_>) -> Checked {
    let (script, line) = long_line();
    let limit = CaptureLimit {
        head_bytes: 1000,
        tail_bytes: 3000,
    };
    let output = trial.run(trial.script(script)?.capture(limit)).await?;
    expect_code(&output, 0)?;
    expect_eq("total_bytes", output.stdout.total_bytes, line.len() as u64)?;
    expect_bytes(
        "the head",
        &output.stdout.head,
        line.get(..1000).unwrap_or(&line),
    )?;
    let tail = line.get(line.len() - 3000..).unwrap_or(&line);
    expect_bytes("the tail", &output.stdout.tail, tail)
}

async fn capturing_nothing_still_counts_every_byte(trial: &Trial<'_>) -> Checked {
    let command = trial
        .script("seq 1 1000; echo x >&2")?
        .capture(CaptureLimit::NONE);
    let output = trial.run(command).await?;
    expect_code(&output, 0)?;
    expect_eq("total_bytes of stdout", output.stdout.total_bytes, 3893)?;
    expect_eq("total_bytes of stderr", output.stderr.total_bytes, 2)?;
    ensure!(output.stdout.head.is_empty(), "bytes were captured");
    expect_eq("the position", output.position.stdout, 3893)
}

async fn the_output_of_200_short_commands_is_never_lost(trial: &Trial<'_>) -> Checked {
    for n in 0..200 {
        let output = trial.run(trial.program("echo")?.arg(n.to_string())).await?;
        expect_prints(&output, format!("{n}\n"))?;
    }
    Ok(())
}

async fn output_is_reported_while_the_command_runs(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let command = trial.script("echo one; echo two >&2; read x <go; echo three")?;
    let mut follower = trial.follow(command, Follow::default()).await?;
    follower.until_stdout("one\n").await?;
    trial.open_gate("go").await?;
    follower.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout", &follower.stdout, b"one\nthree\n")
}

async fn events_begin_with_started_and_end_with_closed(trial: &Trial<'_>) -> Checked {
    for script in ["true", "echo x; exit 3", "exec >&- 2>&-; sleep 0"] {
        let mut follower = trial
            .follow(trial.script(script)?, Follow::default())
            .await?;
        follower
            .until_closed()
            .await
            .map_err(|failure| failure.at(script))?;
    }
    let missing = trial.program("no-such-program-here")?;
    let mut follower = trial.follow(missing, Follow::default()).await?;
    follower.until_closed().await.map(drop)
}

async fn output_after_the_exit_is_followed_until_closed(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let script = "(read x <go; echo late; echo too >&2) & echo early; exit 6";
    let mut follower = trial
        .follow(trial.script(script)?, Follow::default())
        .await?;
    expect_eq("the exit", follower.until_exit().await?, Exit::Code(6))?;
    expect_bytes("stdout at the exit", &follower.stdout, b"early\n")?;
    trial.open_gate("go").await?;
    follower.until_closed().await?;
    expect_bytes("stdout", &follower.stdout, b"early\nlate\n")?;
    expect_bytes("stderr", &follower.stderr, b"too\n")
}

async fn text_that_looks_like_a_mark_is_data(trial: &Trial<'_>) -> Checked {
    let marks = concat!(
        "\u{1}\0\0\0\0\0\0\u{5}exit\n",
        "\r\n0\r\n\r\n",
        "data: {\"exit\":0}\n\n",
        "__oh_done 0\n",
        "###PS1END###\n",
        "\u{1b}]133;D;0\u{7}",
        "\u{1b}[6n\u{1b}[c",
        "{\"exited\":{\"code\":0}}\n",
        "\0\0\0\0\u{4}",
        "$ \n# \n> "
    );
    trial.put("marks", marks).await?;
    let output = trial.sh("cat marks; cat marks >&2; exit 9").await?;
    expect_code(&output, 9)?;
    expect_stdout(&output, marks)?;
    expect_stderr(&output, marks)
}

async fn a_program_that_closes_its_output_is_still_followed(trial: &Trial<'_>) -> Checked {
    let output = trial
        .sh("echo first; exec >&- 2>&-; sleep 1; exit 8")
        .await?;
    expect_code(&output, 8)?;
    expect_stdout(&output, "first\n")
}

async fn a_reader_that_stops_early_ends_its_writer(trial: &Trial<'_>) -> Checked {
    expect_prints(
        &trial.run(Command::shell("yes | head -n 2")).await?,
        "y\ny\n",
    )
}

async fn kept_output_is_read_by_range(trial: &Trial<'_>) -> Checked {
    let output = trial.sh("printf 0123456789; printf abc >&2").await?;
    for (range, wanted) in [
        (ByteRange::from(0..10), "0123456789"),
        (ByteRange::from(3..5), "34"),
        (ByteRange::from(8..), "89"),
        (ByteRange::from(8..400), "89"),
        (ByteRange::from(4..4), ""),
        (ByteRange::from(10..), ""),
        (ByteRange::from(99..100), ""),
    ] {
        let read = trial
            .runtime()
            .read_output(&output.process, OutputStream::Stdout, range);
        expect_bytes(
            &format!("{range:?} of stdout"),
            &read.await?,
            wanted.as_bytes(),
        )?;
    }
    let read = trial
        .runtime()
        .read_output(&output.process, OutputStream::Stderr, (1..).into());
    expect_bytes("stderr from byte 1", &read.await?, b"bc")
}

async fn kept_output_is_the_same_as_the_events(trial: &Trial<'_>) -> Checked {
    let (script, line) = long_line();
    let output = trial.run(trial.script(script)?).await?;
    expect_code(&output, 0)?;
    let mut kept = Vec::new();
    // Slices of a size that fits no border.
    while kept.len() < line.len() {
        let start = kept.len() as u64;
        let range = (start..start + 1_234_567).into();
        let read = trial
            .runtime()
            .read_output(&output.process, OutputStream::Stdout, range);
        let slice = read.await?;
        ensure!(!slice.is_empty(), "nothing is kept from byte {start} on");
        kept.extend_from_slice(&slice);
    }
    expect_bytes("the kept output", &kept, &line)
}

async fn more_than_16_mib_at_once_is_refused(trial: &Trial<'_>) -> Checked {
    let script = "head -c 17000000 /dev/zero";
    let output = trial
        .run(trial.script(script)?.capture(CaptureLimit::NONE))
        .await?;
    let read = trial
        .runtime()
        .read_output(&output.process, OutputStream::Stdout, (0..).into());
    // A runtime that keeps less than that has lost the first bytes.
    let kinds = [ErrorKind::TooLarge, ErrorKind::Gone];
    expect_one_of("read_output", read.await, &kinds).map(drop)
}

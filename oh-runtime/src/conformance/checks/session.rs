//! Persistent shells: what survives, what is refused, what is waited for.

use std::time::Duration;

use oh_core::{
    Capability, Command, CommandOutput, ErrorKind, Exit, Follow, Limits, SessionName, Signal,
    Stdin, WaitsForInput,
};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::concurrent::{Boxed, join_all};
use crate::conformance::expect::{
    Checked, Failure, ensure, expect_code, expect_eq, expect_exit, expect_kind, terminal_text,
};
use crate::conformance::follower::Follower;
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Session;

pub(super) const CHECKS: &[Check] = &[
    check!(the_working_directory_survives).needs(SHELL),
    check!(variables_and_functions_survive).needs(SHELL),
    check!(the_exit_code_is_that_of_the_last_command).needs(SHELL),
    check!(a_session_starts_in_the_workspace).needs(SHELL),
    check!(an_argv_command_is_quoted).needs(SHELL),
    check!(both_streams_are_stdout).needs(SHELL),
    check!(output_of_one_command_does_not_run_into_the_next).needs(SHELL),
    check!(long_output_is_exact).needs(SHELL),
    check!(two_hundred_commands_give_their_own_answers).needs(SHELL),
    check!(the_report_names_the_working_directory).needs(SHELL),
    check!(sessions_do_not_see_each_other).needs(SHELL),
    check!(sessions_run_side_by_side).needs(SHELL),
    check!(a_busy_session_is_a_conflict_that_names_the_running_process).needs(SHELL),
    check!(a_working_directory_for_one_command_is_invalid).needs(SHELL),
    check!(variables_for_one_command_are_invalid).needs(SHELL),
    check!(limits_for_one_command_are_invalid).needs(SHELL),
    check!(input_bytes_for_one_command_are_invalid).needs(SHELL),
    check!(stdin_is_empty_unless_asked_for).needs(SHELL),
    check!(a_question_is_answered).needs(ANSWERS),
    check!(an_open_question_is_known_as_waiting_for_input).needs(&[
        Capability::Sessions,
        Capability::Stdin,
        Capability::InputDetection,
    ]),
    check!(a_background_job_does_not_hold_the_session).needs(SHELL),
    check!(an_interrupt_leaves_the_shell_as_it_was)
        .needs(&[Capability::Sessions, Capability::Signals]),
    check!(a_deadline_leaves_a_usable_session).needs(SHELL),
    check!(a_deadline_ends_what_ignores_an_interrupt).needs(SHELL),
    check!(cancel_leaves_a_usable_session).needs(SHELL),
    check!(closing_a_session_ends_what_runs_in_it).needs(SHELL),
    check!(a_closed_session_starts_anew).needs(SHELL),
    check!(closing_an_unknown_session_is_fine).needs(SHELL),
    check!(a_session_command_is_attached_to_like_any_other)
        .needs(&[Capability::Sessions, Capability::Attach]),
];

const SHELL: &[Capability] = &[Capability::Sessions];
const ANSWERS: &[Capability] = &[Capability::Sessions, Capability::Stdin];

/// Runs a text and compares its output, with plain line ends.
pub(super) async fn expect_says(
    trial: &Trial<'_>,
    session: &SessionName,
    text: &str,
    wanted: &str,
) -> Checked<CommandOutput> {
    let output = trial.say(session, text).await?;
    let found = terminal_text(&output)?;
    let text = text.get(..80).unwrap_or(text);
    ensure!(
        found == wanted && output.is_success(),
        "{text:?} gives {found:?} and {:?} instead of {wanted:?} and code 0",
        output.outcome
    );
    Ok(output)
}

async fn follow(trial: &Trial<'_>, session: &SessionName, text: &str) -> Checked<Follower> {
    let command = Command::shell(text).session(session.clone());
    trial.follow(command, Follow::default()).await
}

async fn the_working_directory_survives(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    trial.put("sub dir/note", "found").await?;
    let there = format!("cd '{}/sub dir'", trial.dir());
    expect_says(trial, &session, &there, "").await?;
    expect_says(trial, &session, "cat note", "found")
        .await
        .map(drop)
}

async fn variables_and_functions_survive(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let text = "local_one='a b'; export GIVEN=c\ngreet() {\n  echo \"hi $1\"\n}";
    expect_says(trial, &session, text, "").await?;
    let text = "echo \"$local_one\"; sh -c 'echo $GIVEN'; greet you";
    expect_says(trial, &session, text, "a b\nc\nhi you\n")
        .await
        .map(drop)
}

async fn the_exit_code_is_that_of_the_last_command(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    for (text, code) in [
        ("true", 0),
        ("false", 1),
        ("(exit 42)", 42),
        ("true; false; (exit 255)", 255),
        ("no-such-program-here 2>/dev/null", 127),
        ("false | true", 0),
        ("! true", 1),
        ("sh -c 'kill -KILL $$'", 137),
        ("# nothing", 0),
        ("false &&\ntrue", 1),
        ("false\n\n", 1),
    ] {
        let output = trial.say(&session, text).await?;
        expect_code(&output, code).map_err(|failure| failure.at(format_args!("{text:?}")))?;
    }
    Ok(())
}

async fn a_session_starts_in_the_workspace(trial: &Trial<'_>) -> Checked {
    trial.put("note", "found").await?;
    let text = format!("cat {}/note", trial.dir());
    expect_says(trial, &trial.session("a")?, &text, "found")
        .await
        .map(drop)
}

async fn an_argv_command_is_quoted(trial: &Trial<'_>) -> Checked {
    let args = [
        "a b", "", "$HOME", "*", "'", "\"", "\\", "; exit 1", "`id`", "!!", "a\tb", "é",
    ];
    let command = Command::new("printf").arg("[%s]\\n").args(args);
    let output = trial.run(command.session(trial.session("a")?)).await?;
    let wanted: String = args.iter().map(|arg| format!("[{arg}]\n")).collect();
    expect_code(&output, 0)?;
    expect_eq("the output", terminal_text(&output)?, wanted)
}

async fn both_streams_are_stdout(trial: &Trial<'_>) -> Checked {
    let text = "echo one; echo two >&2; echo three";
    let output = expect_says(trial, &trial.session("a")?, text, "one\ntwo\nthree\n").await?;
    expect_eq("bytes of stderr", output.stderr.total_bytes, 0)
}

async fn output_of_one_command_does_not_run_into_the_next(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    for (text, wanted) in [
        ("printf abc", "abc"),
        ("true", ""),
        ("echo", "\n"),
        ("printf '\\n\\nx\\n\\n'", "\n\nx\n\n"),
        ("printf ' '", " "),
        ("echo '$ '", "$ \n"),
        ("printf 'a\\tb'", "a\tb"),
        ("echo end", "end\n"),
    ] {
        expect_says(trial, &session, text, wanted).await?;
    }
    Ok(())
}

async fn long_output_is_exact(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let mut follower = follow(trial, &session, "seq 1 100000").await?;
    follower.expect_end(&Exit::Code(0)).await?;
    let text = String::from_utf8_lossy(&follower.stdout).replace("\r\n", "\n");
    let wanted: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    crate::conformance::expect::expect_bytes("the output", text.as_bytes(), wanted.as_bytes())
}

async fn two_hundred_commands_give_their_own_answers(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    for n in 0..200 {
        expect_says(trial, &session, &format!("echo {n}"), &format!("{n}\n")).await?;
    }
    Ok(())
}

async fn the_report_names_the_working_directory(trial: &Trial<'_>) -> Checked {
    trial.put("sub/note", "").await?;
    let text = format!("cd {}/sub", trial.dir());
    let output = trial.say(&trial.session("a")?, &text).await?;
    let report = output
        .session
        .ok_or_else(|| Failure::new("there is no report of the session"))?;
    ensure!(
        !report.restarted,
        "the report says that the shell was restarted"
    );
    let cwd = report.cwd.ok_or_else(|| Failure::new("there is no cwd"))?;
    let wanted = format!("{}/sub", trial.dir());
    ensure!(
        cwd.as_str().ends_with(&wanted),
        "the cwd is {cwd} instead of …/{wanted}"
    );
    Ok(())
}

async fn sessions_do_not_see_each_other(trial: &Trial<'_>) -> Checked {
    let (a, b) = (trial.session("a")?, trial.session("b")?);
    expect_says(trial, &a, "word=one; export GIVEN=one; cd /", "").await?;
    expect_says(
        trial,
        &b,
        "echo \"${word-unset} ${GIVEN-unset}\"",
        "unset unset\n",
    )
    .await?;
    expect_says(
        trial,
        &b,
        "test \"$PWD\" = / || echo elsewhere",
        "elsewhere\n",
    )
    .await?;
    let text = "echo \"${word-unset} ${GIVEN-unset}\"";
    let output = trial.sh(text).await?;
    expect_eq(
        "in a command of its own",
        output.stdout_text().as_ref(),
        "unset unset\n",
    )
}

async fn sessions_run_side_by_side(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let waits = format!("read x <{}/go; echo done", trial.dir());
    let mut waiting = follow(trial, &trial.session("waiting")?, &waits).await?;
    let one = |n: usize| -> Boxed<'_, Checked> {
        Box::pin(async move {
            let session = trial.session(&n.to_string())?;
            for round in 0..5 {
                let word = format!("{n}.{round}");
                expect_says(
                    trial,
                    &session,
                    &format!("echo {word}"),
                    &format!("{word}\n"),
                )
                .await?;
            }
            Ok(())
        })
    };
    let all: Checked = join_all((0..6).map(one).collect())
        .await
        .into_iter()
        .collect();
    all?;
    trial.open_gate("go").await?;
    waiting.expect_end(&Exit::Code(0)).await
}

async fn a_busy_session_is_a_conflict_that_names_the_running_process(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let session = trial.session("a")?;
    let waits = format!("echo up; read x <{}/go; echo done", trial.dir());
    let mut waiting = follow(trial, &session, &waits).await?;
    waiting.until_stdout("up").await?;
    let second = Command::shell("echo second").session(session.clone());
    let run = trial.runtime().run(second, Follow::default()).await;
    let error = expect_kind("a second command", run, ErrorKind::Conflict)?;
    expect_eq("the running process", error.running(), Some(waiting.id()))?;
    trial.open_gate("go").await?;
    waiting.expect_end(&Exit::Code(0)).await?;
    expect_says(trial, &session, "echo third", "third\n")
        .await
        .map(drop)
}

async fn expect_invalid(trial: &Trial<'_>, change: impl FnOnce(Command) -> Command) -> Checked {
    let session = trial.session("a")?;
    let marker = format!("touch {}/ran", trial.dir());
    let command = change(Command::shell(marker).session(session.clone()));
    let run = trial.runtime().run(command, Follow::default()).await;
    expect_kind("the command", run, ErrorKind::InvalidInput)?;
    let text = format!("test -e {}/ran || echo none", trial.dir());
    expect_says(trial, &session, &text, "none\n")
        .await
        .map(drop)
}

async fn a_working_directory_for_one_command_is_invalid(trial: &Trial<'_>) -> Checked {
    let dir = trial.path("")?;
    expect_invalid(trial, |command| command.cwd(dir)).await
}

async fn variables_for_one_command_are_invalid(trial: &Trial<'_>) -> Checked {
    expect_invalid(trial, |command| command.env("GIVEN", "x")).await
}

async fn limits_for_one_command_are_invalid(trial: &Trial<'_>) -> Checked {
    expect_invalid(trial, |command| {
        command.limits(Limits::default().open_files(64))
    })
    .await
}

async fn input_bytes_for_one_command_are_invalid(trial: &Trial<'_>) -> Checked {
    expect_invalid(trial, |command| command.stdin(Stdin::Bytes("x".into()))).await
}

async fn stdin_is_empty_unless_asked_for(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    expect_says(trial, &session, "cat; read x || echo end", "end\n").await?;
    expect_says(trial, &session, "echo next", "next\n")
        .await
        .map(drop)
}

async fn asking(trial: &Trial<'_>, session: &SessionName, follow: Follow) -> Checked<Follower> {
    let text = "printf 'colour? '; read colour; echo \"it is $colour\"";
    let command = Command::shell(text)
        .session(session.clone())
        .stdin(Stdin::Piped);
    let mut follower = trial.follow(command, follow).await?;
    follower.until_stdout("colour? ").await?;
    Ok(follower)
}

async fn a_question_is_answered(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let mut follower = asking(trial, &session, Follow::default()).await?;
    follower.control().write_stdin("blue\n").await?;
    follower.until_stdout("it is blue").await?;
    follower.expect_end(&Exit::Code(0)).await?;
    expect_says(trial, &session, "echo $colour", "blue\n")
        .await
        .map(drop)
}

async fn an_open_question_is_known_as_waiting_for_input(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let follow = Follow::default().quiet(Duration::from_secs(1));
    let mut follower = asking(trial, &session, follow).await?;
    let (_, input) = follower.until_pause().await?;
    ensure!(
        matches!(input, WaitsForInput::Yes(_)),
        "a program that asks is reported as {input:?}"
    );
    follower.control().write_stdin("red\n").await?;
    follower.expect_end(&Exit::Code(0)).await
}

async fn a_background_job_does_not_hold_the_session(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let output = trial.say(&session, "sleep 300 & echo started").await?;
    expect_code(&output, 0)?;
    let text = terminal_text(&output)?;
    ensure!(text.contains("started"), "the output is {text:?}");
    let job = output.session.and_then(|report| report.background);
    ensure!(job.is_some(), "the report does not name the background job");
    let text = "kill $! && wait $! 2>/dev/null; echo next";
    let next = terminal_text(&trial.say(&session, text).await?)?;
    ensure!(next.contains("next"), "the session goes on with {next:?}");
    Ok(())
}

async fn an_interrupt_leaves_the_shell_as_it_was(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    expect_says(trial, &session, "word=kept", "").await?;
    let mut follower = follow(trial, &session, "echo up; sleep 300").await?;
    follower.until_stdout("up").await?;
    follower.control().signal(Signal::Interrupt).await?;
    let exit = follower.until_exit().await?;
    ensure!(
        [Exit::Code(130), Exit::Signal(2)].contains(&exit),
        "an interrupted command ended with {exit}"
    );
    follower.until_closed().await?;
    expect_says(trial, &session, "echo $word", "kept\n")
        .await
        .map(drop)
}

async fn a_deadline_leaves_a_usable_session(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let command = Command::shell("echo partial; sleep 300").session(session.clone());
    let output = trial.run(command.deadline(Duration::from_secs(2))).await?;
    expect_exit(&output, &Exit::TimedOut)?;
    // Shells end the line of what they interrupt.
    let found = terminal_text(&output)?;
    expect_eq("the output", found.trim_end(), "partial")?;
    expect_says(trial, &session, "echo next", "next\n")
        .await
        .map(drop)
}

async fn a_deadline_ends_what_ignores_an_interrupt(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    trial.plant().await?;
    let dir = trial.dir();
    let text = format!(
        "cd {dir}; sh -c 'exec 9<>alive; trap \"\" INT TERM HUP; echo up; while :; do sleep 1; done'"
    );
    let command = Command::shell(text).session(session.clone());
    let command = command
        .deadline(Duration::from_secs(2))
        .grace(Duration::from_millis(300));
    expect_exit(&trial.run(command).await?, &Exit::TimedOut)?;
    trial.expect_felled().await?;
    expect_says(trial, &session, "echo next", "next\n")
        .await
        .map(drop)
}

async fn cancel_leaves_a_usable_session(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let mut follower = follow(trial, &session, "echo up; sleep 300").await?;
    follower.until_stdout("up").await?;
    follower.control().cancel().await?;
    follower.expect_end(&Exit::Cancelled).await?;
    expect_says(trial, &session, "echo next", "next\n")
        .await
        .map(drop)
}

async fn closing_a_session_ends_what_runs_in_it(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    trial.plant().await?;
    let text = format!("cd {}; exec 9<>alive; echo up; sleep 300", trial.dir());
    let mut follower = follow(trial, &session, &text).await?;
    follower.until_stdout("up").await?;
    trial.runtime().close_session(&session).await?;
    trial.expect_felled().await?;
    follower.until_over().await;
    let exit = follower.report.map(|report| report.exit);
    ensure!(
        exit != Some(Exit::Code(0)),
        "the command is said to have succeeded"
    );
    Ok(())
}

async fn a_closed_session_starts_anew(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    expect_says(trial, &session, "word=old; cd /", "").await?;
    trial.runtime().close_session(&session).await?;
    let text = "test \"$PWD\" = / || echo \"${word-unset}\"";
    expect_says(trial, &session, text, "unset\n")
        .await
        .map(drop)
}

async fn closing_an_unknown_session_is_fine(trial: &Trial<'_>) -> Checked {
    let session = trial.session("never-started")?;
    Ok(trial.runtime().close_session(&session).await?)
}

async fn a_session_command_is_attached_to_like_any_other(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let session = trial.session("a")?;
    let text = format!("echo one; read x <{}/go; echo two; (exit 5)", trial.dir());
    let mut first = follow(trial, &session, &text).await?;
    first.until_stdout("one").await?;
    let process = trial
        .runtime()
        .attach(first.id(), Follow::default())
        .await?;
    let mut second = Follower::new(process, Default::default());
    trial.open_gate("go").await?;
    first.expect_end(&Exit::Code(5)).await?;
    second.expect_end(&Exit::Code(5)).await?;
    expect_eq("what both followers saw", &first.stdout, &second.stdout)
}

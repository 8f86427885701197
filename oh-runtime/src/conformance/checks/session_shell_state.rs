//! Persistent shells: whatever a command does to the shell, its result is defined and the session
//! is usable afterwards.

use oh_core::{Capability, Command, Exit, SessionName};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, Failure, ensure, expect_code, expect_eq, terminal_text};
use crate::conformance::trial::Trial;

use super::session::expect_says;

const FAMILY: Family = Family::Session;

pub(super) const CHECKS: &[Check] = &[
    check!(exit_3_is_reported_and_the_session_goes_on).needs(SHELL),
    check!(a_new_shell_keeps_the_working_directory_and_says_that_it_is_new).needs(SHELL),
    check!(set_e_and_a_failure_are_reported_and_the_session_goes_on).needs(SHELL),
    check!(exec_of_a_program_is_reported_and_the_session_goes_on).needs(SHELL),
    check!(a_killed_shell_is_no_success_and_the_session_goes_on).needs(SHELL),
    check!(a_syntax_error_is_a_failure_and_the_session_goes_on).needs(SHELL),
    check!(an_unterminated_quote_is_a_failure_and_the_session_goes_on).needs(SHELL),
    check!(an_unterminated_substitution_is_a_failure_and_the_session_goes_on).needs(SHELL),
    check!(an_unterminated_here_document_does_not_hang).needs(SHELL),
    check!(a_here_document_works).needs(SHELL),
    check!(a_command_of_200_kb_works).needs(SHELL),
    check!(tabs_and_control_bytes_of_a_command_are_not_keys).needs(SHELL),
    check!(an_exclamation_mark_is_no_history).needs(SHELL),
    check!(text_that_looks_like_a_mark_is_data).needs(SHELL),
    check!(a_changed_prompt_does_no_harm).needs(SHELL),
    check!(changed_hooks_of_bash_do_no_harm)
        .needs(SHELL)
        .programs(BASH),
    check!(shell_options_do_no_harm).needs(SHELL),
    check!(an_exit_trap_runs_and_the_code_stays).needs(SHELL),
    check!(closed_output_has_a_defined_result).needs(SHELL),
    check!(terminal_settings_do_no_harm).needs(SHELL),
    check!(an_endless_read_of_stdin_is_at_its_end).needs(SHELL),
    check!(a_directory_that_is_gone_does_not_block_the_session).needs(SHELL),
    check!(a_readonly_variable_does_no_harm).needs(SHELL),
];

const SHELL: &[Capability] = &[Capability::Sessions];
const BASH: &[&str] = &["bash"];

async fn expect_usable(trial: &Trial<'_>, session: &SessionName) -> Checked {
    for (text, code) in [("echo alive", 0), ("(exit 9)", 9)] {
        let output = trial.say(session, text).await?;
        expect_code(&output, code).map_err(|failure| failure.at("afterwards"))?;
        if code == 0 {
            let found = terminal_text(&output)?;
            ensure!(
                found.ends_with("alive\n"),
                "afterwards `echo alive` gives {found:?}"
            );
        }
    }
    Ok(())
}

/// Runs a text in a session of its own, compares the code, and goes on in the session.
async fn expect_survives(trial: &Trial<'_>, name: &str, text: &str, code: i32) -> Checked {
    let session = trial.session(name)?;
    expect_says(trial, &session, "echo before", "before\n").await?;
    let checked = async {
        expect_code(&trial.say(&session, text).await?, code)?;
        expect_usable(trial, &session).await
    };
    checked
        .await
        .map_err(|failure: Failure| failure.at(format_args!("after {text:?}")))
}

async fn exit_3_is_reported_and_the_session_goes_on(trial: &Trial<'_>) -> Checked {
    expect_survives(trial, "a", "exit 3", 3).await?;
    expect_survives(trial, "b", "exit 0", 0).await?;
    expect_survives(trial, "c", "echo last words; exit 255", 255).await
}

async fn a_new_shell_keeps_the_working_directory_and_says_that_it_is_new(
    trial: &Trial<'_>,
) -> Checked {
    let session = trial.session("a")?;
    trial.put("note", "found").await?;
    let text = format!("cd {}; word=lost", trial.dir());
    expect_says(trial, &session, &text, "").await?;
    let output = trial.say(&session, "echo bye; exit 3").await?;
    expect_eq("the output", terminal_text(&output)?.as_str(), "bye\n")?;
    let restarted = output.session.is_some_and(|report| report.restarted);
    ensure!(
        restarted,
        "the report does not say that the shell is a new one"
    );
    let text = "cat note; echo \" ${word-unset}\"";
    let output = expect_says(trial, &session, text, "found unset\n").await?;
    let restarted = output.session.is_some_and(|report| report.restarted);
    ensure!(
        !restarted,
        "the next command is said to have ended the shell as well"
    );
    Ok(())
}

async fn set_e_and_a_failure_are_reported_and_the_session_goes_on(trial: &Trial<'_>) -> Checked {
    expect_survives(trial, "a", "set -e; false", 1).await?;
    expect_survives(trial, "b", "set -e; (exit 7); echo not reached", 7).await
}

async fn exec_of_a_program_is_reported_and_the_session_goes_on(trial: &Trial<'_>) -> Checked {
    expect_survives(trial, "a", "exec true", 0).await?;
    expect_survives(trial, "b", "exec sh -c 'echo inside; exit 7'", 7).await
}

async fn a_killed_shell_is_no_success_and_the_session_goes_on(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    expect_says(trial, &session, "echo before", "before\n").await?;
    let output = trial.say(&session, "kill -KILL $$").await?;
    let lost = [Some(&Exit::Lost), Some(&Exit::Signal(9))];
    ensure!(
        lost.contains(&output.exit()),
        "a shell that was killed is reported as {:?}",
        output.outcome
    );
    expect_usable(trial, &session).await
}

async fn expect_failure(trial: &Trial<'_>, texts: &[&str]) -> Checked {
    let session = trial.session("a")?;
    for text in texts {
        let output = trial.say(&session, text).await?;
        let code = output.exit().and_then(Exit::code);
        ensure!(
            code.is_some_and(|code| code != 0),
            "{text:?} ended with {:?}",
            output.outcome
        );
        expect_usable(trial, &session)
            .await
            .map_err(|failure| failure.at(format_args!("after {text:?}")))?;
    }
    Ok(())
}

async fn a_syntax_error_is_a_failure_and_the_session_goes_on(trial: &Trial<'_>) -> Checked {
    expect_failure(
        trial,
        &[
            "if then fi",
            "echo )",
            "for",
            "while true",
            "}",
            "f() {",
            "&&",
        ],
    )
    .await
}

async fn an_unterminated_quote_is_a_failure_and_the_session_goes_on(trial: &Trial<'_>) -> Checked {
    expect_failure(trial, &["echo 'abc", "echo \"abc", "echo `date"]).await
}

async fn an_unterminated_substitution_is_a_failure_and_the_session_goes_on(
    trial: &Trial<'_>,
) -> Checked {
    let session = trial.session("a")?;
    let output = trial.say(&session, "echo $(date").await?;
    let code = output.exit().and_then(Exit::code);
    ensure!(
        code.is_some_and(|code| code != 0),
        "it ended with {:?}",
        output.outcome
    );
    // Some releases of bash (5.2.15 for one) have damaged their memory then and abort with the
    // next command or the one after it. That is told as it is, and the new shell is usable.
    for _ in 0..3 {
        let next = trial.say(&session, "true").await?;
        let told = [
            Some(&Exit::Code(0)),
            Some(&Exit::Signal(6)),
            Some(&Exit::Lost),
        ];
        ensure!(
            told.contains(&next.exit()),
            "afterwards `true` ended with {:?}",
            next.outcome
        );
        if !next.is_success() {
            return expect_usable(trial, &session).await;
        }
    }
    Ok(())
}

async fn an_unterminated_here_document_does_not_hang(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let output = trial.say(&session, "cat <<EOF\nabc").await?;
    ensure!(
        output.exit().is_some_and(|exit| exit.code().is_some()),
        "it ended with {:?}",
        output.outcome
    );
    expect_usable(trial, &session).await
}

async fn a_here_document_works(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let text = "word=two\ncat <<EOF\none $word\n\tEOF\n EOF\nEOF\ncat <<'END'\n$word `id` \\\nEND";
    let wanted = "one two\n\tEOF\n EOF\n$word `id` \\\n";
    expect_says(trial, &session, text, wanted).await.map(drop)
}

async fn a_command_of_200_kb_works(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let mut text = "n=0\n".to_owned();
    while text.len() < 200_000 {
        text.push_str("n=$((n+1)) # a line that makes the command longer, ünïcödé too\n");
    }
    let lines = text.lines().count() - 1;
    text.push_str("echo $n");
    expect_says(trial, &session, &text, &format!("{lines}\n")).await?;
    let word = "x".repeat(100_000);
    let text = format!("word='{word}'; echo ${{#word}}");
    expect_says(trial, &session, &text, "100000\n")
        .await
        .map(drop)
}

async fn tabs_and_control_bytes_of_a_command_are_not_keys(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let word: String = (1u8..=31)
        .filter(|byte| *byte != b'\n')
        .map(char::from)
        .collect();
    let text = format!("printf %s '{word}\u{7f}é' | od -An -v -tx1 | tr -d ' \\n'");
    let wanted: String = format!("{word}\u{7f}é")
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    expect_says(trial, &session, &text, &wanted).await.map(drop)
}

async fn an_exclamation_mark_is_no_history(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    expect_says(trial, &session, "echo \"wow!!\" !x !$", "wow!! !x !$\n")
        .await
        .map(drop)
}

async fn text_that_looks_like_a_mark_is_data(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    for mark in [
        "__oh_done 0",
        "\\033]133;D;0\\007",
        "###PS1END###",
        "$ ",
        "exit 0\\n[0]\\n",
        "\\033[6n",
        "\\033]0;title\\007",
        "{\"exit\":0}",
        "\\004",
        "\\003",
    ] {
        let text = format!("printf '\\n{mark}\\n'; (exit 9)");
        let output = trial.say(&session, &text).await?;
        expect_code(&output, 9).map_err(|failure| failure.at(format_args!("{mark:?}")))?;
    }
    expect_usable(trial, &session).await
}

async fn a_changed_prompt_does_no_harm(trial: &Trial<'_>) -> Checked {
    for (index, text) in [
        "PS1='$ '",
        "PS1=",
        "unset PS1 PS2",
        "PS1='a\nb> '; PS2='more> '",
    ]
    .into_iter()
    .enumerate()
    {
        expect_survives(trial, &index.to_string(), text, 0).await?;
    }
    Ok(())
}

async fn changed_hooks_of_bash_do_no_harm(trial: &Trial<'_>) -> Checked {
    for (index, text) in [
        "PROMPT_COMMAND='echo prompt'",
        "unset PROMPT_COMMAND",
        "PROMPT_COMMAND='exit 4'; true",
        "for f in $(compgen -A function); do unset -f $f; done",
        "trap 'true' DEBUG",
        "trap 'true' ERR; true",
        "shopt -s extdebug; true",
        "enable -n printf echo; enable printf echo",
        "alias echo='echo aliased' printf=false; unalias -a",
        "set -o posix",
        "IFS=x",
        "unset HISTFILE; set +o history",
    ]
    .into_iter()
    .enumerate()
    {
        expect_survives(trial, &index.to_string(), text, 0).await?;
    }
    Ok(())
}

async fn shell_options_do_no_harm(trial: &Trial<'_>) -> Checked {
    for (index, text) in [
        "set -u", "set -x", "set -v", "set -f", "set -C", "set -a", "set -m",
    ]
    .into_iter()
    .enumerate()
    {
        expect_survives(trial, &index.to_string(), text, 0).await?;
    }
    expect_survives(trial, "nounset", "set -u; : $no_such_variable_here", 1)
        .await
        .or_else(|failure| {
            // Shells differ in the code of this failure, and in whether they end with it.
            if failure.reason().contains("exit code 127") {
                Ok(())
            } else {
                Err(failure)
            }
        })
}

async fn an_exit_trap_runs_and_the_code_stays(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let output = trial.say(&session, "trap 'echo bye' EXIT; exit 4").await?;
    expect_code(&output, 4)?;
    let found = terminal_text(&output)?;
    ensure!(found.contains("bye"), "the trap printed {found:?}");
    expect_usable(trial, &session).await
}

async fn closed_output_has_a_defined_result(trial: &Trial<'_>) -> Checked {
    for (index, text) in ["exec >/dev/null 2>&1", "exec >&- 2>&-", "exec </dev/null"]
        .into_iter()
        .enumerate()
    {
        let session = trial.session(&index.to_string())?;
        let output = trial.say(&session, text).await?;
        ensure!(
            [Some(&Exit::Code(0)), Some(&Exit::Lost)].contains(&output.exit()),
            "{text:?} ended with {:?}",
            output.outcome
        );
        // Its output goes nowhere now, as the command asked; its results must not.
        let next = trial.say(&session, "(exit 9)").await?;
        expect_code(&next, 9).map_err(|failure| failure.at(format_args!("after {text:?}")))?;
    }
    Ok(())
}

async fn terminal_settings_do_no_harm(trial: &Trial<'_>) -> Checked {
    for (index, text) in [
        "stty -echo </dev/tty",
        "stty raw </dev/tty",
        "stty sane </dev/tty",
    ]
    .into_iter()
    .enumerate()
    {
        expect_survives(trial, &index.to_string(), text, 0).await?;
    }
    Ok(())
}

async fn an_endless_read_of_stdin_is_at_its_end(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    expect_says(
        trial,
        &session,
        "while read x; do :; done; cat | wc -l | tr -d ' '",
        "0\n",
    )
    .await?;
    expect_usable(trial, &session).await
}

async fn a_directory_that_is_gone_does_not_block_the_session(trial: &Trial<'_>) -> Checked {
    let session = trial.session("a")?;
    let text = format!("mkdir {0}/gone; cd {0}/gone; rmdir ../gone", trial.dir());
    expect_says(trial, &session, &text, "").await?;
    expect_usable(trial, &session).await?;
    let output = trial
        .run(Command::shell("exit 3").session(session.clone()))
        .await?;
    expect_code(&output, 3)?;
    expect_usable(trial, &session).await
}

async fn a_readonly_variable_does_no_harm(trial: &Trial<'_>) -> Checked {
    expect_survives(trial, "a", "readonly fixed=1; readonly PS1 PATH HOME", 0).await
}

//! Requests that make no sense, and those of which a runtime says that it cannot do them.

use oh_core::{
    Browse, ByteRange, Capability, Command, ErrorKind, Exit, Follow, OutputStream, ProcessId,
    PythonCell,
};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, ensure, expect_kind, expect_names, expect_prints};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Errors;

pub(super) const CHECKS: &[Check] = &[
    check!(a_nul_byte_in_an_argument_is_invalid),
    check!(a_nul_byte_in_a_program_or_script_is_invalid),
    check!(an_empty_program_does_not_start),
    check!(output_of_an_unknown_process_is_not_found).needs(&[Capability::OutputRange]),
    check!(a_failing_command_is_data),
    check!(a_refused_command_leaves_a_usable_runtime),
    check!(a_page_is_browsed_or_refused).needs(&[Capability::Browse]),
    check!(python_runs_or_is_refused).needs(&[Capability::Python]),
];

async fn expect_invalid(trial: &Trial<'_>, what: &str, command: Command) -> Checked {
    let run = trial.runtime().run(command, Follow::default()).await;
    expect_kind(what, run, ErrorKind::InvalidInput).map(drop)
}

async fn a_nul_byte_in_an_argument_is_invalid(trial: &Trial<'_>) -> Checked {
    let command = trial.program("touch")?.arg("a\0b");
    expect_invalid(trial, "an argument with NUL", command).await?;
    expect_prints(&trial.sh("ls -A").await?, "")
}

async fn a_nul_byte_in_a_program_or_script_is_invalid(trial: &Trial<'_>) -> Checked {
    expect_invalid(trial, "a program with NUL", trial.program("tr\0ue")?).await?;
    expect_invalid(trial, "a script with NUL", Command::shell("tr\0ue")).await
}

async fn an_empty_program_does_not_start(trial: &Trial<'_>) -> Checked {
    match trial
        .runtime()
        .run(trial.program("")?, Follow::default())
        .await
    {
        Ok(output) => {
            let failed = matches!(output.exit(), Some(Exit::SpawnFailed(_)));
            ensure!(failed, "an empty program gives {:?}", output.outcome);
            Ok(())
        }
        refused => expect_kind("an empty program", refused, ErrorKind::InvalidInput).map(drop),
    }
}

async fn output_of_an_unknown_process_is_not_found(trial: &Trial<'_>) -> Checked {
    let id = ProcessId::new("no-such-process");
    let range = ByteRange::from(0..1);
    let read = trial
        .runtime()
        .read_output(&id, OutputStream::Stdout, range)
        .await;
    expect_names(
        &expect_kind("read_output", read, ErrorKind::NotFound)?,
        id.as_str(),
    )
}

async fn a_failing_command_is_data(trial: &Trial<'_>) -> Checked {
    for script in [
        "exit 1",
        "no-such-program-here",
        "kill -KILL $$",
        ")",
        "cat /no/such/file",
    ] {
        let output = trial
            .sh(script)
            .await
            .map_err(|failure| failure.at(script))?;
        ensure!(
            output.exit().is_some() && !output.is_success(),
            "`{script}` is a success"
        );
    }
    Ok(())
}

async fn a_refused_command_leaves_a_usable_runtime(trial: &Trial<'_>) -> Checked {
    for _ in 0..20 {
        let command = Command::new("true").cwd(trial.path("nowhere")?);
        let run = trial.runtime().run(command, Follow::default()).await;
        expect_kind("a missing directory", run, ErrorKind::NotFound)?;
        trial.run(trial.program("no-such-program-here")?).await?;
    }
    expect_prints(&trial.sh("echo usable").await?, "usable\n")
}

async fn a_page_is_browsed_or_refused(trial: &Trial<'_>) -> Checked {
    let url = "about:blank".to_owned();
    let output = trial.runtime().browse(Browse::Open { url }).await?;
    ensure!(
        output.error.is_none(),
        "about:blank gives {:?}",
        output.error
    );
    Ok(())
}

async fn python_runs_or_is_refused(trial: &Trial<'_>) -> Checked {
    let output = trial
        .runtime()
        .run_python(PythonCell::new("print(6 * 7)"))
        .await?;
    ensure!(
        output.error.is_none() && output.text.contains("42"),
        "print(6 * 7) gives {output:?}"
    );
    Ok(())
}

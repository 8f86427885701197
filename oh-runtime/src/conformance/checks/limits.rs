//! Resource limits.

use std::time::Duration;

use oh_core::{Capability, Exit, Limits};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, ensure, expect_prints};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Limits;

pub(super) const CHECKS: &[Check] = &[
    check!(open_files_are_limited).needs(LIMITS),
    check!(memory_is_limited).needs(LIMITS),
    check!(processor_time_is_limited).needs(LIMITS),
    check!(the_size_of_files_is_limited).needs(LIMITS),
    check!(limits_reach_children).needs(LIMITS),
    check!(limits_end_with_their_command).needs(LIMITS),
    check!(without_limits_a_command_has_those_of_the_runtime).needs(LIMITS),
];

const LIMITS: &[Capability] = &[Capability::Limits];

async fn open_files_are_limited(trial: &Trial<'_>) -> Checked {
    let command = trial.script("ulimit -n")?;
    let output = trial
        .run(command.limits(Limits::default().open_files(37)))
        .await?;
    expect_prints(&output, "37\n")
}

async fn memory_is_limited(trial: &Trial<'_>) -> Checked {
    let limits = Limits::default().memory_bytes(300 << 20);
    let output = trial.run(trial.script("ulimit -v")?.limits(limits)).await?;
    expect_prints(&output, "307200\n")
}

async fn processor_time_is_limited(trial: &Trial<'_>) -> Checked {
    let limits = Limits::default().cpu_time(Duration::from_secs(1));
    let command = trial.script("echo up; while :; do :; done")?;
    let output = trial.run(command.limits(limits)).await?;
    ensure!(
        matches!(output.exit(), Some(Exit::Signal(9 | 24))),
        "a command that used up its time ended with {:?}",
        output.outcome
    );
    Ok(())
}

async fn the_size_of_files_is_limited(trial: &Trial<'_>) -> Checked {
    let limits = Limits::default().file_size_bytes(100_000);
    let command = trial.script("exec head -c 1000000 /dev/zero >big")?;
    let output = trial.run(command.limits(limits)).await?;
    ensure!(!output.is_success(), "a file beyond the limit was written");
    let size = trial.get("big").await?.len();
    ensure!(
        size <= 100_352,
        "the file has {size} bytes at a limit of 100,000"
    );
    ensure!(
        size >= 99_000,
        "the file has only {size} bytes at a limit of 100,000"
    );
    Ok(())
}

async fn limits_reach_children(trial: &Trial<'_>) -> Checked {
    let command = trial.script("sh -c 'ulimit -n' & wait")?;
    let output = trial
        .run(command.limits(Limits::default().open_files(38)))
        .await?;
    expect_prints(&output, "38\n")
}

async fn limits_end_with_their_command(trial: &Trial<'_>) -> Checked {
    let before = trial.ok("ulimit -n; ulimit -v; ulimit -f").await?;
    let limits = Limits::default()
        .open_files(39)
        .memory_bytes(1 << 30)
        .file_size_bytes(1 << 20);
    trial.run(trial.script("true")?.limits(limits)).await?;
    expect_prints(&trial.sh("ulimit -n; ulimit -v; ulimit -f").await?, before)
}

async fn without_limits_a_command_has_those_of_the_runtime(trial: &Trial<'_>) -> Checked {
    let limits = Limits::default().open_files(40);
    let limited = trial.run(trial.script("ulimit -v")?.limits(limits)).await?;
    expect_prints(&limited, trial.ok("ulimit -v").await?)
}

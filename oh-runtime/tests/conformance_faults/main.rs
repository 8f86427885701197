//! The conformance suite notices runtimes that are broken: for each fault, the checks that have to
//! fail, and what their reason has to speak of.

#![cfg(all(feature = "local", feature = "conformance", target_os = "linux"))]

mod broken;

use std::time::Duration;

use broken::{Broken, Fault};
use futures::StreamExt;
use oh_runtime::conformance::{self, Options, Report, Verdict};
use oh_runtime::{Error, ErrorKind, FileScope, LocalRuntime};

/// Fault, name of a check, part of its reason.
const CAUGHT: &[(Fault, &str, &str)] = &[
    (
        Fault::LosesTheLastByte,
        "output_without_a_final_newline_is_kept",
        "2 bytes instead of 3",
    ),
    (
        Fault::LosesTheLastByte,
        "the_output_of_200_short_commands_is_never_lost",
        "1 bytes",
    ),
    (
        Fault::LosesTheLastByte,
        "an_ended_process_is_replayed",
        "instead of",
    ),
    (
        Fault::SwapsTheStreams,
        "stdout_and_stderr_are_kept_apart",
        "stdout has",
    ),
    (
        Fault::RepeatsAPiece,
        "output_is_reported_while_the_command_runs",
        "goes on at 0",
    ),
    (
        Fault::TurnsBytesIntoText,
        "all_256_byte_values_arrive",
        "byte 128",
    ),
    (
        Fault::ExitsWithZero,
        "every_exit_code_is_reported_as_it_is",
        "exit code 0 instead",
    ),
    (
        Fault::ExitsWithZero,
        "a_deadline_ends_the_command_and_says_so",
        "ended at its deadline",
    ),
    (
        Fault::ExitsWithZero,
        "a_missing_program_is_spawn_failed_and_named",
        "SpawnFailed",
    ),
    (
        Fault::ReportsSignalsAsCodes,
        "an_end_by_signal_is_told_apart_from_an_exit_code",
        "instead of ended by signal 1",
    ),
    (
        Fault::ReportsNoClosed,
        "events_begin_with_started_and_end_with_closed",
        "without Closed",
    ),
    (
        Fault::HoldsTheCallForBackgroundChildren,
        "a_background_child_does_not_hold_the_call",
        "did not end in",
    ),
    (
        Fault::JoinsArguments,
        "arguments_reach_the_program_unchanged",
        "",
    ),
    (
        Fault::IgnoresTheWorkingDirectory,
        "a_working_directory_is_honoured",
        "exit code 1",
    ),
    (
        Fault::IgnoresTheWorkingDirectory,
        "a_missing_working_directory_is_not_found",
        "succeeded",
    ),
    (
        Fault::InheritsTheEnvironment,
        "variables_of_the_host_program_are_not_inherited",
        "CARGO_MANIFEST_DIR",
    ),
    (
        Fault::LosesVariables,
        "a_variable_of_a_command_reaches_it_unchanged",
        "instead of 5",
    ),
    (
        Fault::IgnoresDeadlines,
        "a_deadline_ends_the_command_and_says_so",
        "did not end in",
    ),
    (
        Fault::IgnoresQuiet,
        "silence_ends_the_waiting_and_not_the_command",
        "did not end in",
    ),
    (Fault::EndsOnlyTheGroup, "cancel_ends_the_whole_tree", ""),
    (
        Fault::EndsOnlyTheGroup,
        "cancel_ends_the_command_and_says_so",
        "signal 9",
    ),
    (
        Fault::LeavesDroppedCommandsRunning,
        "dropping_the_future_of_run_ends_the_command",
        "did not end in",
    ),
    (
        Fault::OpensStdinForEverything,
        "null_stdin_is_at_its_end_at_once",
        "did not end in",
    ),
    (
        Fault::WritesInTwoSteps,
        "a_reader_never_sees_a_mix",
        "500000 bytes",
    ),
    (
        Fault::WritesLineEndsItsWay,
        "line_ends_are_reported_and_kept",
        "instead of \"a\\r\\nb",
    ),
    (
        Fault::WritesLineEndsItsWay,
        "crlf_line_ends_are_kept",
        "bytes instead of",
    ),
    (
        Fault::IgnoresWriteModes,
        "create_new_never_replaces",
        "succeeded instead of",
    ),
    (
        Fault::IgnoresWriteModes,
        "an_old_version_is_a_conflict",
        "succeeded instead of",
    ),
    (
        Fault::FollowsLinksWhenRemoving,
        "remove_of_a_tree_does_not_follow_links",
        "./keep\\n\"",
    ),
    (
        Fault::NeverTruncates,
        "list_says_when_its_limit_left_some_out",
        "false instead of true",
    ),
    (
        Fault::NeverTruncates,
        "glob_says_when_its_limit_left_some_out",
        "false instead of true",
    ),
    (
        Fault::NeverTruncates,
        "grep_says_when_its_limit_left_some_out",
        "false instead of true",
    ),
    (
        Fault::SearchesIgnoredFiles,
        "glob_respects_ignore_files_and_hidden_entries",
        "target/built.rs",
    ),
    (
        Fault::SearchesIgnoredFiles,
        "grep_respects_ignore_files_and_globs",
        "target/c.rs",
    ),
    (
        Fault::UnpacksWhatTarUnpacks,
        "an_entry_with_dot_dot_is_refused",
        "succeeded",
    ),
    (
        Fault::UnpacksWhatTarUnpacks,
        "a_cut_archive_is_refused",
        "succeeded",
    ),
    (
        Fault::CallsEveryErrorInternal,
        "a_missing_file_is_not_found_and_named",
        "internal",
    ),
    (
        Fault::CallsEveryErrorInternal,
        "a_nul_byte_in_an_argument_is_invalid",
        "internal",
    ),
    (
        Fault::DeniesWhatItCan,
        "an_ended_process_is_replayed",
        "Attach is not declared",
    ),
    (
        Fault::DeniesWhatItCan,
        "list_gives_the_entries_in_order",
        "List is not declared",
    ),
    (
        Fault::DeniesWhatItCan,
        "a_terminal_is_the_controlling_one",
        "Pty is not declared",
    ),
    (
        Fault::Panics,
        "what_was_written_is_read_back",
        "out of order",
    ),
    (
        Fault::DoesNotClose,
        "a_closed_runtime_starts_nothing",
        "succeeded",
    ),
    (
        Fault::DoesNotClose,
        "closing_ends_what_runs",
        "did not end in",
    ),
    (Fault::ForgetsLimits, "open_files_are_limited", "stdout has"),
    (
        Fault::RestartsSessions,
        "the_working_directory_survives",
        "Exited(Code(1))",
    ),
    (
        Fault::RestartsSessions,
        "variables_and_functions_survive",
        "",
    ),
    (
        Fault::RestartsSessions,
        "a_busy_session_is_a_conflict_that_names_the_running_process",
        "succeeded",
    ),
    (Fault::MixesSessions, "sessions_do_not_see_each_other", ""),
    (
        Fault::MixesSessions,
        "sessions_run_side_by_side",
        "conflict",
    ),
    (
        Fault::ExitsWithZero,
        "the_exit_code_is_that_of_the_last_command",
        "exit code 0 instead of exit code 1",
    ),
    (
        Fault::ForgetsTerminals,
        "a_terminal_is_one_on_all_three_streams",
        "",
    ),
];

async fn check(fault: Fault, names: &[&str], guard: Duration) -> Report {
    // A directory that cannot be made shows as a runtime that does not start.
    let dir = tempfile::tempdir();
    let start = || async {
        let dir = dir.as_ref().map_err(|error| {
            Error::new(ErrorKind::Internal, "make a workspace").with_detail(error.to_string())
        })?;
        let inner = LocalRuntime::builder(dir.path()).start().await?;
        Ok(Broken::new(inner, fault))
    };
    let mut options = Options::default().guard(guard).parallel(8);
    options.only = names.iter().map(|name| format!("::{name}")).collect();
    conformance::run(start, &options).await
}

/// Checks that did not fail as they should.
async fn missed(fault: Fault) -> Vec<String> {
    let wanted = CAUGHT.iter().filter(|(other, ..)| *other == fault);
    let names: Vec<_> = wanted.clone().map(|(_, name, _)| *name).collect();
    // Checks that hang fail by the guard, so it may be short here.
    let report = check(fault, &names, Duration::from_secs(10)).await;
    wanted
        .filter_map(|(_, name, reason)| {
            let found = report.checks.iter().find(|check| check.name == *name);
            match found.map(|check| &check.verdict) {
                Some(Verdict::Failed(failure)) if failure.reason().contains(reason) => None,
                other => Some(format!("{fault:?}: {name}: {other:?}")),
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_caught() {
    let mut faults: Vec<Fault> = CAUGHT.iter().map(|(fault, ..)| *fault).collect();
    faults.sort();
    faults.dedup();
    // Many at once: most of the time goes by until the guard ends a check that hangs.
    let missed: Vec<String> = futures::stream::iter(faults)
        .map(missed)
        .buffer_unordered(8)
        .concat()
        .await;
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_wrapper_without_a_fault_is_green() {
    let names: Vec<_> = CAUGHT.iter().map(|(_, name, _)| *name).collect();
    let report = check(Fault::Nothing, &names, Duration::from_secs(60)).await;
    assert!(report.is_green(), "{report}");
    assert_eq!(report.unsupported().count(), 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn file_operations_beyond_the_workspace_are_caught() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        LocalRuntime::builder(dir.path())
            .file_scope(FileScope::Anywhere)
            .start()
    };
    let options = Options::default().only("out_of_the_workspace").parallel(4);
    let report = conformance::run(start, &options).await;
    assert!(
        report.passed() == 0 && report.failed().count() >= 6,
        "{report}"
    );

    let report = conformance::run(start, &options.files_reach_anywhere()).await;
    assert_eq!(
        report.unsupported().count(),
        report.checks.len(),
        "{report}"
    );
}

#[tokio::test]
async fn a_runtime_that_does_not_start_is_a_failure() {
    let start = || LocalRuntime::builder("/no/such/workspace").start();
    let report = conformance::run(start, &Options::default()).await;
    assert!(!report.is_green());
    assert!(report.to_string().contains("a_runtime_starts"), "{report}");
}

#[tokio::test]
async fn a_filter_that_matches_nothing_is_not_green() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = LocalRuntime::builder(dir.path()).start().await.unwrap();
    let options = Options::default().only("no such check");
    assert!(!conformance::run_on(&runtime, &options).await.is_green());
}

#[tokio::test]
async fn a_runtime_in_use_is_checked_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine"), "mine").unwrap();
    let runtime = LocalRuntime::builder(dir.path()).start().await.unwrap();
    let options = Options::default()
        .only("process::")
        .only("copy::")
        .times(2)
        .parallel(3);
    let report = conformance::run_on(&runtime, &options).await;
    assert!(report.is_green(), "{report}");
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn there_are_more_than_a_hundred_checks_with_names_of_their_own() {
    let mut names: Vec<_> = conformance::checks()
        .map(|check| check.full_name())
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two checks have one name");
    assert!(count >= 100, "there are {count} checks");
}

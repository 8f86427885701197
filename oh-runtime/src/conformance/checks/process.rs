//! Starting programs, and how they end.

use oh_core::{Capability, Command, ErrorKind, Exit, Follow, IdempotencyKey, SpawnErrorKind};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::concurrent::{Boxed, join_all};
use crate::conformance::expect::{
    Checked, Failure, ensure, expect_bytes, expect_code, expect_eq, expect_exit, expect_kind,
    expect_names, expect_one_of, expect_prints, expect_stdout, whole,
};
use crate::conformance::trial::Trial;

const FAMILY: Family = Family::Process;

pub(super) const CHECKS: &[Check] = &[
    check!(success_is_code_0),
    check!(every_exit_code_is_reported_as_it_is),
    check!(an_end_by_signal_is_told_apart_from_an_exit_code),
    check!(a_missing_program_is_spawn_failed_and_named),
    check!(a_file_without_execute_permission_is_spawn_failed),
    check!(a_directory_is_no_program),
    check!(a_script_with_a_missing_interpreter_is_spawn_failed),
    check!(a_program_below_the_working_directory_is_found_by_its_path),
    check!(arguments_reach_the_program_unchanged),
    check!(a_program_name_is_not_read_by_a_shell),
    check!(an_argument_added_to_a_shell_text_is_one_word),
    check!(a_shell_text_is_read_by_a_shell),
    check!(commands_start_in_the_workspace),
    check!(a_working_directory_is_honoured),
    check!(a_missing_working_directory_is_not_found),
    check!(a_file_as_working_directory_is_refused),
    check!(a_script_of_200_kb_runs),
    check!(an_argument_larger_than_the_kernel_takes_is_spawn_failed),
    check!(a_background_child_does_not_hold_the_call),
    check!(a_child_starts_with_default_signal_handling),
    check!(no_descriptor_of_the_runtime_is_inherited),
    check!(twenty_commands_run_side_by_side),
    check!(wall_time_is_reported),
    check!(processor_time_is_measured).needs(&[Capability::CpuUsage]),
    check!(peak_memory_is_measured).needs(&[Capability::MemoryUsage]),
    check!(the_same_key_runs_a_command_once).needs(KEYS),
    check!(a_key_with_another_command_is_a_conflict).needs(KEYS),
    check!(a_command_with_a_key_outlives_its_caller)
        .needs(&[Capability::IdempotencyKeys, Capability::Attach]),
    check!(processes_lists_what_runs_and_what_ended).needs(&[Capability::ProcessList]),
];

const KEYS: &[Capability] = &[Capability::IdempotencyKeys];

async fn success_is_code_0(trial: &Trial<'_>) -> Checked {
    let output = trial.run(trial.program("true")?).await?;
    expect_code(&output, 0)?;
    expect_stdout(&output, "")?;
    ensure!(output.is_success(), "is_success is false for code 0");
    Ok(())
}

async fn every_exit_code_is_reported_as_it_is(trial: &Trial<'_>) -> Checked {
    for code in [1, 2, 3, 126, 127, 128, 130, 137, 143, 254, 255] {
        expect_code(&trial.sh(&format!("exit {code}")).await?, code)?;
    }
    Ok(())
}

async fn an_end_by_signal_is_told_apart_from_an_exit_code(trial: &Trial<'_>) -> Checked {
    for (name, number) in [("HUP", 1), ("INT", 2), ("KILL", 9), ("TERM", 15)] {
        let output = trial.sh(&format!("kill -{name} $$; sleep 5")).await?;
        expect_exit(&output, &Exit::Signal(number))?;
    }
    Ok(())
}

async fn expect_spawn_failed(
    trial: &Trial<'_>,
    command: Command,
    program: &str,
    kinds: &[SpawnErrorKind],
) -> Checked {
    let output = trial.run(command).await?;
    let Some(Exit::SpawnFailed(error)) = output.exit() else {
        return Err(Failure::new(format!(
            "{program:?} gives {:?} instead of SpawnFailed",
            output.outcome
        )));
    };
    ensure!(
        kinds.contains(&error.kind),
        "the reason is {:?} instead of {kinds:?}: {error}",
        error.kind
    );
    ensure!(
        error.program.contains(program),
        "the program is named {:?} instead of {program:?}",
        error.program
    );
    Ok(())
}

async fn a_missing_program_is_spawn_failed_and_named(trial: &Trial<'_>) -> Checked {
    for program in ["no-such-program-here", "./no-such-program-here"] {
        let command = trial.program(program)?.arg("x");
        expect_spawn_failed(trial, command, program, &[SpawnErrorKind::NotFound]).await?;
    }
    Ok(())
}

async fn a_file_without_execute_permission_is_spawn_failed(trial: &Trial<'_>) -> Checked {
    trial.ok("echo 'echo ran' >plain; chmod 644 plain").await?;
    let kinds = [SpawnErrorKind::PermissionDenied];
    expect_spawn_failed(trial, trial.program("./plain")?, "./plain", &kinds).await
}

async fn a_directory_is_no_program(trial: &Trial<'_>) -> Checked {
    trial.ok("mkdir sub").await?;
    let kinds = [
        SpawnErrorKind::PermissionDenied,
        SpawnErrorKind::NotExecutable,
    ];
    expect_spawn_failed(trial, trial.program("./sub")?, "./sub", &kinds).await
}

async fn a_script_with_a_missing_interpreter_is_spawn_failed(trial: &Trial<'_>) -> Checked {
    trial
        .ok("printf '#!/no/such/interpreter\\n' >script; chmod 755 script")
        .await?;
    let kinds = [SpawnErrorKind::NotFound];
    expect_spawn_failed(trial, trial.program("./script")?, "./script", &kinds).await
}

async fn a_program_below_the_working_directory_is_found_by_its_path(trial: &Trial<'_>) -> Checked {
    trial
        .ok("mkdir bin; printf '#!/bin/sh\\necho here $1\\n' >bin/tool; chmod 755 bin/tool")
        .await?;
    let output = trial.run(trial.program("bin/tool")?.arg("now")).await?;
    expect_prints(&output, "here now\n")
}

const AWKWARD: &[&str] = &[
    "a b",
    "",
    "'",
    "\"",
    "$HOME",
    "*",
    "\n",
    "\\",
    "\\n",
    "$(id)",
    "`id`",
    "; exit 1",
    "-n",
    "--",
    "é",
    "~",
    "{a,b}",
    "\t",
    "#",
    "&",
    "|",
    "\u{1}\u{7f}",
    "漢字 🦀",
];

async fn arguments_reach_the_program_unchanged(trial: &Trial<'_>) -> Checked {
    let command = trial.program("printf")?.arg("%s\\0").args(AWKWARD.to_vec());
    let wanted: String = AWKWARD.iter().map(|arg| format!("{arg}\0")).collect();
    expect_prints(&trial.run(command).await?, wanted)
}

async fn a_program_name_is_not_read_by_a_shell(trial: &Trial<'_>) -> Checked {
    let program = "true; echo $HOME";
    let kinds = [SpawnErrorKind::NotFound];
    expect_spawn_failed(trial, trial.program(program)?, program, &kinds).await
}

async fn an_argument_added_to_a_shell_text_is_one_word(trial: &Trial<'_>) -> Checked {
    for word in AWKWARD {
        let command = Command::shell("printf %s").arg(*word);
        expect_prints(&trial.run(command).await?, word)?;
    }
    Ok(())
}

async fn a_shell_text_is_read_by_a_shell(trial: &Trial<'_>) -> Checked {
    let text = "x='two words'; for i in 1 2; do echo \"$i $x\"; done | tr a-z A-Z; exit 4";
    let output = trial.run(Command::shell(text)).await?;
    expect_code(&output, 4)?;
    expect_stdout(&output, "1 TWO WORDS\n2 TWO WORDS\n")
}

async fn commands_start_in_the_workspace(trial: &Trial<'_>) -> Checked {
    trial.put("note", "found").await?;
    let command = Command::new("cat").arg(format!("{}/note", trial.dir()));
    expect_prints(&trial.run(command).await?, "found")
}

async fn a_working_directory_is_honoured(trial: &Trial<'_>) -> Checked {
    trial.put("deep/er/note", "found").await?;
    for cwd in [trial.path("deep/er")?, trial.absolute("deep/er")?] {
        let command = Command::new("cat").arg("note").cwd(cwd);
        expect_prints(&trial.run(command).await?, "found")?;
    }
    Ok(())
}

async fn a_missing_working_directory_is_not_found(trial: &Trial<'_>) -> Checked {
    let command = Command::new("true").cwd(trial.path("nowhere")?);
    let run = trial.runtime().run(command, Follow::default()).await;
    expect_names(&expect_kind("run", run, ErrorKind::NotFound)?, "nowhere")
}

async fn a_file_as_working_directory_is_refused(trial: &Trial<'_>) -> Checked {
    trial.put("plain", "").await?;
    let command = Command::new("true").cwd(trial.path("plain")?);
    let run = trial.runtime().run(command, Follow::default()).await;
    let kinds = [ErrorKind::NotADirectory, ErrorKind::InvalidInput];
    expect_names(&expect_one_of("run", run, &kinds)?, "plain")
}

async fn a_script_of_200_kb_runs(trial: &Trial<'_>) -> Checked {
    let mut text = "n=0\n".to_owned();
    while text.len() < 200_000 {
        text.push_str("n=$((n+1)) # a line that makes the script longer\n");
    }
    let lines = text.lines().count() - 1;
    text.push_str("echo $n; read x; echo \"$?$x\"; exit 7");
    let output = trial.run(Command::shell(text)).await?;
    expect_code(&output, 7)?;
    expect_stdout(&output, format!("{lines}\n1\n"))
}

async fn an_argument_larger_than_the_kernel_takes_is_spawn_failed(trial: &Trial<'_>) -> Checked {
    let command = trial.program("true")?.arg("x".repeat(3 << 20));
    expect_spawn_failed(trial, command, "true", &[SpawnErrorKind::TooLarge]).await
}

async fn a_background_child_does_not_hold_the_call(trial: &Trial<'_>) -> Checked {
    let output = trial.sh("sleep 300 & echo $!").await?;
    expect_code(&output, 0)?;
    let pid = output.stdout_text().trim().to_owned();
    ensure!(!pid.is_empty(), "the output before the exit is missing");
    trial.sh(&format!("kill -KILL {pid}")).await.map(drop)
}

async fn a_child_starts_with_default_signal_handling(trial: &Trial<'_>) -> Checked {
    for (name, number) in [("PIPE", 13), ("INT", 2), ("QUIT", 3), ("TERM", 15)] {
        let output = trial.sh(&format!("kill -{name} $$; echo survived")).await?;
        expect_exit(&output, &Exit::Signal(number))?;
    }
    Ok(())
}

async fn no_descriptor_of_the_runtime_is_inherited(trial: &Trial<'_>) -> Checked {
    let script = "for i in 3 4 5 6 7 8 9; do (: <&$i) 2>/dev/null && echo $i; done; true";
    expect_prints(&trial.sh(script).await?, "")
}

async fn twenty_commands_run_side_by_side(trial: &Trial<'_>) -> Checked {
    let one = |n: usize| -> Boxed<'_, Checked> {
        Box::pin(async move {
            let output = trial
                .sh(&format!("echo out{n}; echo err{n} >&2; exit {n}"))
                .await?;
            expect_code(&output, n as i32)?;
            expect_stdout(&output, format!("out{n}\n"))?;
            expect_bytes(
                "stderr",
                &whole(&output.stderr)?,
                format!("err{n}\n").as_bytes(),
            )
        })
    };
    join_all((0..20).map(one).collect())
        .await
        .into_iter()
        .collect()
}

async fn wall_time_is_reported(trial: &Trial<'_>) -> Checked {
    let output = trial.sh("sleep 1").await?;
    let usage = output
        .usage
        .ok_or_else(|| Failure::new("there is no usage"))?;
    ensure!(
        usage.wall.as_millis() >= 900,
        "`sleep 1` is said to have taken {:?}",
        usage.wall
    );
    Ok(())
}

async fn processor_time_is_measured(trial: &Trial<'_>) -> Checked {
    let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let usage = trial.sh(script).await?.usage;
    let cpu = usage
        .and_then(|usage| usage.cpu)
        .ok_or_else(|| Failure::new("there is no processor time"))?;
    let spent = cpu.value.user + cpu.value.system;
    ensure!(
        spent.as_millis() >= 10,
        "300,000 rounds are said to have cost {spent:?}"
    );
    Ok(())
}

async fn peak_memory_is_measured(trial: &Trial<'_>) -> Checked {
    let script = "head -c 40000000 /dev/zero | tail -c 40000000 | wc -c";
    let usage = trial.sh(script).await?.usage;
    let peak = usage
        .and_then(|usage| usage.peak_memory_bytes)
        .ok_or_else(|| Failure::new("there is no peak memory"))?;
    ensure!(
        peak.value >= 30_000_000,
        "a program that holds 40 MB is said to have held {} bytes",
        peak.value
    );
    Ok(())
}

async fn the_same_key_runs_a_command_once(trial: &Trial<'_>) -> Checked {
    let key = IdempotencyKey::new(format!("{}-once", trial.dir()));
    let command = trial
        .script("echo ran >>count; cat count; exit 3")?
        .key(key);
    let first = trial.run(command.clone()).await?;
    let second = trial.run(command).await?;
    expect_eq(
        "the process of the second call",
        &second.process,
        &first.process,
    )?;
    for output in [first, second] {
        expect_code(&output, 3)?;
        expect_stdout(&output, "ran\n")?;
    }
    expect_bytes(
        "what the command wrote",
        &trial.get("count").await?,
        b"ran\n",
    )
}

async fn a_key_with_another_command_is_a_conflict(trial: &Trial<'_>) -> Checked {
    let key = IdempotencyKey::new(format!("{}-other", trial.dir()));
    trial.run(trial.script("true")?.key(key.clone())).await?;
    let other = trial.script("echo ran >>count")?.key(key);
    let run = trial.runtime().run(other, Follow::default()).await;
    expect_kind("the second run", run, ErrorKind::Conflict)?;
    expect_prints(&trial.sh("test -e count || echo none").await?, "none\n")
}

async fn a_command_with_a_key_outlives_its_caller(trial: &Trial<'_>) -> Checked {
    let key = IdempotencyKey::new(format!("{}-outlives", trial.dir()));
    trial.gate("up").await?;
    trial.gate("go").await?;
    let command = trial.script("echo up >up; read x <go; echo done")?.key(key);
    tokio::select! {
        early = trial.run(command.clone()) => {
            return Err(Failure::new(format!("the command ended too early: {early:?}")));
        }
        up = trial.ok("cat up") => expect_eq("the sign", up?.as_str(), "up\n")?,
    }
    let mut again = trial.follow(command, Follow::default()).await?;
    trial.open_gate("go").await?;
    again.expect_end(&Exit::Code(0)).await?;
    expect_bytes("stdout", &again.stdout, b"done\n")
}

async fn processes_lists_what_runs_and_what_ended(trial: &Trial<'_>) -> Checked {
    trial.gate("go").await?;
    let mut running = trial
        .follow(
            trial.script("echo up; read x <go; exit 5")?,
            Follow::default(),
        )
        .await?;
    running.until_stdout("up").await?;
    let find = |all: Vec<oh_core::ProcessInfo>, id| {
        all.into_iter()
            .find(|info| info.id == id)
            .ok_or_else(|| Failure::new("the process is not listed"))
    };
    let info = find(trial.runtime().processes().await?, running.id().clone())?;
    expect_eq("the exit of a running process", info.exit, None)?;
    expect_eq("stdout_bytes", info.stdout_bytes, 3)?;
    ensure!(
        info.command.contains("read x"),
        "the command is listed as {:?}",
        info.command
    );
    trial.open_gate("go").await?;
    running.until_closed().await?;
    let info = find(trial.runtime().processes().await?, running.id().clone())?;
    expect_eq(
        "the exit of an ended process",
        info.exit,
        Some(Exit::Code(5)),
    )
}

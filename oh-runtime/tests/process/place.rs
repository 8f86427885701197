//! Where a command runs and with what.

use std::time::Duration;

use oh_runtime::{
    Capability, Command, Containment, ContainmentChoice, ErrorKind, Exit, Follow, Isolation,
    Limits, LocalRuntime, OutputMode, Runtime, RuntimeExt, SandboxPath,
};

use crate::{Sandbox, alive, code, sandbox, unique};

pub(crate) fn fifo(sandbox: &Sandbox, name: &str) {
    let path = sandbox.workspace.path().join(name);
    let status = std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_command_runs_in_the_workspace_or_where_it_says() {
    let sandbox = sandbox().await;
    let workspace = sandbox.descriptor().workspace.clone();
    assert_eq!(
        sandbox.sh("pwd").await.stdout_text().trim_end(),
        workspace.as_str()
    );
    std::fs::create_dir(sandbox.workspace.path().join("sub")).unwrap();
    let inside = Command::shell("pwd").cwd(SandboxPath::new("sub").unwrap());
    assert_eq!(
        sandbox.run(inside).await.stdout_text().trim_end(),
        workspace.join("sub").unwrap().as_str()
    );
    let outside = Command::shell("pwd").cwd(SandboxPath::new("/").unwrap());
    assert_eq!(sandbox.run(outside).await.stdout_text(), "/\n");
}

#[tokio::test]
async fn a_working_directory_that_is_none_is_an_error_that_names_it() {
    let sandbox = sandbox().await;
    std::fs::write(sandbox.workspace.path().join("file"), "").unwrap();
    for (path, kind) in [
        ("missing", ErrorKind::NotFound),
        ("file", ErrorKind::NotADirectory),
    ] {
        let command = Command::new("true").cwd(SandboxPath::new(path).unwrap());
        let error = sandbox
            .runtime
            .run(command, Follow::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.object().unwrap().ends_with(path), "{error}");
    }
    assert_eq!(sandbox.processes().await.unwrap(), []);
}

#[tokio::test]
async fn a_command_that_makes_no_sense_is_refused_before_anything_happens() {
    let sandbox = sandbox().await;
    for command in [
        Command::new(""),
        Command::new("a\0b"),
        Command::new("echo").arg("a\0b"),
        Command::shell("echo \0"),
        Command::new("true").env("", "x"),
        Command::new("true").env("A=B", "x"),
        Command::new("true").env("A", "x\0"),
    ] {
        let error = sandbox
            .runtime
            .run(command.clone(), Follow::default())
            .await
            .unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidInput,
            "{command:?}: {error}"
        );
    }
    assert_eq!(sandbox.processes().await.unwrap(), []);
}

#[tokio::test]
async fn the_environment_holds_what_was_passed_and_nothing_else() {
    let workspace = tempfile::tempdir().unwrap();
    let runtime = LocalRuntime::builder(workspace.path())
        .clear_env()
        .pass_env("PATH")
        .pass_env("OH_TEST_NOT_SET_ANYWHERE")
        .env("GREETING", "hello")
        .start()
        .await
        .unwrap();
    let command = Command::new("env").env("OWN", "a b\n=c");
    let output = runtime.run(command, Follow::default()).await.unwrap();
    let text = output.stdout_text().into_owned();
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["", "GREETING", "OH_OWNER", "OWN", "PATH"]);
    assert!(
        text.contains("GREETING=hello\n") && text.contains("OWN=a b\n=c\n"),
        "{text}"
    );
}

#[tokio::test]
async fn variables_that_are_set_last_until_they_are_unset() {
    let sandbox = sandbox().await;
    let set = |value: Option<&str>| [("WORD".to_owned(), value.map(str::to_owned))].into();
    sandbox.set_env(set(Some("x y"))).await.unwrap();
    assert_eq!(sandbox.sh("echo \"$WORD\"").await.stdout_text(), "x y\n");
    let own = Command::shell("echo \"$WORD\"").env("WORD", "mine");
    assert_eq!(sandbox.run(own).await.stdout_text(), "mine\n");
    sandbox.set_env(set(None)).await.unwrap();
    assert_eq!(
        sandbox.sh("echo ${WORD-unset}").await.stdout_text(),
        "unset\n"
    );
    let bad = [
        ("GOOD".to_owned(), Some("1".to_owned())),
        ("1BAD".to_owned(), None),
    ]
    .into();
    let error = sandbox.set_env(bad).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.object()),
        (ErrorKind::InvalidInput, Some("1BAD"))
    );
    assert_eq!(
        sandbox.sh("echo ${GOOD-unset}").await.stdout_text(),
        "unset\n"
    );
}

#[tokio::test]
async fn limits_hold_for_a_command_and_what_it_starts() {
    let sandbox = sandbox().await;
    let limits = Limits::default()
        .open_files(20)
        .file_size_bytes(4096)
        .memory_bytes(1 << 30);
    let script = "sh -c 'ulimit -n; ulimit -Hn; ulimit -f; ulimit -v'";
    let output = sandbox.run(Command::shell(script).limits(limits)).await;
    // bash counts files in KiB, other shells in half KiB.
    let text = output.stdout_text().replace("\n4\n", "\n8\n");
    assert_eq!(text, "20\n20\n8\n1048576\n");
    let limits = Limits::default().cpu_time(Duration::from_millis(10));
    let output = sandbox
        .run(Command::shell("while :; do :; done").limits(limits))
        .await;
    assert!(
        matches!(output.exit(), Some(Exit::Signal(9 | 24))),
        "{:?}",
        output.outcome
    );
    let missing = Command::new("no-such-program").limits(Limits::default().open_files(20));
    assert!(matches!(
        sandbox.run(missing).await.exit(),
        Some(Exit::SpawnFailed(_))
    ));
    let failing = Command::shell("exit 7").limits(Limits::default().processes(4000));
    assert_eq!(code(&sandbox.run(failing).await), 7);
}

#[tokio::test]
async fn the_cost_of_a_command_is_measured() {
    let sandbox = sandbox().await;
    let script = "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done";
    let usage = sandbox.sh(script).await.usage.unwrap();
    let cpu = usage.cpu.unwrap().value;
    assert!(cpu.user + cpu.system > Duration::ZERO && cpu.user <= usage.wall * 2);
    assert!(usage.peak_memory_bytes.unwrap().value > 1 << 20);
}

#[tokio::test]
async fn the_descriptor_says_what_is_true() {
    let sandbox = sandbox().await;
    let descriptor = sandbox.descriptor();
    assert_eq!(descriptor.kind, "local");
    assert_eq!(descriptor.isolation, Isolation::None);
    assert_eq!(descriptor.containment, Containment::Marker);
    assert!(descriptor.results_forgeable);
    assert!(descriptor.capabilities.has(Capability::TreeKill));
    assert!(!descriptor.capabilities.has(Capability::Browse));
}

#[tokio::test]
async fn a_start_without_a_workspace_says_what_to_do() {
    let missing = LocalRuntime::builder("/no/such/place")
        .start()
        .await
        .unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(
        missing.to_string().contains("create the workspace"),
        "{missing}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let no_directory = LocalRuntime::builder(file.path())
        .start()
        .await
        .unwrap_err();
    assert_eq!(no_directory.kind(), ErrorKind::NotADirectory);
    let workspace = tempfile::tempdir().unwrap();
    let no_shell = LocalRuntime::builder(workspace.path())
        .shell("/no/shell")
        .start()
        .await;
    assert_eq!(no_shell.unwrap_err().object(), Some("/no/shell"));
}

#[tokio::test]
async fn a_chosen_shell_runs_the_texts() {
    let workspace = tempfile::tempdir().unwrap();
    let runtime = LocalRuntime::builder(workspace.path())
        .shell("/bin/sh")
        .start()
        .await
        .unwrap();
    assert_eq!(
        runtime.shell("echo $0").await.unwrap().stdout_text(),
        "/bin/sh\n"
    );
    assert_eq!(
        runtime.shell("-v").await.unwrap().exit().unwrap().code(),
        Some(127)
    );
}

#[tokio::test]
async fn a_deadline_of_a_merged_command_gives_what_was_printed() {
    let sandbox = sandbox().await;
    let command = Command::shell("echo partial; sleep 600")
        .output(OutputMode::Merged)
        .deadline(Duration::from_millis(200));
    let output = sandbox.run(command).await;
    assert_eq!(
        (output.exit(), &*output.stdout_text()),
        (Some(&Exit::TimedOut), "partial\n")
    );
}

#[tokio::test]
async fn control_groups_hold_a_tree_where_they_can_be_had_and_are_refused_elsewhere() {
    let workspace = tempfile::tempdir().unwrap();
    let builder = LocalRuntime::builder(workspace.path()).containment(ContainmentChoice::Cgroup);
    let runtime = match builder.start().await {
        Ok(runtime) => runtime,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            return;
        }
    };
    assert_eq!(runtime.descriptor().containment, Containment::Cgroup);
    let word = unique("cgroup");
    // Cleared environment, own session, no parent: only the group still knows it.
    let script = format!(
        "( ( env -i setsid /bin/sh -c 'echo up; sleep 600; :' {word} & ) & ) & wait; sleep 600"
    );
    let mut process = runtime
        .spawn(Command::shell(script), Follow::default())
        .await
        .unwrap();
    while let Some(Ok(event)) = process.next().await {
        if matches!(event, oh_runtime::ProcessEvent::Stdout { .. }) {
            break;
        }
    }
    assert!(!alive(&word).is_empty());
    process.cancel().await.unwrap();
    assert!(alive(&word).is_empty());
    let limited = Command::shell("ulimit -n; exit 3").limits(Limits::default().open_files(30));
    let output = runtime.run(limited, Follow::default()).await.unwrap();
    assert_eq!((code(&output), &*output.stdout_text()), (3, "30\n"));
    let background =
        format!("env -i setsid /bin/sh -c 'sleep 600; :' {word} >/dev/null 2>&1 & echo ok");
    assert_eq!(
        runtime.shell(&background).await.unwrap().stdout_text(),
        "ok\n"
    );
    runtime.close().await.unwrap();
    assert!(alive(&word).is_empty());
}

#[tokio::test]
async fn the_best_containment_is_taken_when_none_is_named() {
    let workspace = tempfile::tempdir().unwrap();
    let builder = LocalRuntime::builder(workspace.path()).containment(ContainmentChoice::Auto);
    let runtime = builder.start().await.unwrap();
    let containment = runtime.descriptor().containment;
    assert!(matches!(
        containment,
        Containment::Cgroup | Containment::Marker
    ));
    assert_eq!(
        runtime.shell("echo ok").await.unwrap().stdout_text(),
        "ok\n"
    );
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn nobody_can_set_the_variable_that_tells_whose_a_process_is() {
    let sandbox = sandbox().await;
    let change = |value: Option<&str>| {
        std::collections::BTreeMap::from([("OH_OWNER".to_owned(), value.map(str::to_owned))])
    };
    for value in [Some("someone"), None] {
        let error = sandbox.set_env(change(value)).await.unwrap_err();
        assert_eq!(error.kind(), oh_runtime::ErrorKind::InvalidInput);
    }
}

//! What stays in a shell, and what it says of itself.

use std::os::unix::ffi::OsStrExt;

use oh_core::{ErrorKind, UsageSource};

use super::*;

#[tokio::test]
async fn variables_functions_and_the_directory_stay_from_command_to_command() {
    let lab = Lab::new();
    let ran = lab
        .run("x=5; f() { echo \"in f: $x\"; }; mkdir sub; cd sub")
        .await;
    assert!(ran.gave(0, ""));
    let ran = lab.run("f; basename \"$PWD\"").await;
    assert!(ran.gave(0, "in f: 5\nsub\n"));
    let cwd = ran.session.cwd.unwrap();
    assert_eq!(cwd.file_name(), Some("sub"));
    assert!(!ran.session.restarted);
}

#[tokio::test]
async fn exit_codes_are_those_of_the_last_command_and_can_be_asked_for_later() {
    let lab = Lab::new();
    assert!(lab.run("false").await.gave(1, ""));
    assert!(lab.run("echo $?").await.gave(0, "1\n"));
    assert!(lab.run("(exit 42)").await.gave(42, ""));
    assert!(lab.run("nosuchprogram 2>/dev/null").await.gave(127, ""));
    assert!(lab.run("return 7").await.gave(7, ""));
    assert!(lab.run("").await.gave(0, ""));
    assert!(lab.run("# nothing but a remark").await.gave(0, ""));
}

#[tokio::test]
async fn texts_of_any_shape_arrive_as_they_are() {
    let lab = Lab::new();
    assert!(
        lab.run("cat <<'X'\na $b `c`\n\ttab\nX")
            .await
            .gave(0, "a $b `c`\n\ttab\n")
    );
    assert!(
        lab.run("echo one\necho two # remark")
            .await
            .gave(0, "one\ntwo\n")
    );
    assert!(
        lab.run("printf %s 'no newline'")
            .await
            .gave(0, "no newline")
    );
    assert!(
        lab.run("printf '\\n\\n  x  \\n\\n'")
            .await
            .gave(0, "\n\n  x  \n\n")
    );
    assert!(lab.run("echo Up Enter C-c").await.gave(0, "Up Enter C-c\n"));
    assert!(
        lab.run("for i in 1 2\ndo\n  echo $i\ndone")
            .await
            .gave(0, "1\n2\n")
    );
    let ran = lab.run("printf '%s' 'a\rb' | od -An -c | tr -s ' '").await;
    assert!(ran.gave(0, " a \\r b\n"));
    let backslash = lab.run("echo a \\").await;
    assert_eq!(backslash.exit, Exit::Code(0));
    assert!(lab.run("echo still here").await.gave(0, "still here\n"));
}

#[tokio::test]
async fn commands_far_beyond_a_terminal_line_arrive_whole() {
    let lab = Lab::new();
    let long = "x".repeat(200_000);
    let ran = lab.run(&format!("v={long}; echo ${{#v}}")).await;
    assert!(ran.gave(0, "200000\n"));
    let lines = "echo line\n".repeat(5_000);
    assert!(lab.run(&lines).await.gave(0, &"line\n".repeat(5_000)));
}

#[tokio::test]
async fn arguments_are_words_whatever_they_hold() {
    let lab = Lab::new();
    let command = Command::new("printf").args(["<%s>", "a b", "it's", "$x `y` \\", "\n", ""]);
    let ran = Ran::from(lab.run_command("main", command).await);
    assert!(ran.gave(0, "<a b><it's><$x `y` \\><\n><>"));
}

#[tokio::test]
async fn output_of_every_kind_is_one_stream_without_changes() {
    let lab = Lab::new();
    let output = lab
        .run_command(
            "main",
            Command::shell("echo out; echo err >&2; printf '\\000\\377\\r\\n'"),
        )
        .await;
    assert_eq!(
        &output.stdout.to_bytes().unwrap()[..],
        b"out\nerr\n\0\xff\r\n"
    );
    assert_eq!(output.stderr.total_bytes, 0);
}

#[tokio::test]
async fn ten_megabytes_arrive_whole_in_one_line_and_in_many() {
    let lab = Lab::new();
    let one = lab
        .run_command(
            "main",
            Command::shell("head -c 10000000 /dev/zero | tr '\\0' x"),
        )
        .await;
    assert_eq!(one.stdout.total_bytes, 10_000_000);
    let many = lab
        .run_command("main", Command::shell("seq 1 1000000"))
        .await;
    let text = many.stdout.to_bytes().unwrap();
    assert!(text.ends_with(b"\n999999\n1000000\n"));
    assert_eq!(text.len(), 6_888_896);
}

#[tokio::test]
async fn output_by_range_and_following_from_a_position_work_as_without_a_session() {
    let lab = Lab::new();
    lab.run("echo the first command").await;
    let name = SessionName::new("main").unwrap();
    let id = ProcessId::new("second");
    let command = Command::shell("echo 0123456789");
    let process: Arc<dyn Tracked> = lab.shells.spawn(&name, &id, &command).unwrap();
    process.recording().wait_exit().await;
    let part = process
        .recording()
        .read(oh_core::OutputStream::Stdout, (2..5).into())
        .unwrap();
    assert_eq!(&part[..], b"234");
    let from = Follow::default().from(oh_core::Position {
        stdout: 8,
        stderr: 0,
    });
    let mut again = process::follow(&process, from).unwrap();
    let rest = again.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(rest.stdout_text(), "89\n");
}

#[tokio::test]
async fn a_background_job_is_named_once_and_does_not_hold_the_command_up() {
    let lab = Lab::new();
    let ran = lab.run("sleep 600 & echo started").await;
    assert!(ran.gave(0, "started\n"));
    let job = ran.session.background.unwrap();
    let ran = lab.run("echo $!; kill $!").await;
    assert_eq!(ran.text.lines().next(), Some(job.to_string().as_str()));
    assert_eq!(ran.session.background, None);
}

#[tokio::test]
async fn what_background_jobs_print_between_commands_is_told_apart() {
    let lab = Lab::new();
    lab.run("mkfifo gate gate2; who=the; (read x <gate; echo from $who job; echo done >gate2) &")
        .await;
    let gates = ["gate", "gate2"].map(|name| lab.workspace.path().join(name));
    // The job prints only after the first, and the second shows that it has.
    let through_gates = tokio::task::spawn_blocking(move || {
        let [gate, gate2] = gates;
        std::fs::write(gate, "go\n").unwrap();
        std::fs::read_to_string(gate2).unwrap()
    });
    assert_eq!(through_gates.await.unwrap(), "done\n");
    let ran = lab.run("echo mine").await;
    let stray = String::from_utf8(ran.session.stray).unwrap();
    assert!(
        stray.contains("from the job\n"),
        "stray: {stray:?}, text: {:?}",
        ran.text
    );
    assert!(!ran.text.contains("from the job"));
}

#[tokio::test]
async fn processor_time_is_that_of_the_command_alone() {
    let lab = Lab::new();
    let burn = "i=0; while ((i < 60000)); do ((++i)); done";
    let busy = lab.run_command("main", Command::shell(burn)).await;
    let idle = lab.run_command("main", Command::shell(":")).await;
    let [busy, idle] = [busy, idle].map(|output| output.usage.unwrap().cpu.unwrap());
    assert_eq!(busy.source, UsageSource::ShellCounters);
    let total = |cpu: oh_core::CpuTime| cpu.user + cpu.system;
    assert!(total(busy.value) > total(idle.value));
}

#[tokio::test]
async fn directories_with_strange_names_are_reported_or_left_out() {
    let lab = Lab::new();
    let ran = lab.run("mkdir $'two\\nlines'; cd $'two\\nlines'").await;
    assert_eq!(ran.session.cwd.unwrap().file_name(), Some("two\nlines"));
    let bytes = std::ffi::OsStr::from_bytes(b"no\xfftext");
    std::fs::create_dir(lab.workspace.path().join("two\nlines").join(bytes)).unwrap();
    let ran = lab.run("cd no*; echo here").await;
    assert!(ran.gave(0, "here\n"));
    assert_eq!(ran.session.cwd, None);
    assert!(lab.run("cd ..; ls | wc -l").await.gave(0, "1\n"));
}

#[tokio::test]
async fn a_directory_that_goes_away_does_no_harm() {
    let lab = Lab::new();
    let ran = lab.run("mkdir gone; cd gone; rmdir ../gone; echo ok").await;
    assert!(ran.gave(0, "ok\n"));
    assert_eq!(ran.session.cwd.unwrap().file_name(), Some("gone"));
    assert_eq!(lab.run("exit 1").await.exit, Exit::Code(1));
    // The new shell cannot start where nothing is.
    let ran = lab.run("pwd -P").await;
    let workspace = lab.workspace.path().canonicalize().unwrap();
    assert!(ran.gave(0, &format!("{}\n", workspace.display())));
}

#[tokio::test]
async fn a_directory_reached_through_a_link_keeps_the_name_that_was_used() {
    let lab = Lab::new();
    let ran = lab.run("mkdir real; ln -s real link; cd link").await;
    assert_eq!(ran.session.cwd.unwrap().file_name(), Some("link"));
    let ran = lab.run("PWD=/nonsense; true").await;
    assert_eq!(ran.session.cwd.unwrap().file_name(), Some("real"));
}

#[tokio::test]
async fn variables_of_the_runtime_reach_running_shells_with_the_next_command() {
    let lab = Lab::new();
    lab.run("export OLD=1").await;
    let value = "it's $HOME `x`\n\\ \"q\"";
    let changes = [("NEW", Some(value.to_owned())), ("OLD", None)];
    let changes = changes.map(|(name, value)| (name.to_owned(), value));
    lab.shells.set_env(&BTreeMap::from(changes));
    let ran = lab
        .run("printf %s \"$NEW\"; sh -c 'printf %s \"[${NEW#it}]${OLD-unset}\"'")
        .await;
    assert!(ran.gave(0, &format!("{value}[{}]unset", &value[2..])));
    lab.run("exit 0").await;
    assert!(lab.run("printf %s \"$NEW\"").await.gave(0, value));
    let other = lab
        .run_command("other", Command::shell("printf %s \"$NEW\""))
        .await;
    assert_eq!(other.stdout_text(), value);
}

#[tokio::test]
async fn a_second_command_is_refused_while_one_runs_and_other_sessions_are_free() {
    let lab = Lab::new();
    let first = lab.spawn("main", &Command::shell("sleep 600")).unwrap();
    let error = lab.spawn("main", &Command::shell("echo no")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.running(), Some(first.id()));
    let other = lab.run_command("other", Command::shell("echo yes")).await;
    assert_eq!(other.stdout_text(), "yes\n");
    first.cancel().await.unwrap();
    assert!(lab.run("echo now").await.gave(0, "now\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_run_in_parallel_and_know_nothing_of_each_other() {
    let lab = Arc::new(Lab::new());
    let runs: Vec<_> = (0..8)
        .map(|number| {
            let lab = Arc::clone(&lab);
            tokio::spawn(async move {
                let name = format!("s{number}");
                lab.run_command(&name, Command::shell(format!("v={number}")))
                    .await;
                let output = lab.run_command(&name, Command::shell("echo $v")).await;
                (number, output.stdout_text().into_owned())
            })
        })
        .collect();
    for run in runs {
        let (number, text) = run.await.unwrap();
        assert_eq!(text, format!("{number}\n"));
    }
}

#[tokio::test]
async fn what_belongs_to_a_process_of_its_own_is_refused_with_the_way_out() {
    let lab = Lab::new();
    let cases = [
        (
            Command::shell("x").cwd(oh_core::SandboxPath::workspace()),
            "cwd",
        ),
        (Command::shell("x").env("A", "b"), "env"),
        (
            Command::shell("x").limits(oh_core::Limits::default().open_files(9)),
            "limits",
        ),
        (
            Command::shell("x").stdin(oh_core::Stdin::Bytes("y".into())),
            "stdin",
        ),
        (Command::shell("a\0b"), "NUL"),
        (Command::new("printf").arg("a\0b"), "NUL"),
    ];
    for (command, field) in cases {
        let error = lab.spawn("main", &command).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.detail().unwrap().contains(field), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_answers_are_right_on_a_machine_that_is_busy() {
    let lab = Lab::new();
    let cores = std::thread::available_parallelism().unwrap().get();
    let busy: Vec<_> = (0..cores * 2)
        .map(|number| {
            lab.spawn(
                &format!("busy{number}"),
                &Command::shell("while :; do :; done"),
            )
            .unwrap()
        })
        .collect();
    for number in 0..200 {
        assert!(
            lab.run(&format!("echo {number}"))
                .await
                .gave(0, &format!("{number}\n"))
        );
    }
    for process in busy {
        process.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn without_bash_a_plain_sh_keeps_state_as_well() {
    let Some(dash) = ["/bin/dash", "/usr/bin/dash"]
        .into_iter()
        .find(|path| Path::new(path).exists())
    else {
        eprintln!("skipped: there is no dash here");
        return;
    };
    let lab = Lab::with_shell(dash);
    assert!(lab.run("x=5; cd /").await.gave(0, ""));
    let ran = lab.run("echo $x; cd /nonexistent 2>/dev/null").await;
    assert!(ran.gave(2, "5\n"));
    assert_eq!(ran.session.cwd.unwrap().as_str(), "/");
    assert!(lab.run("echo $?").await.gave(0, "2\n"));
    assert!(lab.run("set -x").await.gave(0, ""));
    assert!(lab.run("set +x; echo a").await.text.ends_with("a\n"));
    assert!(lab.run("echo a").await.gave(0, "a\n"));

    let stuck = Command::shell("sleep 600; echo no").deadline(Duration::from_millis(50));
    let output = lab.run_command("main", stuck).await;
    assert_eq!(output.exit(), Some(&Exit::TimedOut));
    assert!(!output.stdout_text().contains("no"), "{output:?}");
    assert!(lab.run("echo $x").await.gave(0, "5\n"));
    assert_eq!(lab.run("if").await.exit, Exit::Code(2));
    assert!(lab.run("echo $x").await.gave(0, "5\n"));
    let ran = lab.run("exit 4").await;
    assert_eq!((ran.exit, ran.session.restarted), (Exit::Code(4), true));
    assert!(lab.run("echo $x").await.gave(0, "\n"));
}

#[tokio::test]
async fn without_any_shell_the_command_says_so() {
    let lab = Lab::with_shell("/nonexistent/bash");
    let output = lab.run_command("main", Command::shell("echo")).await;
    let Some(Exit::SpawnFailed(error)) = output.exit() else {
        panic!("{output:?}");
    };
    assert_eq!(error.kind, oh_core::SpawnErrorKind::NotFound);
}

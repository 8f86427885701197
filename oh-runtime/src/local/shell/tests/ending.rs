//! How commands are ended from outside.

use std::time::Instant;

use oh_core::{ErrorKind, Signal};

use super::*;

/// Waits until a process is gone.
async fn gone(pid: &str) {
    let until = Instant::now() + PATIENCE;
    let is_there = || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    };
    while is_there() {
        assert!(Instant::now() < until, "process {pid} is still there");
        tokio::task::yield_now().await;
    }
}

/// Waits until a command has written a file.
async fn file(lab: &Lab, name: &str) -> String {
    let path = lab.workspace.path().join(name);
    let until = Instant::now() + PATIENCE;
    loop {
        if let Ok(text) = std::fs::read_to_string(&path)
            && text.ends_with('\n')
        {
            return text.trim().to_owned();
        }
        assert!(Instant::now() < until, "no file {name}");
        tokio::task::yield_now().await;
    }
}

fn short(text: &str) -> Command {
    Command::shell(text)
        .deadline(Duration::from_millis(300))
        .grace(Duration::from_millis(100))
}

#[tokio::test]
async fn at_the_deadline_a_command_ends_with_what_it_has_printed_and_the_shell_stays() {
    let lab = Lab::new();
    lab.run("x=1").await;
    for text in [
        "echo partial; sleep 600; echo no",
        "echo partial; while :; do :; done",
        "echo partial; while :; do sleep 600; done",
        "echo partial; (trap '' INT; sleep 600; sleep 600)",
        "echo partial; cat </dev/tty",
        "echo partial; sleep 600 | cat",
        "echo partial; read x </dev/tty",
    ] {
        let output = lab.run_command("main", short(text)).await;
        let ran = Ran::from(output);
        assert_eq!(ran.exit, Exit::TimedOut, "{text}");
        assert!(
            ran.text.starts_with("partial\n") && !ran.text.contains("no\n"),
            "{text} {ran:?}"
        );
        let asked = !text.contains("trap");
        assert!(!asked || ran.text == "partial\n", "{text} {ran:?}");
        assert!(!ran.session.restarted, "{text}");
        assert!(lab.run("echo $x").await.gave(0, "1\n"), "{text}");
    }
}

#[tokio::test]
async fn a_shell_that_cannot_be_interrupted_is_replaced() {
    let lab = Lab::new();
    lab.run("mkdir sub; cd sub").await;
    let output = lab
        .run_command("main", short("trap '' INT; while :; do :; done"))
        .await;
    let ran = Ran::from(output);
    assert_eq!((ran.exit, ran.session.restarted), (Exit::TimedOut, true));
    assert!(lab.run("basename \"$PWD\"").await.gave(0, "sub\n"));
}

#[tokio::test]
async fn a_deadline_reaches_daemons_and_spares_jobs_of_earlier_commands() {
    let lab = Lab::new();
    let earlier = lab.run("sleep 600 & echo $!").await.text.trim().to_owned();
    let text =
        "setsid sh -c 'sleep 601 & echo $! >pid; exit' & sleep 602 & echo $! >pid2; sleep 603";
    let output = lab.run_command("main", short(text)).await;
    assert_eq!(output.exit(), Some(&Exit::TimedOut));
    gone(&file(&lab, "pid").await).await;
    gone(&file(&lab, "pid2").await).await;
    assert!(Path::new(&format!("/proc/{earlier}")).exists());
    assert!(
        lab.run(&format!("kill {earlier} && echo killed"))
            .await
            .text
            .contains("killed\n")
    );
}

#[tokio::test]
async fn cancel_returns_when_everything_is_gone_and_a_finished_command_keeps_its_exit() {
    let lab = Lab::new();
    let mut process = lab
        .spawn(
            "main",
            &Command::shell("setsid sleep 600 & echo $! >pid; sleep 600"),
        )
        .unwrap();
    let pid = file(&lab, "pid").await;
    process.cancel().await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Cancelled));
    gone(&pid).await;
    let mut process = lab
        .spawn(
            "main",
            &Command::shell("exit_code() { return 3; }; exit_code"),
        )
        .unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    process.cancel().await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Code(3)));
    assert!(lab.run("echo ok").await.gave(0, "ok\n"));
}

#[tokio::test]
async fn dropping_the_future_of_a_run_ends_the_command() {
    let lab = Lab::new();
    let process = lab
        .spawn(
            "main",
            &Command::shell("echo $$ >pid; sleep 600; echo no >no"),
        )
        .unwrap();
    file(&lab, "pid").await;
    let run = process.output_or_abandon(CaptureLimit::default());
    assert!(tokio::time::timeout(Duration::ZERO, run).await.is_err());
    let until = Instant::now() + PATIENCE;
    let ran = loop {
        match lab.spawn("main", &Command::shell("ls")) {
            Ok(mut process) => break process.output(CaptureLimit::default()).await.unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
        assert!(Instant::now() < until);
        tokio::task::yield_now().await;
    };
    assert_eq!(ran.stdout_text(), "pid\n");
}

#[tokio::test]
async fn an_interrupt_ends_what_runs_and_drops_the_rest() {
    let lab = Lab::new();
    let sleeps = "sh -c 'echo up >up; exec sleep 600'";
    for text in [
        sleeps.to_owned(),
        "echo up >up; while :; do :; done".to_owned(),
        // The signal meets the shell before, while or after it starts the program.
        "echo up >up; sleep 600".to_owned(),
        format!("{sleeps} | cat"),
        format!("for i in 1 2; do {sleeps}; done"),
    ] {
        let text = format!("{text}\necho no");
        let mut process = lab.spawn("main", &Command::shell(&text)).unwrap();
        file(&lab, "up").await;
        process.signal(Signal::Interrupt).await.unwrap();
        let output = process.output(CaptureLimit::default()).await.unwrap();
        assert_eq!(output.exit(), Some(&Exit::Code(130)), "{text}");
        assert!(!output.stdout_text().contains("no\n"), "{text}");
        lab.run("rm up").await;
    }
    assert!(lab.run("echo ok").await.gave(0, "ok\n"));
}

#[tokio::test]
async fn an_interrupt_is_seen_even_after_the_prompt_hook_was_changed() {
    let lab = Lab::new();
    let text = "PROMPT_COMMAND=true; unset -f __oh_d __oh_p; sh -c 'echo up >up; exec sleep 600'";
    let mut process = lab.spawn("main", &Command::shell(text)).unwrap();
    file(&lab, "up").await;
    process.signal(Signal::Interrupt).await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Code(130)));
    assert!(lab.run("echo ok").await.gave(0, "ok\n"));
}

#[tokio::test]
async fn closing_a_session_ends_all_that_ran_in_it_and_the_name_is_free_again() {
    let lab = Lab::new();
    lab.run("x=1; setsid sleep 600 & echo $! >pid").await;
    let mut process = lab.spawn("main", &Command::shell("sleep 600")).unwrap();
    let name = SessionName::new("main").unwrap();
    lab.shells.close_session(&name).await;
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Cancelled));
    gone(&file(&lab, "pid").await).await;
    lab.shells.close_session(&name).await;
    assert!(lab.run("echo \"[$x]\"").await.gave(0, "[]\n"));
}

#[tokio::test]
async fn after_the_runtime_is_closed_nothing_is_left_and_nothing_starts() {
    let lab = Lab::new();
    let pids = lab.run("echo $$; sleep 600 & echo $!").await.text;
    let other = lab.spawn("other", &Command::shell("sleep 600")).unwrap();
    lab.shells.close().await;
    for pid in pids.lines() {
        gone(pid).await;
    }
    other.cancel().await.unwrap();
    let error = lab.spawn("main", &Command::shell("echo no")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    lab.shells.close().await;
}

#[tokio::test]
async fn a_finished_command_takes_neither_input_nor_signals() {
    let lab = Lab::new();
    let command = Command::shell("true").stdin(oh_core::Stdin::Piped);
    let mut process = lab.spawn("main", &command).unwrap();
    process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(
        process.write_stdin("x").await.unwrap_err().kind(),
        ErrorKind::Gone
    );
    assert_eq!(
        process.signal(Signal::Kill).await.unwrap_err().kind(),
        ErrorKind::Gone
    );
    process.close_stdin().await.unwrap();
}

#[test]
fn directories_of_shells_go_when_their_host_was_killed_and_no_others_do() {
    let place = TempDir::new().unwrap();
    let living = Owner::this_process().unwrap().prefix().as_str().to_owned();
    let mut parts: Vec<String> = living.split('.').map(str::to_owned).collect();
    parts[3] = format!("{}0", parts[3]);
    let dead = parts.join(".");
    let make = |name: String| {
        let path = place.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("c"), "text").unwrap();
        path
    };
    let left = make(format!("oh-shell-{dead}ff"));
    let kept = [
        make(format!("oh-shell-{living}ff")),
        make("oh-shell-ff".to_owned()),
        make(format!("other-{dead}ff")),
    ];
    let link = place.path().join(format!("oh-shell-{dead}00"));
    std::os::unix::fs::symlink(&kept[0], &link).unwrap();
    super::super::pool::remove_orphans(place.path()).unwrap();
    assert!(!left.exists() && link.exists());
    assert!(kept.iter().all(|path| path.join("c").exists()));
}

//! How commands are ended.

use std::time::Duration;

use oh_runtime::{
    CaptureLimit, Command, ErrorKind, Exit, Follow, LocalRuntime, ProcessEvent, PtySize, Runtime,
};

use crate::{Sandbox, alive, sandbox, unique, within};

/// A text that starts children of every hard kind and says when they stand: ignoring polite
/// signals, in sessions of their own, and outliving their parents.
fn stubborn(word: &str) -> String {
    format!(
        "trap '' TERM HUP INT
        stubborn() {{ setsid sh -c 'trap \"\" TERM HUP INT; echo up; while :; do sleep 600; done' {word} & }}
        stubborn
        ( ( stubborn ) & ) &
        ( stubborn ) &
        echo up
        while :; do sleep 600; done # {word}"
    )
}

/// Starts such a tree and waits until all of it stands.
async fn start_stubborn(
    sandbox: &Sandbox,
    word: &str,
    deadline: Option<Duration>,
) -> oh_runtime::Process {
    let mut command = Command::shell(stubborn(word)).grace(Duration::from_millis(100));
    command.deadline = deadline;
    let mut process = sandbox.spawn(command, Follow::default()).await.unwrap();
    let mut seen = 0;
    while seen < "up\n".len() as u64 * 4 {
        match within("the start of the tree", process.next()).await {
            Some(Ok(ProcessEvent::Stdout { at, data })) => seen = at + data.len() as u64,
            Some(Ok(ProcessEvent::Started { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(alive(word).len() >= 4, "{:?}", alive(word));
    process
}

#[track_caller]
fn assert_gone(word: &str) {
    let left = alive(word);
    assert!(left.is_empty(), "{left:?} are left");
}

/// Waits, without an own signal to wait for, until a killed tree is gone.
async fn gone(word: &str) {
    within("the end of the tree", async {
        while !alive(word).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_deadline_ends_the_whole_tree_and_keeps_what_was_printed() {
    let sandbox = sandbox().await;
    let word = unique("deadline");
    let mut process = start_stubborn(&sandbox, &word, Some(Duration::from_secs(1))).await;
    let output = within("the deadline", process.output(CaptureLimit::default()))
        .await
        .unwrap();
    assert_eq!(output.exit(), Some(&Exit::TimedOut));
    assert_gone(&word);
    let all = sandbox.read_output(process.id(), oh_runtime::OutputStream::Stdout, (0..).into());
    assert_eq!(all.await.unwrap(), "up\n".repeat(4));
}

#[tokio::test]
async fn a_cancel_ends_the_whole_tree() {
    let sandbox = sandbox().await;
    let word = unique("cancel");
    let mut process = start_stubborn(&sandbox, &word, None).await;
    within("the cancel", process.cancel()).await.unwrap();
    assert_gone(&word);
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Cancelled));
    process.cancel().await.unwrap();
}

#[tokio::test]
async fn a_cancel_goes_on_when_nobody_waits_for_it() {
    let sandbox = sandbox().await;
    let word = unique("impatient");
    let mut process = start_stubborn(&sandbox, &word, None).await;
    let cancel = tokio::time::timeout(Duration::from_millis(1), process.cancel()).await;
    drop(cancel);
    let output = within("the end", process.output(CaptureLimit::default()))
        .await
        .unwrap();
    assert_eq!(output.exit(), Some(&Exit::Cancelled));
    assert_gone(&word);
}

#[tokio::test]
async fn a_dropped_call_ends_the_whole_tree() {
    let sandbox = sandbox().await;
    let word = unique("dropped");
    let command = Command::shell(stubborn(&word));
    let up = async {
        while alive(&word).len() < 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        output = sandbox.run(command) => panic!("{output:?}"),
        () = up => {}
    }
    gone(&word).await;
}

#[tokio::test]
async fn a_call_dropped_at_any_moment_leaves_no_process() {
    let sandbox = sandbox().await;
    let word = unique("moments");
    for polls in 0..12 {
        let script = format!("sleep 600 # {word}\n:");
        let mut run = Box::pin(sandbox.run(Command::shell(script)));
        for _ in 0..polls {
            let _ = futures::poll!(&mut run);
            tokio::task::yield_now().await;
        }
        drop(run);
    }
    gone(&word).await;
}

#[tokio::test]
async fn a_call_with_a_key_outlives_its_caller() {
    let sandbox = sandbox().await;
    let word = unique("keyed");
    let script = format!("sleep 600 # {word}\n:");
    let command = Command::shell(script).key(oh_runtime::IdempotencyKey::new("k"));
    let up = async {
        while alive(&word).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        output = sandbox.run(command) => panic!("{output:?}"),
        () = up => {}
    }
    assert!(!alive(&word).is_empty());
    sandbox.close().await.unwrap();
    assert_gone(&word);
}

#[tokio::test]
async fn closing_ends_every_tree_and_refuses_new_work() {
    let sandbox = sandbox().await;
    let word = unique("close");
    let mut running = start_stubborn(&sandbox, &word, None).await;
    // A background child of a command that is over.
    let script = format!("setsid sh -c 'sleep 600; :' {word} >/dev/null 2>&1 & echo ok");
    assert_eq!(sandbox.sh(&script).await.stdout_text(), "ok\n");
    within("closing", sandbox.close()).await.unwrap();
    assert_gone(&word);
    let output = running.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Cancelled));
    let error = sandbox
        .runtime
        .run(Command::new("true"), Follow::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    sandbox.close().await.unwrap();
}

#[tokio::test]
async fn dropping_the_runtime_ends_every_tree() {
    let sandbox = sandbox().await;
    let word = unique("drop");
    let _process = start_stubborn(&sandbox, &word, None).await;
    drop(sandbox);
    gone(&word).await;
}

#[tokio::test]
async fn an_end_of_its_own_stays_what_it_was() {
    let sandbox = sandbox().await;
    let word = unique("own");
    let script =
        format!("setsid sleep 600 {word} 2>/dev/null & sh -c 'exec sleep 600' {word} & exit 5");
    let mut process = sandbox
        .spawn(Command::shell(script), Follow::default())
        .await
        .unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Code(5)));
    process.cancel().await.unwrap();
    assert_gone(&word);
    let again = sandbox
        .attach(process.id(), Follow::default())
        .await
        .unwrap();
    let output = {
        let mut again = again;
        again.output(CaptureLimit::default()).await.unwrap()
    };
    assert_eq!(output.exit(), Some(&Exit::Code(5)));
}

#[tokio::test]
async fn a_program_that_ends_at_the_polite_signal_is_not_killed() {
    let sandbox = sandbox().await;
    let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done";
    let command = Command::shell(script).grace(Duration::from_secs(20));
    let mut process = sandbox.spawn(command, Follow::default()).await.unwrap();
    while let Some(Ok(event)) = process.next().await {
        if matches!(event, ProcessEvent::Stdout { .. }) {
            break;
        }
    }
    within("the polite end", process.cancel()).await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(
        (output.exit(), &*output.stdout_text()),
        (Some(&Exit::Cancelled), "bye\n")
    );
}

#[tokio::test]
async fn a_stopped_program_ends_too() {
    let sandbox = sandbox().await;
    let command = Command::shell("kill -STOP $$; echo never").deadline(Duration::from_millis(300));
    let output = within("the deadline", sandbox.run(command)).await;
    assert_eq!(output.exit(), Some(&Exit::TimedOut));
}

#[tokio::test]
async fn a_deadline_holds_on_a_terminal() {
    let sandbox = sandbox().await;
    let command = Command::shell("echo up; trap '' HUP TERM; while :; do sleep 600; done")
        .pty(PtySize::default())
        .grace(Duration::from_millis(50))
        .deadline(Duration::from_millis(300));
    let output = within("the deadline", sandbox.run(command)).await;
    assert_eq!(
        (output.exit(), &*output.stdout_text()),
        (Some(&Exit::TimedOut), "up\r\n")
    );
}

#[tokio::test]
async fn two_hundred_stubborn_processes_are_gone_when_cancel_returns() {
    let sandbox = sandbox().await;
    let word = unique("wide");
    let script = format!(
        "trap '' TERM
        for i in $(seq 200); do
          setsid sh -c 'trap \"\" TERM; echo up; while :; do sleep 600; done' {word} &
        done
        wait"
    );
    let command = Command::shell(script).grace(Duration::from_millis(500));
    let mut process = sandbox.spawn(command, Follow::default()).await.unwrap();
    let mut seen = 0;
    while seen < 600 {
        if let Some(Ok(ProcessEvent::Stdout { at, data })) =
            within("the start", process.next()).await
        {
            seen = at + data.len() as u64;
        }
    }
    within("the cancel", process.cancel()).await.unwrap();
    assert_gone(&word);
}

#[tokio::test]
async fn a_start_ends_what_a_dead_host_left_behind() {
    // The mark of an owner that cannot live: this process with another start time.
    let sandbox = sandbox().await;
    let mark = sandbox
        .sh("printf %s \"$OH_OWNER\"")
        .await
        .stdout_text()
        .into_owned();
    let mine = mark.rsplit(';').next().unwrap().to_owned();
    let mut parts: Vec<&str> = mine.split('.').collect();
    parts[3] = "1";
    let mut child = std::process::Command::new("sh")
        .args(["-c", "exec sleep 600"])
        .env("OH_OWNER", parts.join("."))
        .spawn()
        .unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let next = LocalRuntime::builder(workspace.path())
        .start()
        .await
        .unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(!within("the sweep", status).await.unwrap().success());
    drop(next);
}

#[tokio::test]
async fn a_close_that_is_given_up_still_ends_what_finished_commands_left_behind() {
    let sandbox = sandbox().await;
    let word = unique("left");
    let script = format!("setsid sh -c 'while :; do sleep 600; done' {word} >/dev/null 2>&1 &");
    sandbox.sh(&script).await;
    assert_eq!(alive(&word).len(), 1);
    let mut close = Box::pin(sandbox.runtime.close());
    std::future::poll_fn(|cx| {
        assert!(close.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    drop(close);
    drop(sandbox);
    gone(&word).await;
}

#[test]
fn a_process_outlives_the_tokio_runtime_that_its_caller_ran_on() {
    let home = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sandbox = home.block_on(sandbox());
    let guest = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asking = Command::shell("read x; echo \"[$x]\"; exit 7").stdin(oh_runtime::Stdin::Piped);
    let plain = guest.block_on(sandbox.spawn(asking.clone(), Follow::default()));
    let in_shell = asking.session(oh_runtime::SessionName::new("main").unwrap());
    let in_shell = guest.block_on(sandbox.spawn(in_shell, Follow::default()));
    drop(guest);
    home.block_on(async {
        for started in [plain, in_shell] {
            let mut process = started.unwrap();
            process.write_stdin("answer\n").await.unwrap();
            let output = within("the end", process.output(CaptureLimit::default())).await;
            let output = output.unwrap();
            assert_eq!(output.exit().and_then(Exit::code), Some(7));
            assert!(output.stdout_text().ends_with("[answer]\n"));
            process.cancel().await.unwrap();
        }
        sandbox.close().await.unwrap();
    });
}

//! What comes out of a command.

use bytes::Bytes;
use futures::StreamExt;
use oh_runtime::{
    CaptureLimit, Command, Exit, Follow, Outcome, OutputMode, Pause, ProcessEvent, PtySize,
    Runtime, SpawnErrorKind,
};
use std::time::Duration;

use crate::{code, sandbox, within};

#[tokio::test]
async fn exit_codes_and_signals_come_back_as_they_are() {
    let sandbox = sandbox().await;
    for number in [0, 1, 42, 127, 255] {
        assert_eq!(code(&sandbox.sh(&format!("exit {number}")).await), number);
    }
    for signal in [2, 6, 9, 15] {
        let output = sandbox.sh(&format!("kill -{signal} $$")).await;
        assert_eq!(output.exit(), Some(&Exit::Signal(signal)));
    }
}

#[tokio::test]
async fn arguments_reach_a_program_as_they_are() {
    let sandbox = sandbox().await;
    let words = [
        "a b",
        "",
        "$HOME",
        "*",
        "it's",
        "-n",
        "ünï",
        "\\",
        "line\nbreak",
    ];
    let command = Command::new("printf").arg("%s|").args(words);
    assert_eq!(
        sandbox.run(command).await.stdout_text(),
        words.join("|") + "|"
    );
}

#[tokio::test]
async fn both_streams_are_kept_apart() {
    let sandbox = sandbox().await;
    let script = "for i in $(seq 1000); do echo out $i; echo err $i >&2; done";
    let output = sandbox.sh(script).await;
    let expected = |name: &str| {
        (1..=1000)
            .map(|i| format!("{name} {i}\n"))
            .collect::<String>()
    };
    assert_eq!(output.stdout_text(), expected("out"));
    assert_eq!(output.stderr_text(), expected("err"));
}

#[tokio::test]
async fn merged_output_keeps_the_order_of_writing() {
    let sandbox = sandbox().await;
    let script = "for i in $(seq 1000); do echo out $i; echo err $i >&2; done";
    let output = sandbox
        .run(Command::shell(script).output(OutputMode::Merged))
        .await;
    let expected: String = (1..=1000).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert_eq!(output.stdout_text(), expected);
    assert_eq!(output.stderr.total_bytes, 0);
}

#[tokio::test]
async fn every_byte_value_survives() {
    let sandbox = sandbox().await;
    let all: Vec<u8> = (0..=255).collect();
    std::fs::write(sandbox.workspace.path().join("all"), all.repeat(300)).unwrap();
    let output = sandbox.run(Command::new("cat").arg("all")).await;
    assert!(output.stdout.to_bytes().unwrap() == all.repeat(300));
}

#[tokio::test]
async fn ten_megabytes_on_one_line_are_recorded_whole() {
    let sandbox = sandbox().await;
    let output = sandbox.sh("head -c 10000000 /dev/zero | tr '\\0' x").await;
    assert_eq!(output.stdout.total_bytes, 10_000_000);
    assert_eq!(output.stdout.omitted_bytes(), 10_000_000 - 2 * 64 * 1024);
    let whole = sandbox
        .read_output(
            &output.process,
            oh_runtime::OutputStream::Stdout,
            (0..).into(),
        )
        .await
        .unwrap();
    assert!(whole.len() == 10_000_000 && whole.iter().all(|&byte| byte == b'x'));
}

#[tokio::test]
async fn a_background_child_does_not_hold_the_call_and_its_output_is_recorded_later() {
    let sandbox = sandbox().await;
    let script = "mkfifo go; { read line < go; echo late $line; } & echo started";
    let mut process = sandbox
        .spawn(Command::shell(script), Follow::default())
        .await
        .unwrap();
    let output = within("the call", process.output(CaptureLimit::default()))
        .await
        .unwrap();
    assert_eq!((code(&output), &*output.stdout_text()), (0, "started\n"));
    let go = sandbox.workspace.path().join("go");
    tokio::task::spawn_blocking(move || std::fs::write(go, "on\n"))
        .await
        .unwrap()
        .unwrap();
    let late: Vec<ProcessEvent> = within("the child", process.map(Result::unwrap).collect()).await;
    assert_eq!(
        late,
        [
            ProcessEvent::Stdout {
                at: 8,
                data: Bytes::from_static(b"late on\n")
            },
            ProcessEvent::Closed,
        ]
    );
}

#[tokio::test]
async fn a_background_child_on_a_terminal_does_not_hold_the_call_either() {
    let sandbox = sandbox().await;
    // Without this the hang-up at the end of the session leader would end it.
    let script = "trap '' HUP; sleep 600 & echo started";
    let command = Command::shell(script).pty(PtySize::default());
    let output = within("the call", sandbox.run(command)).await;
    assert_eq!((code(&output), &*output.stdout_text()), (0, "started\r\n"));
    sandbox.close().await.unwrap();
}

#[tokio::test]
async fn a_call_that_stops_waiting_leaves_the_process_alone() {
    let sandbox = sandbox().await;
    let script = "echo one; read line < go; echo two";
    crate::place::fifo(&sandbox, "go");
    let follow = Follow::default().quiet(Duration::from_millis(100));
    let first = sandbox
        .runtime
        .run(Command::shell(script), follow)
        .await
        .unwrap();
    assert!(
        matches!(
            first.outcome,
            Outcome::Running {
                why: Pause::Quiet,
                ..
            }
        ),
        "{first:?}"
    );
    assert_eq!(first.stdout_text(), "one\n");
    std::fs::write(sandbox.workspace.path().join("go"), "\n").unwrap();
    let follow = Follow::default().from(first.position);
    let mut again = sandbox.attach(&first.process, follow).await.unwrap();
    let rest = again.output(CaptureLimit::default()).await.unwrap();
    assert_eq!((code(&rest), &*rest.stdout_text()), (0, "two\n"));
}

#[tokio::test]
async fn a_program_that_cannot_start_is_reported_and_not_an_error() {
    let sandbox = sandbox().await;
    let output = sandbox.run(Command::new("no-such-program")).await;
    let Some(Exit::SpawnFailed(error)) = output.exit() else {
        panic!("{:?}", output.outcome);
    };
    assert_eq!(error.kind, SpawnErrorKind::NotFound);
    assert_eq!(error.program, "no-such-program");
    assert_eq!(output.exit().unwrap().shell_code(), Some(127));
    let script = sandbox.run(Command::shell("x".repeat(3 << 20))).await;
    let Some(Exit::SpawnFailed(error)) = script.exit() else {
        panic!("{:?}", script.outcome);
    };
    assert_eq!(error.kind, SpawnErrorKind::TooLarge);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_commands_beside_busy_loops_all_answer_right() {
    let sandbox = sandbox().await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut busy = Vec::new();
    for _ in 0..cores * 2 {
        let command = Command::shell("while :; do :; done");
        busy.push(sandbox.spawn(command, Follow::default()).await.unwrap());
    }
    let answers = futures::stream::iter(0..200)
        .map(|number| sandbox.run(Command::new("echo").arg(number.to_string())))
        .buffered(8)
        .map(|output| output.stdout_text().into_owned())
        .collect::<Vec<String>>()
        .await;
    let expected: Vec<String> = (0..200).map(|number| format!("{number}\n")).collect();
    assert_eq!(answers, expected);
    for process in busy {
        process.cancel().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_stops_reading_costs_no_memory_and_misses_nothing() {
    const TOTAL: u64 = 96 << 20;
    let sandbox = sandbox().await;
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = pages.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * 4096
    };
    let before = resident();
    let script = format!("head -c {TOTAL} /dev/zero");
    let mut stopped = sandbox
        .spawn(Command::shell(&script), Follow::default())
        .await
        .unwrap();
    let follow = Follow::default();
    let mut reader = sandbox.attach(stopped.id(), follow).await.unwrap();
    let read = reader.output(CaptureLimit::NONE).await.unwrap();
    assert_eq!(read.stdout.total_bytes, TOTAL);
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "memory grew by {grown} bytes");
    let caught_up = stopped.output(CaptureLimit::NONE).await.unwrap();
    assert_eq!(caught_up.stdout.total_bytes, TOTAL);
    assert!(caught_up.stdout.gaps.is_empty());
}

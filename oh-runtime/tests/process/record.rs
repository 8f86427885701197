//! What is kept of commands, and what is known of the runtime.

use futures::StreamExt;
use oh_runtime::{
    CaptureLimit, Command, ErrorKind, Exit, Follow, IdempotencyKey, LocalRuntime, OutputStream,
    Position, ProcessEvent, ProcessId, Runtime, RuntimeStatus, Stdin,
};

use crate::{code, sandbox, within};

#[tokio::test]
async fn one_can_attach_at_any_byte_while_it_runs_and_afterwards() {
    let sandbox = sandbox().await;
    let command = Command::shell("echo 0123456789; read x; echo abc").stdin(Stdin::Piped);
    let mut first = sandbox.spawn(command, Follow::default()).await.unwrap();
    while let Some(Ok(event)) = first.next().await {
        if matches!(event, ProcessEvent::Stdout { .. }) {
            break;
        }
    }
    let from = Follow::default().from(Position {
        stdout: 4,
        stderr: 0,
    });
    let mut running = sandbox.attach(first.id(), from).await.unwrap();
    first.write_stdin("\n").await.unwrap();
    let output = running.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.stdout_text(), "456789\nabc\n");
    let mut afterwards = sandbox.attach(first.id(), from).await.unwrap();
    let output = afterwards.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(
        (code(&output), &*output.stdout_text()),
        (0, "456789\nabc\n")
    );
    assert_eq!(
        output.position,
        Position {
            stdout: 15,
            stderr: 0
        }
    );
    let past = Follow::default().from(Position {
        stdout: 16,
        stderr: 0,
    });
    let error = sandbox.attach(first.id(), past).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_first_event_is_the_start_and_the_last_one_the_close() {
    let sandbox = sandbox().await;
    let process = sandbox
        .spawn(Command::new("true"), Follow::default())
        .await
        .unwrap();
    let id = process.id().clone();
    let events: Vec<ProcessEvent> = process.map(Result::unwrap).collect().await;
    assert!(
        matches!(events[0], ProcessEvent::Started { pid: Some(_) }),
        "{events:?}"
    );
    assert!(matches!(events[1], ProcessEvent::Exited(_)), "{events:?}");
    assert_eq!(events[2..], [ProcessEvent::Closed]);
    let info = sandbox.processes().await.unwrap().remove(0);
    assert_eq!(
        (info.id, info.exit, info.command.as_str()),
        (id, Some(Exit::Code(0)), "true")
    );
}

#[tokio::test]
async fn an_unknown_process_is_an_error_that_names_it() {
    let sandbox = sandbox().await;
    for id in ["p99", "", "../p1", "P1"] {
        let id = ProcessId::new(id);
        let attach = sandbox.attach(&id, Follow::default()).await.unwrap_err();
        let read = sandbox
            .read_output(&id, OutputStream::Stdout, (0..1).into())
            .await
            .unwrap_err();
        for error in [attach, read] {
            assert_eq!(
                (error.kind(), error.object()),
                (ErrorKind::NotFound, Some(id.as_str()))
            );
        }
    }
}

#[tokio::test]
async fn output_beyond_what_is_retained_is_forgotten_oldest_first() {
    let workspace = tempfile::tempdir().unwrap();
    let runtime = LocalRuntime::builder(workspace.path())
        .output_retention(3, 1 << 20)
        .start()
        .await
        .unwrap();
    let mut ids = Vec::new();
    for number in 0..8 {
        let command = Command::new("echo").arg(number.to_string());
        let mut process = runtime.spawn(command, Follow::default()).await.unwrap();
        ids.push(process.id().clone());
        while process.next().await.is_some() {}
    }
    let kept: Vec<ProcessId> = runtime
        .processes()
        .await
        .unwrap()
        .into_iter()
        .map(|info| info.id)
        .collect();
    assert_eq!(kept, ids[4..], "three finished ones and the last");
    let error = runtime
        .attach(&ids[0], Follow::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no longer kept"), "{error}");
}

#[tokio::test]
async fn the_same_key_with_the_same_command_is_the_same_process() {
    let sandbox = sandbox().await;
    let keyed = |script: &str| Command::shell(script).key(IdempotencyKey::new("once"));
    let first = sandbox.run(keyed("echo x >> ran; wc -l < ran")).await;
    let second = sandbox.run(keyed("echo x >> ran; wc -l < ran")).await;
    assert_eq!(first.process, second.process);
    assert_eq!(second.stdout_text().trim(), "1");
    let other = sandbox
        .spawn(keyed("echo y"), Follow::default())
        .await
        .unwrap_err();
    assert_eq!(
        (other.kind(), other.running()),
        (ErrorKind::Conflict, Some(&first.process))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_twice_at_once_runs_once() {
    let sandbox = sandbox().await;
    let all = futures::future::join_all(
        (0..20).map(|_| sandbox.run(Command::shell("echo x >> ran").key(IdempotencyKey::new("k")))),
    );
    let ids: std::collections::BTreeSet<_> =
        all.await.into_iter().map(|output| output.process).collect();
    assert_eq!(ids.len(), 1);
    let ran = std::fs::read_to_string(sandbox.workspace.path().join("ran")).unwrap();
    assert_eq!(ran, "x\n");
}

#[tokio::test]
async fn figures_of_the_runtime_add_up() {
    let sandbox = sandbox().await;
    sandbox.sh("echo 12345").await;
    let running = Command::new("sleep").arg("600");
    let _running = sandbox.spawn(running, Follow::default()).await.unwrap();
    let stats = sandbox.stats().await.unwrap();
    assert_eq!((stats.commands_started, stats.processes_running), (2, 1));
    assert_eq!(stats.kept_output_bytes, 6);
}

#[tokio::test]
async fn the_status_is_ready_until_the_runtime_is_closed() {
    let sandbox = sandbox().await;
    assert_eq!(sandbox.status(), RuntimeStatus::Ready);
    let mut changes = sandbox.status_changes();
    assert_eq!(changes.next().await, Some(RuntimeStatus::Ready));
    sandbox.close().await.unwrap();
    assert_eq!(changes.next().await, Some(RuntimeStatus::Stopped));
    assert_eq!(within("the end of changes", changes.next()).await, None);
    assert_eq!(sandbox.status(), RuntimeStatus::Stopped);
}

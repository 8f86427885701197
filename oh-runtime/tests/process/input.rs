//! What goes into a command, and whether it waits for it.

use std::time::Duration;

use futures::StreamExt;
use oh_runtime::{
    CaptureLimit, Command, ErrorKind, Exit, Follow, InputEvidence, Outcome, OutputMode,
    ProcessEvent, PtySize, Runtime, Signal, Stdin, WaitsForInput,
};

use crate::{code, sandbox, within};

#[tokio::test]
async fn nothing_to_read_is_the_end_at_once() {
    let sandbox = sandbox().await;
    let output = within("cat", sandbox.run(Command::new("cat"))).await;
    assert_eq!((code(&output), &*output.stdout_text()), (0, ""));
}

#[tokio::test]
async fn given_bytes_are_read_to_their_end() {
    let sandbox = sandbox().await;
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(3_000_000).collect();
    let command = Command::shell("cat; echo done").stdin(Stdin::Bytes(bytes.into()));
    let output = sandbox.run(command).await;
    assert_eq!(output.stdout.total_bytes, 3_000_005);
    let ignored = Command::new("true").stdin(Stdin::Bytes(vec![0; 1 << 20].into()));
    assert_eq!(code(&sandbox.run(ignored).await), 0);
}

#[tokio::test]
async fn ten_megabytes_pass_through_a_slow_reader() {
    let sandbox = sandbox().await;
    let slow = "for i in 1 2 3 4 5; do sleep 0.02; dd bs=100k count=1 iflag=fullblock; done";
    let script = format!("{{ {slow}; cat; }} 2>/dev/null | wc -c");
    let command = Command::shell(script).stdin(Stdin::Piped);
    let mut process = sandbox.spawn(command, Follow::default()).await.unwrap();
    let control = process.control();
    let writer = tokio::spawn(async move {
        control.write_stdin(vec![b'x'; 10_000_000]).await.unwrap();
        control.close_stdin().await.unwrap();
    });
    let output = within("the pipeline", process.output(CaptureLimit::default()))
        .await
        .unwrap();
    writer.await.unwrap();
    assert_eq!(output.stdout_text().trim(), "10000000");
}

#[tokio::test]
async fn writing_waits_for_the_reader_and_goes_on_when_it_reads() {
    let sandbox = sandbox().await;
    crate::place::fifo(&sandbox, "go");
    let script = "read line < go; wc -c";
    let command = Command::shell(script).stdin(Stdin::Piped);
    let mut process = sandbox.spawn(command, Follow::default()).await.unwrap();
    let control = process.control();
    let mut write = Box::pin(control.write_stdin(vec![b'x'; 10_000_000]));
    let early = tokio::time::timeout(Duration::from_millis(200), &mut write).await;
    assert!(
        early.is_err(),
        "10 MB cannot fit into a pipe that nobody reads"
    );
    std::fs::write(sandbox.workspace.path().join("go"), "\n").unwrap();
    write.await.unwrap();
    control.close_stdin().await.unwrap();
    control.close_stdin().await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.stdout_text().trim(), "10000000");
}

#[tokio::test]
async fn a_write_that_cannot_arrive_is_an_error_and_does_not_hang() {
    let sandbox = sandbox().await;
    let null = sandbox
        .spawn(Command::new("sleep").arg("600"), Follow::default())
        .await
        .unwrap();
    let error = null.write_stdin("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let deaf = Command::new("sleep").arg("600").stdin(Stdin::Piped);
    let deaf = sandbox.spawn(deaf, Follow::default()).await.unwrap();
    let control = deaf.control();
    let writer = tokio::spawn(async move { control.write_stdin(vec![0; 1 << 20]).await });
    deaf.cancel().await.unwrap();
    let error = within("the write", writer).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert_eq!(
        deaf.signal(Signal::Interrupt).await.unwrap_err().kind(),
        ErrorKind::Gone
    );
}

#[tokio::test]
async fn a_conversation_on_a_terminal_works() {
    let sandbox = sandbox().await;
    let script = "stty -echo; read -p 'name? ' name; echo \"hi $name\"; cat; echo end";
    let command = Command::shell(script).pty(PtySize::default());
    let quiet = Follow::default().quiet(Duration::from_millis(100));
    let mut process = sandbox.spawn(command, quiet).await.unwrap();
    let asked = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(asked.stdout_text(), "name? ");
    assert!(
        matches!(
            asked.outcome,
            Outcome::Running {
                input: WaitsForInput::Yes(InputEvidence::TerminalRead),
                ..
            }
        ),
        "{:?}",
        asked.outcome
    );
    process.write_stdin("Ada\n").await.unwrap();
    process.write_stdin("half a line").await.unwrap();
    process.close_stdin().await.unwrap();
    let rest = within("the end of input", process.output(CaptureLimit::default()))
        .await
        .unwrap();
    let rest = match rest.outcome {
        Outcome::Exited(_) => rest,
        _ => panic!("{rest:?}"),
    };
    assert_eq!(rest.stdout_text(), "hi Ada\r\nhalf a lineend\r\n");
}

#[tokio::test]
async fn a_command_can_show_a_terminal_and_read_something_else() {
    let sandbox = sandbox().await;
    let script = "test -t 1 && test -t 2 && ! test -t 0 && cat && echo tty > /dev/tty";
    let on_terminal = Command::shell(script).output(OutputMode::Pty(PtySize::default()));
    let output = within("cat", sandbox.run(on_terminal.clone())).await;
    assert_eq!((code(&output), &*output.stdout_text()), (0, "tty\r\n"));
    let given = on_terminal.stdin(Stdin::Bytes("given ".into()));
    let output = within("cat", sandbox.run(given)).await;
    assert_eq!(
        (code(&output), &*output.stdout_text()),
        (0, "given tty\r\n")
    );
}

#[tokio::test]
async fn a_terminal_can_be_resized_and_other_commands_have_none() {
    let sandbox = sandbox().await;
    let size = |rows, columns| PtySize { rows, columns };
    let command = Command::shell("stty size; read x; stty size").pty(size(10, 20));
    let mut process = sandbox.spawn(command, Follow::default()).await.unwrap();
    while let Some(Ok(event)) = process.next().await {
        if matches!(event, ProcessEvent::Stdout { .. }) {
            break;
        }
    }
    process.control().resize(size(33, 44)).await.unwrap();
    process.write_stdin("\n").await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert!(
        output.stdout_text().ends_with("33 44\r\n"),
        "{}",
        output.stdout_text()
    );
    let piped = sandbox
        .spawn(Command::new("sleep").arg("600"), Follow::default())
        .await
        .unwrap();
    let error = piped.resize(size(1, 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn an_interrupt_reaches_the_program_in_the_foreground() {
    let sandbox = sandbox().await;
    let inner = "trap 'echo got it; exit 3' INT; echo go; while :; do sleep 0.02; done";
    let script = format!(
        "set -m; sh -c {}; echo after $?",
        oh_runtime::runtime::quote(inner)
    );
    let command = Command::shell(script).pty(PtySize::default());
    let mut process = sandbox
        .spawn(command, Follow::default().quiet(Duration::from_millis(200)))
        .await
        .unwrap();
    let started = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(started.stdout_text(), "go\r\n");
    process.signal(Signal::Interrupt).await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert!(
        output.stdout_text().ends_with("got it\r\nafter 3\r\n"),
        "{}",
        output.stdout_text()
    );
}

#[tokio::test]
async fn waiting_for_input_is_told_from_sleeping_and_from_work() {
    let sandbox = sandbox().await;
    let piped = |script: &str| Command::shell(script).stdin(Stdin::Piped);
    let pty = |script: &str| Command::shell(script).pty(PtySize::default());
    let yes = |evidence| WaitsForInput::Yes(evidence);
    let mut cases = vec![
        (pty("read x"), yes(InputEvidence::TerminalRead)),
        (pty("cat | cat"), yes(InputEvidence::TerminalRead)),
        (piped("cat"), yes(InputEvidence::PipeRead)),
        (
            piped("sh -c 'read x; true'; true"),
            yes(InputEvidence::PipeRead),
        ),
        (pty("sleep 600"), WaitsForInput::No),
        (piped("sleep 600"), WaitsForInput::No),
        (pty("while :; do :; done"), WaitsForInput::No),
        (Command::shell("sleep 600 | cat"), WaitsForInput::No),
        (pty("sleep 600 | cat"), WaitsForInput::No),
    ];
    let python = sandbox.sh("python3 -c 'print(1)'").await;
    if python.is_success() {
        let poll = "import select,sys; select.select([sys.stdin],[],[])";
        cases.push((
            pty("exec python3 -c 'input()'"),
            yes(InputEvidence::TerminalRead),
        ));
        cases.push((
            piped(&format!("exec python3 -c '{poll}'")),
            yes(InputEvidence::Poll),
        ));
        let poll = "import select; p=select.poll(); p.register(0,1); p.poll()";
        cases.push((
            piped(&format!("exec python3 -c '{poll}'")),
            yes(InputEvidence::Poll),
        ));
        let poll = "import select; p=select.epoll(); p.register(0,1); p.poll()";
        cases.push((
            pty(&format!("exec python3 -c '{poll}'")),
            yes(InputEvidence::Poll),
        ));
    }
    for (command, expected) in cases {
        // A program takes a while until it is where it waits: asked again until it is.
        let mut process = sandbox
            .spawn(command.clone(), Follow::default())
            .await
            .unwrap();
        let answer = within(&command.target.to_string(), async {
            loop {
                let follow = Follow::default().quiet(Duration::from_millis(250));
                let mut look = sandbox.attach(process.id(), follow).await.unwrap();
                let output = look.output(CaptureLimit::NONE).await.unwrap();
                let Outcome::Running { input, .. } = output.outcome else {
                    panic!("{:?} ended: {output:?}", command.target);
                };
                if input == expected {
                    return input;
                }
            }
        })
        .await;
        assert_eq!(answer, expected);
        process.cancel().await.unwrap();
        let end = process.output(CaptureLimit::NONE).await.unwrap();
        assert_eq!(end.exit(), Some(&Exit::Cancelled));
        let _: Vec<_> = process.collect().await;
    }
}

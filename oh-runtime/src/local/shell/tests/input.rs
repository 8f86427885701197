//! Answering what runs in a shell.

use oh_core::{ErrorKind, InputEvidence, Outcome, Pause, Stdin, WaitsForInput};

use super::*;

fn piped(text: &str) -> Command {
    Command::shell(text).stdin(Stdin::Piped)
}

fn quiet() -> Follow {
    Follow::default().quiet(Duration::from_millis(150))
}

const WAITS: Outcome = Outcome::Running {
    why: Pause::Quiet,
    input: WaitsForInput::Yes(InputEvidence::TerminalRead),
};

#[tokio::test]
async fn without_a_pipe_there_is_nothing_to_read() {
    let lab = Lab::new();
    assert!(lab.run("read x; echo \"$? [$x]\"").await.gave(0, "1 []\n"));
    assert!(lab.run("cat; echo end").await.gave(0, "end\n"));
    let mut process = lab.spawn("main", &Command::shell("sleep 0.1")).unwrap();
    let error = process.write_stdin("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    process.output(CaptureLimit::default()).await.unwrap();
}

#[tokio::test]
async fn a_question_is_noticed_and_can_be_answered() {
    let lab = Lab::new();
    let mut process = lab
        .follow(
            "main",
            &piped("read -p 'name? ' x; echo \"hi $x\""),
            quiet(),
        )
        .unwrap();
    let asked = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!((&asked.outcome, &*asked.stdout_text()), (&WAITS, "name? "));
    process.write_stdin("Ada\n").await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(
        (output.exit(), &*output.stdout_text()),
        (Some(&Exit::Code(0)), "hi Ada\n")
    );
    assert!(lab.run("echo $x").await.gave(0, "Ada\n"));
}

#[tokio::test]
async fn a_program_that_reads_its_terminal_is_told_from_one_that_sleeps() {
    let lab = Lab::new();
    let mut sleeper = lab.follow("main", &piped("sleep 600"), quiet()).unwrap();
    let output = sleeper.output(CaptureLimit::default()).await.unwrap();
    let sleeps = Outcome::Running {
        why: Pause::Quiet,
        input: WaitsForInput::No,
    };
    assert_eq!(output.outcome, sleeps);
    sleeper.cancel().await.unwrap();
    let mut reader = lab.follow("main", &piped("cat"), quiet()).unwrap();
    assert_eq!(
        reader
            .output(CaptureLimit::default())
            .await
            .unwrap()
            .outcome,
        WAITS
    );
    reader.write_stdin("line\n").await.unwrap();
    let output = reader.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.stdout_text(), "line\n");
    reader.close_stdin().await.unwrap();
    let output = reader.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Code(0)));
}

#[tokio::test]
async fn a_shell_that_waits_for_an_answer_is_not_taken_for_one_that_is_done() {
    let lab = Lab::new();
    // The second reads what the shell itself reads its lines from.
    for text in ["read x; echo \"[$x]\"", "read x <&2; echo \"[$x]\""] {
        // Long enough for every look at the prompt.
        let patient = Follow::default().quiet(Duration::from_millis(700));
        let mut process = lab.follow("main", &piped(text), patient).unwrap();
        let asked = process.output(CaptureLimit::default()).await.unwrap();
        assert_eq!(asked.outcome, WAITS, "{text}");
        process.write_stdin("answer\n").await.unwrap();
        let output = process.output(CaptureLimit::default()).await.unwrap();
        assert_eq!(
            (output.exit(), &*output.stdout_text()),
            (Some(&Exit::Code(0)), "[answer]\n"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_interpreter_can_be_talked_to_and_left() {
    let lab = Lab::new();
    let command = piped("bash --norc --noprofile --noediting -i 2>/dev/null");
    let mut process = lab.follow("main", &command, quiet()).unwrap();
    assert_eq!(
        process
            .output(CaptureLimit::default())
            .await
            .unwrap()
            .outcome,
        WAITS
    );
    process.write_stdin("echo $((6 * 7))\n").await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!((&output.outcome, &*output.stdout_text()), (&WAITS, "42\n"));
    process.close_stdin().await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Code(0)));
}

#[tokio::test]
async fn control_characters_do_what_they_do_on_a_keyboard() {
    let lab = Lab::new();
    let mut process = lab.follow("main", &piped("cat; echo $?"), quiet()).unwrap();
    assert_eq!(
        process
            .output(CaptureLimit::default())
            .await
            .unwrap()
            .outcome,
        WAITS
    );
    process.write_stdin("\x03").await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(
        (output.exit(), &*output.stdout_text()),
        (Some(&Exit::Code(130)), "\n")
    );
    let mut process = lab.follow("main", &piped("cat"), quiet()).unwrap();
    assert_eq!(
        process
            .output(CaptureLimit::default())
            .await
            .unwrap()
            .outcome,
        WAITS
    );
    process.write_stdin("\x1a").await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Code(148)));
    let ran = lab.run("jobs; kill %1").await;
    assert!(ran.text.contains("Stopped"), "{ran:?}");
}

#[tokio::test]
async fn answers_that_nobody_read_are_not_run_as_commands() {
    let lab = Lab::new();
    let mut process = lab
        .follow("main", &piped("read x; echo \"[$x]\""), quiet())
        .unwrap();
    assert_eq!(
        process
            .output(CaptureLimit::default())
            .await
            .unwrap()
            .outcome,
        WAITS
    );
    process
        .write_stdin("one\necho forged >forged\ntouch forged; half a li")
        .await
        .unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(
        (output.exit(), &*output.stdout_text()),
        (Some(&Exit::Code(0)), "[one]\n")
    );
    assert!(lab.run("ls").await.gave(0, ""));
}

#[tokio::test]
async fn a_terminal_has_the_size_that_was_asked_for() {
    let lab = Lab::new();
    let mut process = lab
        .follow("main", &piped("read; stty size"), quiet())
        .unwrap();
    assert_eq!(
        process
            .output(CaptureLimit::default())
            .await
            .unwrap()
            .outcome,
        WAITS
    );
    process
        .control()
        .resize(oh_core::PtySize {
            rows: 7,
            columns: 90,
        })
        .await
        .unwrap();
    process.write_stdin("\n").await.unwrap();
    let output = process.output(CaptureLimit::default()).await.unwrap();
    assert_eq!(output.stdout_text(), "7 90\n");
}

#[tokio::test]
async fn a_writer_is_let_go_when_its_shell_ends() {
    let lab = Lab::new();
    let process = lab.spawn("main", &piped("sleep 600")).unwrap();
    let lines = "line\n".repeat(100_000);
    let mut writing = Box::pin(process.write_stdin(lines));
    // Until nobody takes any more of it.
    let stuck = tokio::time::timeout(Duration::from_millis(300), &mut writing).await;
    assert!(stuck.is_err());
    let name = SessionName::new("main").unwrap();
    lab.shells.close_session(&name).await;
    let outcome = tokio::time::timeout(PATIENCE / 4, writing).await;
    assert_eq!(outcome.unwrap().unwrap_err().kind(), ErrorKind::Gone);
}

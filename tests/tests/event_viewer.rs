//! The example `event_viewer`, run as the README says.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use oh_core::action::{MessageAction, RunAction};
use oh_core::observation::RunObservation;
use oh_core::secret::{Masker, Secret};
use oh_core::{Draft, Exit, SessionId, Source};
use oh_events::{EventStream, SegmentStore};

fn example(arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(["run", "--quiet", "--example", "event_viewer", "--"])
        .args(arguments);
    command
}

fn run(arguments: &[&str]) -> (String, String, Option<i32>) {
    let Output {
        stdout,
        stderr,
        status,
    } = example(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code())
}

async fn open(folder: &Path, session: &str) -> EventStream {
    let masker = Masker::new([("token", Secret::new("hunter22"))]).unwrap();
    EventStream::builder(SegmentStore::new(folder), SessionId::new(session).unwrap())
        .masker(masker)
        .open()
        .await
        .unwrap()
}

async fn say(stream: &EventStream, text: &str) {
    stream
        .append(Source::User, MessageAction::new(text))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stored_session_is_shown_as_a_timeline_by_any_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let stream = open(folder.path(), "one").await;
    say(&stream, "the token is hunter22, \u{1b}[31mred").await;
    let action = RunAction::new("make");
    let action = stream.append(Source::Agent, action).await.unwrap();
    let output: Vec<String> = (0..20).map(|line| format!("line {line}")).collect();
    let failed = RunObservation::ended(output.join("\n"), "make", Exit::Code(2));
    stream.reply(action, failed).await.unwrap();
    let hidden = Draft::new(Source::Agent, RunAction::new("pwd")).hidden();
    stream.append_draft(hidden).await.unwrap();
    stream.close().await.unwrap();

    let store = folder.path().to_str().unwrap();
    let own = folder.path().join("one");
    let (shown, errors, code) = run(&[store]);
    assert_eq!(code, Some(0), "{errors}");
    let lines: Vec<&str> = shown.lines().collect();
    let wanted = r"#0 user message: the token is <secret_hidden>, \x1b[31mred";
    assert!(lines[0].contains(wanted), "{shown}");
    assert!(lines[1].contains("#1 agent run: $ make"), "{shown}");
    assert!(
        lines[2].contains("#2 ✗ environment run (answers #1 in "),
        "{shown}"
    );
    assert!(lines[2].ends_with("): exit code 2"), "{shown}");
    assert_eq!((lines[3].trim(), lines[10].trim()), ("line 0", "line 7"));
    assert_eq!(lines[11].trim(), "… 12 more lines");
    assert_eq!(lines.len(), 12, "{shown}");
    assert_eq!(run(&[store, "one"]).0, shown);
    assert_eq!(run(&[own.to_str().unwrap()]).0, shown);
    let with_hidden = run(&["--hidden", store]).0;
    assert!(
        with_hidden.ends_with("#3 agent run: $ pwd\n"),
        "{with_hidden}"
    );
}

#[tokio::test]
async fn who_asks_for_what_is_not_there_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    let empty = run(&[store]);
    assert!(empty.1.contains("there is no session in"), "{empty:?}");
    for session in ["b", "a"] {
        open(folder.path(), session).await.close().await.unwrap();
    }
    let several = run(&[store]);
    assert!(several.1.contains("name one of a, b"), "{several:?}");
    let missing = run(&[store, "c"]);
    assert!(missing.1.contains("no session c in"), "{missing:?}");
    let help = run(&["--help"]);
    assert!(
        help.0.starts_with("usage: event_viewer") && help.2 == Some(0),
        "{help:?}"
    );
    let option = run(&["--folow", store]);
    assert!(option.1.contains("no such option"), "{option:?}");
    for answer in [
        empty,
        several,
        missing,
        option,
        run(&["--follow"]),
        run(&["a", "b", "c"]),
    ] {
        let usage = "usage: event_viewer [--follow] [--hidden] [DIR [SESSION]]";
        assert!(answer.1.contains(usage), "{answer:?}");
        assert_eq!((answer.0.as_str(), answer.2), ("", Some(2)), "{answer:?}");
    }
}

/// Ends the program with the test. `cargo run` becomes the program that it runs.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_live_session_is_followed_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let stream = open(folder.path(), "live").await;
    say(&stream, "before").await;
    let store = folder.path().to_str().unwrap();
    let child = example(&["--follow", store]).stdout(Stdio::piped()).spawn();
    let mut follower = Follower(child.unwrap());
    let mut lines = BufReader::new(follower.0.stdout.take().unwrap()).lines();
    for text in ["before", "now", "and now"] {
        if text != "before" {
            say(&stream, text).await;
        }
        let line = lines.next().unwrap().unwrap();
        assert!(line.ends_with(&format!("user message: {text}")), "{line}");
    }
}

#[test]
fn without_arguments_it_writes_a_log_of_its_own_and_follows_it() {
    let (shown, errors, code) = run(&[]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        shown.contains("#2 environment run (answers #1 in "),
        "{shown}"
    );
    let (_, log) = shown.trim().rsplit_once("the log: ").unwrap();
    std::fs::remove_dir_all(log).unwrap();
}

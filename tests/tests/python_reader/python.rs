//! The Python side: `tests/python/read_v0.py`.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

/// What Python made of an event.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It read it.
    Read {
        /// Name of the class.
        class: String,
        /// The computed text.
        message: Value,
        /// The event written back.
        event: Value,
    },
    /// It did not.
    Refused(String),
}

impl Answer {
    fn parse(line: &str) -> Self {
        let mut answer: Value = serde_json::from_str(line).unwrap();
        match answer["error"].as_str() {
            Some(error) => Self::Refused(error.to_owned()),
            None => Self::Read {
                class: answer["class"].as_str().unwrap().to_owned(),
                message: answer["message"].take(),
                event: answer["event"].take(),
            },
        }
    }
}

fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("OH_OPENHANDS_V0") {
        return folder.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(
        || Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    cache.join("oh-ci/openhands-v0")
}

/// Has Python read lines of JSON. `None`, with a word about it, if the package is not installed.
pub(crate) fn read(lines: &[String]) -> Option<Vec<Answer>> {
    let answers = ask("read_v0.py", lines)?;
    Some(answers.lines().map(Answer::parse).collect())
}

/// Has a script answer lines. `None`, with a word about it, if the package is not installed.
pub(crate) fn ask(script: &str, lines: &[String]) -> Option<String> {
    run(script, &[], &(lines.join("\n") + "\n"))
}

/// Runs a script of `tests/python`; `None`, with a word about it, if the package is not installed.
pub(crate) fn run(script: &str, arguments: &[&str], input: &str) -> Option<String> {
    let folder = folder();
    if !folder.join("complete").exists() {
        let missing = "openhands-ai 0.62.0 is not installed; run `bash tests/python/install`";
        let is_ci = env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "{missing}");
        println!("skipped, because {missing}");
        return None;
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut python = Command::new(folder.join("bin/python"))
        .arg(scripts.join(script))
        .args(arguments)
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    assert!(output.status.success(), "{}", output.status);
    written.unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

//! Runs a few commands in a local runtime: one-shots, a deadline, a persistent shell, a file.
//!
//! `cargo run --example run_command`
#![allow(clippy::print_stdout)]

use std::time::Duration;

use oh_runtime::{Command, Follow, LocalRuntime, Runtime, RuntimeExt, SessionName};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = tempfile::tempdir()?;
    let runtime = LocalRuntime::builder(workspace.path()).start().await?;

    // A program with arguments: no shell looks at them.
    let output = runtime.run(
        Command::new("echo").arg("$HOME is not expanded"),
        Follow::default(),
    );
    print!("{}", output.await?.stdout_text());

    // A shell text. A command that fails is a result, not an error.
    let output = runtime.shell("ls /nowhere").await?;
    println!(
        "{}: {}",
        output
            .outcome
            .exit()
            .map_or("runs".into(), ToString::to_string),
        output.stderr_text().trim_end()
    );

    // A deadline ends the whole tree and keeps what was printed.
    let slow = Command::shell("echo before; sleep 600").deadline(Duration::from_millis(100));
    let output = runtime.run(slow, Follow::default()).await?;
    println!(
        "{:?} after {:?}",
        output.stdout_text().trim_end(),
        output.outcome
    );

    // A persistent shell keeps directory, variables and functions.
    let shell = SessionName::new("main")?;
    for script in [
        "mkdir -p src && cd src && answer=42",
        "echo $answer in $PWD",
    ] {
        let output = runtime.run(
            Command::shell(script).session(shell.clone()),
            Follow::default(),
        );
        print!("{}", output.await?.stdout_text());
    }

    // Files go through the same runtime.
    runtime
        .write_text("notes.txt", "a file of the workspace\n")
        .await?;
    print!("{}", runtime.read_text("notes.txt").await?);

    runtime.close().await?;
    Ok(())
}

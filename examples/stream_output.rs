//! Shows output as it arrives, notices that a program waits for input, and answers its prompt.
//!
//! `cargo run --example stream_output`
#![allow(clippy::print_stdout)]

use std::io::Write;
use std::time::Duration;

use oh_runtime::{Command, Follow, LocalRuntime, ProcessEvent, PtySize, Runtime, WaitsForInput};

const SCRIPT: &str = r#"
for step in 1 2 3; do echo "step $step"; sleep 0.2; done
read -p "Go on? [y/n] " answer
echo "the answer was $answer"
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = tempfile::tempdir()?;
    let runtime = LocalRuntime::builder(workspace.path()).start().await?;

    let command = Command::shell(SCRIPT).pty(PtySize::default());
    let follow = Follow::default().quiet(Duration::from_millis(500));
    let mut process = runtime.spawn(command, follow).await?;

    while let Some(event) = process.next().await {
        match event? {
            ProcessEvent::Stdout { data, .. } => {
                // What a program prints is not trusted: a terminal must not act on it.
                print!("{}", oh_runtime::terminal::escape_for_terminal(&data));
                std::io::stdout().flush()?;
            }
            ProcessEvent::Quiet {
                input: WaitsForInput::Yes(evidence),
            } => {
                println!("\n[it waits for input ({evidence:?}), so we answer]");
                process.write_stdin("y\n").await?;
            }
            ProcessEvent::Quiet { input } => println!("[silent; waits for input: {input:?}]"),
            ProcessEvent::Exited(report) => {
                println!(
                    "[{}; {:?}]",
                    report.exit,
                    report.usage.map(|usage| usage.wall)
                );
            }
            _ => {}
        }
    }
    runtime.close().await?;
    Ok(())
}

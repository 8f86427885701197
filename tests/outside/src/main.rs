use oh_runtime::{Command, Follow, LocalRuntime, Runtime};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = LocalRuntime::builder(std::env::temp_dir()).start().await?;
    let output = runtime.run(Command::shell("echo $((6 * 7))"), Follow::default()).await?;
    println!("{} printed {:?}", output.outcome.exit().ok_or("still running")?, output.stdout_text());
    assert!(output.is_success() && output.stdout_text() == "42\n");
    runtime.close().await?;
    Ok(())
}

//! What commands leave in the program that runs them. In a binary of its own, since it looks at the
//! whole program.

// What clippy allows in test functions is needed in what they share, too.
#![allow(clippy::unwrap_used)]

use std::fs;

use futures::StreamExt;
use oh_runtime::{Command, Follow, LocalRuntime, PtySize, Runtime, RuntimeExt};

/// Children of this test process that nobody has waited for.
fn zombies() -> Vec<String> {
    let me = std::process::id().to_string();
    let lines = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let line = fs::read_to_string(entry.path().join("stat")).ok()?;
            let rest: Vec<String> = line
                .rsplit_once(')')?
                .1
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            (rest.first()? == "Z" && rest.get(1)? == &me).then_some(line)
        });
    lines.collect()
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
async fn two_hundred_commands_leave_neither_zombies_nor_descriptors() {
    let workspace = tempfile::tempdir().unwrap();
    let builder = LocalRuntime::builder(workspace.path());
    let sandbox = builder.start().await.unwrap();
    sandbox.shell("echo warm").await.unwrap();
    let before = open_descriptors();
    for _ in 0..100 {
        let plain = Command::new("true");
        sandbox.run(plain, Follow::default()).await.unwrap();
        let terminal = Command::new("true").pty(PtySize::default());
        sandbox.run(terminal, Follow::default()).await.unwrap();
    }
    let last = sandbox
        .spawn(Command::new("true"), Follow::default())
        .await
        .unwrap();
    // The end of the last one is the end of its descriptors.
    let _: Vec<_> = last.collect().await;
    // One that runs and one that a finished command left behind.
    let running = Command::new("sleep").arg("600");
    let running = sandbox.spawn(running, Follow::default()).await.unwrap();
    let behind = "setsid sleep 600 >/dev/null 2>&1 &";
    sandbox.shell(behind).await.unwrap();
    sandbox.close().await.unwrap();
    drop(running);
    assert!(
        open_descriptors() <= before,
        "{} after {before}",
        open_descriptors()
    );
    assert_eq!(zombies(), Vec::<String>::new());
}

//! The task of one shell process: reads what it writes, keeps its timers, sees its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::session::{Collected, Next, Session};
use super::sweep::{Scope, sweep};
use super::terminal::Shell;

/// How long the end of the terminal may take to show after the end of the shell.
const LAST_OUTPUT: Duration = Duration::from_millis(100);

/// Drives a shell until it ended or was given up, and takes its exit status.
pub(super) async fn drive(session: Arc<Session>, shell: Arc<Shell>) {
    let mut buffer = Vec::new();
    follow(&session, &shell, &mut buffer).await;
    let _ = shell.leader.signal_group(Signal::KILL);
    let fate = shell.leader.wait().await;
    collect_last(&session, &shell, &mut buffer).await;
    // What a command that is being ended left behind goes before its end is told.
    if let Some(scope) = session.left_behind(&shell) {
        run_sweep(scope).await;
    }
    session.ended(&shell, fate.exit);
    session.left();
}

/// Returns when the shell has ended, or is to be ended.
async fn follow(session: &Session, shell: &Arc<Shell>, buffer: &mut Vec<u8>) {
    loop {
        let news = session.wake.notified();
        let until = match session.step(shell) {
            Next::Leave => return,
            Next::Sweep(scope) => {
                run_sweep(scope).await;
                continue;
            }
            Next::Wait(until) => until,
        };
        // Nobody waits for the report pipe: a report is followed by its mark in the terminal, and one
        // whose mark is lost is found at the next look after a silence.
        tokio::select! {
            biased;
            _ = shell.terminal.channel().readable() => {}
            _ = shell.leader.wait() => return,
            () = news => {}
            () = sleep_until(until) => {}
        }
        while session.collect(shell, buffer) == Collected::Some {
            // Followers and other shells get a turn.
            tokio::task::yield_now().await;
        }
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// The kernel hands the last bytes over before it shows the end of the terminal.
async fn collect_last(session: &Session, shell: &Arc<Shell>, buffer: &mut Vec<u8>) {
    let until = Instant::now() + LAST_OUTPUT;
    loop {
        match session.collect(shell, buffer) {
            Collected::Some => tokio::task::yield_now().await,
            Collected::End => return,
            Collected::All => {
                let more = shell.terminal.channel().readable();
                if tokio::time::timeout_at(until.into(), more).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn run_sweep(scope: Scope) {
    // It fails only when the host shuts its runtime down.
    let _ = tokio::task::spawn_blocking(move || sweep(&scope)).await;
}

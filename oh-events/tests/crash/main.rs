//! A process that dies at any moment of writing loses nothing that it was told is written.
//!
//! `OH_EVENTS_KILLS` says how many processes are killed, `OH_EVENTS_SEED` repeats the choices of
//! a former run. What a process had reached when it died is up to the system all the same.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod child;
mod plan;
mod session;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use oh_core::ErrorKind;
use oh_events::Holder;

use child::Child;
use plan::{Chance, Plan};
use session::{Seen, Session};

/// Kills without `OH_EVENTS_KILLS`.
const KILLS: usize = 200;

/// Kills of one log before the next is begun.
const KILLS_OF_A_LOG: u64 = 12;

/// Not a test of its own: the process that is killed.
#[test]
fn child_writes_until_it_is_killed() {
    if let Some(plan) = Plan::of_this_process() {
        child::write_until_killed(&plan);
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number")),
    )
}

fn kills() -> usize {
    number("OH_EVENTS_KILLS").map_or(KILLS, |kills| kills as usize)
}

fn seed() -> u64 {
    let seed = number("OH_EVENTS_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        since.as_nanos() as u64
    });
    println!("OH_EVENTS_SEED={seed}");
    seed
}

#[test]
fn a_writer_killed_at_any_moment_leaves_a_dense_log_with_every_acknowledged_event() {
    let (kills, seed) = (kills(), seed());
    let left = AtomicUsize::new(kills);
    let workers = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers as u64)
            .map(|worker| {
                let left = &left;
                scope.spawn(move || kill_writers(&mut Chance::new(seed, worker), left))
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    let seen = seen.iter().fold(Seen::default(), Seen::and);
    println!("{seen:?}");
    assert_eq!(seen.kills, kills);
    assert!(seen.acknowledged > 0 && seen.opened > 0);
}

/// Kills one writer after the other while there are kills left.
fn kill_writers(chance: &mut Chance, left: &AtomicUsize) -> Seen {
    let mut seen = Seen::default();
    'logs: loop {
        let mut session = Session::new(chance);
        for _ in 0..KILLS_OF_A_LOG {
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
            if taken.is_err() {
                session.check(&mut seen);
                break 'logs;
            }
            session.kill_one_writer(chance);
            seen.kills += 1;
            // Else the next writer opens what this one left.
            if chance.one_in(2) {
                session.check(&mut seen);
            }
        }
        session.check(&mut seen);
    }
    seen
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_log_until_that_one_is_killed() {
    let mut chance = Chance::new(0, 0);
    let session = Session::new(&mut chance);
    let mut child = Child::start(&session.plan(&mut chance));
    child.acknowledged(1);
    let error = session.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(Holder::of(&error).unwrap().pid, child.id());
    child.kill();
    session.open().await.unwrap();
}

//! Runs the checks.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Instant;

use super::check::Check;
use super::checks::checks;
use super::expect::{Checked, End};
use super::harness::StoreHarness;
use super::options::Options;
use super::report::{CheckReport, Report, Verdict};
use super::trial::Trial;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs the suite on storages of the harness, one for each check and round.
///
/// Needs a tokio runtime with its timer. Panics of the store under test are failures of the check
/// in which they happen.
///
/// # Cancel safety
/// Dropping the future leaves behind what the running checks had made.
pub async fn run(harness: &dyn StoreHarness, options: &Options) -> Report {
    let begun = Instant::now();
    let suite = Suite {
        harness,
        options,
        checks: checks().filter(|check| options.selects(check)).collect(),
        next: AtomicUsize::new(0),
    };
    let lanes = (0..options.parallel.max(1))
        .map(|_| Box::pin(suite.lane()) as Boxed<'_, _>)
        .collect();
    let mut done: Vec<_> = join_all(lanes).await.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    Report {
        checks: done.into_iter().map(|(_, report)| report).collect(),
        elapsed: begun.elapsed(),
    }
}

struct Suite<'a> {
    harness: &'a dyn StoreHarness,
    options: &'a Options,
    checks: Vec<Check>,
    next: AtomicUsize,
}

impl Suite<'_> {
    /// Takes checks until none is left.
    async fn lane(&self) -> Vec<(usize, CheckReport)> {
        let mut done = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(check) = self.checks.get(index) else {
                return done;
            };
            let begun = Instant::now();
            let verdict = self.rounds(check).await;
            let report = CheckReport {
                family: check.family(),
                name: check.name(),
                verdict,
                elapsed: begun.elapsed(),
            };
            self.options.observe(&report);
            done.push((index, report));
        }
    }

    async fn rounds(&self, check: &Check) -> Verdict {
        let rounds = self.options.rounds.max(1);
        for round in 1..=rounds {
            match self.once(check).await {
                Ok(()) => {}
                Err(End::Unsupported(reason)) => return Verdict::Unsupported(reason),
                Err(End::Failed(reason)) if rounds == 1 => return Verdict::Failed(reason),
                Err(End::Failed(reason)) => {
                    return Verdict::Failed(format!("in round {round} of {rounds}: {reason}"));
                }
            }
        }
        Verdict::Passed
    }

    async fn once(&self, check: &Check) -> Checked {
        let guard = self.options.guard;
        let starting = Trial::start(self.harness, self.options.durability);
        let trial = match tokio::time::timeout(guard, without_panic(starting)).await {
            Ok(trial) => trial.map_err(|end| end.at("making a storage"))?,
            Err(_) => return Err(End::failed(format!("no storage was made in {guard:?}"))),
        };
        let running = without_panic((check.run)(&trial));
        match tokio::time::timeout(guard, running).await {
            Ok(outcome) => outcome,
            Err(_) => Err(End::failed(format!("it did not end in {guard:?}"))),
        }
    }
}

/// Turns a panic into a failure.
async fn without_panic<T>(future: impl Future<Output = Checked<T>> + Send) -> Checked<T> {
    let mut future = Box::pin(future);
    poll_fn(move |cx| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))).unwrap_or_else(|panic| {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Poll::Ready(Err(End::failed(format!("the store panicked: {words}"))))
        })
    })
    .await
}

/// Drives all futures and gives their results in the same order.
async fn join_all<T>(futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut slots: Vec<_> = futures
        .into_iter()
        .map(|future| (Some(future), None))
        .collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, result) in &mut slots {
            if let Some(running) = future {
                match running.as_mut().poll(cx) {
                    Poll::Ready(value) => {
                        *result = Some(value);
                        *future = None;
                    }
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    slots.into_iter().filter_map(|(_, result)| result).collect()
}

//! Runs the checks.

use std::collections::hash_map::RandomState;
use std::future::{Future, poll_fn};
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Instant;

use oh_core::{Result, Runtime};

use super::check::{Check, Family};
use super::checks::checks;
use super::concurrent::{Boxed, join_all};
use super::expect::{Checked, Failure};
use super::needs::Lacks;
use super::options::Options;
use super::report::{CheckReport, Report, Verdict};
use super::trial::{Starter, Trial};

/// Runs the whole suite. `start` is called once for most checks, and once more for each check of
/// how runtimes start and close.
///
/// Needs a tokio runtime with its timer. Panics of the runtime under test are failures of the
/// check in which they happen.
///
/// # Cancel safety
/// Dropping the future leaves behind what the running checks had made.
pub async fn run<'r, S, F, R>(start: S, options: &Options) -> Report
where
    S: Fn() -> F + Send + Sync + 'r,
    F: Future<Output = Result<R>> + Send + 'r,
    R: Runtime + 'static,
{
    let begun = Instant::now();
    let starter = StartWith::new(start);
    let runtime = match starter.start().await {
        Ok(runtime) => runtime,
        Err(error) => {
            let verdict = Verdict::Failed(error.into());
            return Report {
                runtime: String::new(),
                checks: vec![lifecycle("a_runtime_starts", verdict, begun)],
                elapsed: begun.elapsed(),
            };
        }
    };
    let mut report = Suite::new(&*runtime, Some(&starter), options).run().await;
    if let Err(error) = runtime.close().await {
        let verdict = Verdict::Failed(error.into());
        let closing = lifecycle("the_runtime_of_the_suite_closes", verdict, begun);
        report.checks.push(closing);
    }
    report.elapsed = begun.elapsed();
    report
}

/// Runs the checks that one runtime is enough for. It may be in use, and is left open.
///
/// # Cancel safety
/// Dropping the future leaves behind what the running checks had made.
pub async fn run_on(runtime: &dyn Runtime, options: &Options) -> Report {
    Suite::new(runtime, None, options).run().await
}

fn lifecycle(name: &'static str, verdict: Verdict, begun: Instant) -> CheckReport {
    CheckReport {
        family: Family::Lifecycle,
        name,
        verdict,
        elapsed: begun.elapsed(),
    }
}

/// A text that no other check of any run has.
pub(super) fn new_mark() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().hash_one((std::process::id(), count));
    format!("{:08x}-{count}", random & 0xffff_ffff)
}

type Started<'r> = Boxed<'r, Result<Box<dyn Runtime>>>;

struct StartWith<'r>(Box<dyn Fn() -> Started<'r> + Send + Sync + 'r>);

impl<'r> StartWith<'r> {
    fn new<S, F, R>(start: S) -> Self
    where
        S: Fn() -> F + Send + Sync + 'r,
        F: Future<Output = Result<R>> + Send + 'r,
        R: Runtime + 'static,
    {
        Self(Box::new(move || {
            let starting = start();
            Box::pin(async {
                let runtime = starting.await?;
                Ok(Box::new(runtime) as Box<dyn Runtime>)
            })
        }))
    }
}

impl Starter for StartWith<'_> {
    fn start(&self) -> Started<'_> {
        (self.0)()
    }
}

struct Suite<'a> {
    runtime: &'a dyn Runtime,
    starter: Option<&'a dyn Starter>,
    options: &'a Options,
    checks: Vec<Check>,
    next: AtomicUsize,
}

impl<'a> Suite<'a> {
    fn new(
        runtime: &'a dyn Runtime,
        starter: Option<&'a dyn Starter>,
        options: &'a Options,
    ) -> Self {
        let possible = |check: &Check| starter.is_some() || !check.fresh_runtime;
        Self {
            runtime,
            starter,
            options,
            checks: checks()
                .filter(|check| options.selects(check) && possible(check))
                .collect(),
            next: AtomicUsize::new(0),
        }
    }

    async fn run(self) -> Report {
        let begun = Instant::now();
        let lacks = Lacks::find(self.runtime, &self.checks, self.options).await;
        let lanes = (0..self.options.parallel.max(1))
            .map(|_| Box::pin(self.lane(&lacks)) as Boxed<'_, _>)
            .collect();
        let mut done: Vec<_> = join_all(lanes).await.into_iter().flatten().collect();
        done.sort_by_key(|(index, _)| *index);
        Report {
            runtime: self.runtime.descriptor().kind.clone(),
            checks: done.into_iter().map(|(_, report)| report).collect(),
            elapsed: begun.elapsed(),
        }
    }

    /// Takes checks until none is left.
    async fn lane(&self, lacks: &Lacks) -> Vec<(usize, CheckReport)> {
        let mut done = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(check) = self.checks.get(index) else {
                return done;
            };
            let begun = Instant::now();
            let verdict = match lacks.of(check) {
                Ok(None) => self.rounds(check).await,
                Ok(Some(lack)) => Verdict::Unsupported(lack),
                Err(failure) => Verdict::Failed(failure),
            };
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
            if let Err(failure) = self.once(check).await {
                return Verdict::Failed(if rounds == 1 {
                    failure
                } else {
                    failure.at(format_args!("in round {round} of {rounds}"))
                });
            }
        }
        Verdict::Passed
    }

    async fn once(&self, check: &Check) -> Checked {
        let guard = self.options.guard;
        let starting = Trial::start(self.runtime, self.starter, new_mark());
        let trial = match tokio::time::timeout(guard, without_panic(starting)).await {
            Ok(trial) => trial.map_err(|failure| failure.at("making a directory"))?,
            Err(_) => return Err(Failure::new(format!("no directory was made in {guard:?}"))),
        };
        let running = without_panic((check.run)(&trial));
        let outcome = tokio::time::timeout(guard, running)
            .await
            .unwrap_or_else(|_| Err(Failure::new(format!("it did not end in {guard:?}"))));
        // A panic while tidying up would hide what the check found.
        let _ = without_panic(async {
            trial.tidy().await;
            Ok(())
        })
        .await;
        outcome
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
            Poll::Ready(Err(Failure::new(format!("the runtime panicked: {words}"))))
        })
    })
    .await
}

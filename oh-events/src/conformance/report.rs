//! What a run of the suite found.

use std::fmt;
use std::time::Duration;

use super::check::Family;

/// What came of each check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The checks in their fixed order.
    pub checks: Vec<CheckReport>,
    /// Time that all of it took.
    pub elapsed: Duration,
}

impl Report {
    /// Whether checks were run and none failed.
    pub fn is_green(&self) -> bool {
        self.passed() > 0 && self.failed().next().is_none()
    }

    /// Number of checks that passed.
    pub fn passed(&self) -> usize {
        let passed = |check: &&CheckReport| matches!(check.verdict, Verdict::Passed);
        self.checks.iter().filter(passed).count()
    }

    /// Checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &CheckReport> {
        let failed = |check: &&CheckReport| matches!(check.verdict, Verdict::Failed(_));
        self.checks.iter().filter(failed)
    }

    /// Checks of what the store says it does not have.
    pub fn unsupported(&self) -> impl Iterator<Item = &CheckReport> {
        let unsupported = |check: &&CheckReport| matches!(check.verdict, Verdict::Unsupported(_));
        self.checks.iter().filter(unsupported)
    }
}

impl fmt::Display for Report {
    /// A table of all checks, grouped by family, and a line with the sums.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut family = None;
        for check in &self.checks {
            if family != Some(check.family) {
                writeln!(f, "{}", check.family)?;
                family = Some(check.family);
            }
            writeln!(f, "  {check}")?;
        }
        write!(
            f,
            "{} passed, {} failed, {} unsupported, in {:.1} s",
            self.passed(),
            self.failed().count(),
            self.unsupported().count(),
            self.elapsed.as_secs_f64()
        )
    }
}

/// What came of one check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckReport {
    /// The family.
    pub family: Family,
    /// The name of the check.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// Time it took, over all rounds.
    pub elapsed: Duration,
}

impl fmt::Display for CheckReport {
    /// One line; the reason of a failure on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Passed => "ok",
            Verdict::Failed(_) => "FAILED",
            Verdict::Unsupported(_) => "-",
        };
        let millis = self.elapsed.as_millis();
        write!(f, "{word:<6} {:<72} {millis:>6} ms", self.name)?;
        match &self.verdict {
            Verdict::Passed => Ok(()),
            Verdict::Failed(reason) => write!(f, "\n         {reason}"),
            Verdict::Unsupported(reason) => write!(f, "  {reason}"),
        }
    }
}

/// Passed, failed or unsupported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The store does it right.
    Passed,
    /// It does not, for this reason.
    Failed(String),
    /// The store does not have this, and says so.
    Unsupported(String),
}

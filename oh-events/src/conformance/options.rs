//! What to check, and how.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::store::Durability;

use super::check::Check;
use super::report::CheckReport;

/// Called with each check that is done.
type Observer = Arc<dyn Fn(&CheckReport) + Send + Sync>;

/// Which checks run, how often and how many at once.
///
/// ```
/// use oh_events::conformance::Options;
/// let blobs_three_times = Options::default().only("blobs::").times(3);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Run only checks whose full name (`append::ids_are_dense_from_0`) holds one of these
    /// texts; all if empty.
    pub only: Vec<String>,
    /// Leave out checks whose full name holds one of these texts.
    pub skip: Vec<String>,
    /// How often each check runs. The first failure ends the repetition.
    pub rounds: u32,
    /// How many checks run side by side.
    pub parallel: usize,
    /// A check that takes longer has failed. Default 60 s.
    pub guard: Duration,
    /// How the writers of the checks append.
    pub durability: Durability,
    observer: Option<Observer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            skip: Vec::new(),
            rounds: 1,
            parallel: 1,
            guard: Duration::from_secs(60),
            durability: Durability::default(),
            observer: None,
        }
    }
}

impl Options {
    /// Adds a text that the full name of a check must hold; with several, one of them.
    #[must_use]
    pub fn only(mut self, text: impl Into<String>) -> Self {
        self.only.push(text.into());
        self
    }

    /// Leaves out checks whose full name holds this text.
    #[must_use]
    pub fn skip(mut self, text: impl Into<String>) -> Self {
        self.skip.push(text.into());
        self
    }

    /// Runs each check this often.
    #[must_use]
    pub fn times(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// Runs this many checks side by side.
    #[must_use]
    pub fn parallel(mut self, checks: usize) -> Self {
        self.parallel = checks;
        self
    }

    /// Sets after which time a check has failed.
    #[must_use]
    pub fn guard(mut self, time: Duration) -> Self {
        self.guard = time;
        self
    }

    /// Sets how the writers of the checks append.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Calls a function with each check that is done.
    #[must_use]
    pub fn on_check(mut self, observer: impl Fn(&CheckReport) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    pub(super) fn selects(&self, check: &Check) -> bool {
        let name = check.full_name();
        let holds = |text: &String| name.contains(text.as_str());
        (self.only.is_empty() || self.only.iter().any(holds)) && !self.skip.iter().any(holds)
    }

    pub(super) fn observe(&self, report: &CheckReport) {
        if let Some(observer) = &self.observer {
            observer(report);
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("only", &self.only)
            .field("skip", &self.skip)
            .field("rounds", &self.rounds)
            .field("parallel", &self.parallel)
            .field("guard", &self.guard)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

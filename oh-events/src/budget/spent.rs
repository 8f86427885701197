//! What was spent, what is left, and which limit was reached.

use std::fmt;
use std::time::Duration;

use super::money::NanoDollars;

/// What was spent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spent {
    /// Steps of the agent.
    pub steps: u64,
    /// Tokens sent and received.
    pub tokens: u64,
    /// Money.
    pub cost: NanoDollars,
    /// Time.
    pub time: Duration,
}

/// What may still be spent; `None` where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// Steps of the agent.
    pub steps: Option<u64>,
    /// Tokens sent and received.
    pub tokens: Option<u64>,
    /// Money.
    pub cost: Option<NanoDollars>,
    /// Time.
    pub time: Option<Duration>,
}

/// A limit that was reached. No further step should be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exceeded {
    /// Which one, the first if several were reached by one event: in the order of their
    /// declaration.
    pub limit: Limit,
    /// What was spent of everything when that happened.
    pub spent: Spent,
}

/// A limit with its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// So many steps.
    Steps(u64),
    /// So much money.
    Cost(NanoDollars),
    /// So many tokens.
    Tokens(u64),
    /// So much time.
    Time(Duration),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spent = &self.spent;
        match self.limit {
            Limit::Steps(most) => write!(f, "{} of {most} steps were taken", spent.steps),
            Limit::Cost(most) => write!(f, "{} of {most} were spent", spent.cost),
            Limit::Tokens(most) => write!(f, "{} of {most} tokens were used", spent.tokens),
            Limit::Time(most) => write!(f, "{:?} of {most:?} have passed", spent.time),
        }
    }
}

//! A check: its name, its family and what it does.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::expect::Checked;
use super::trial::Trial;

/// The future of a check.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Checked> + Send + 'a>>;

/// One thing that every store has to do right.
#[derive(Clone, Copy)]
pub struct Check {
    family: Family,
    name: &'static str,
    pub(super) run: for<'a> fn(&'a Trial) -> Running<'a>,
}

impl Check {
    pub(super) const fn new(
        family: Family,
        name: &'static str,
        run: for<'a> fn(&'a Trial) -> Running<'a>,
    ) -> Self {
        Self { family, name, run }
    }

    /// The family.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The name: what is right when the check passes, as a sentence in snake case.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Family and name as one text, which [`Options::only`](super::Options::only) looks at.
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.family.name(), self.name)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("family", &self.family)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Makes a [`Check`] of the family `FAMILY` out of an async function.
macro_rules! check {
    ($function:ident) => {
        $crate::conformance::check::Check::new(FAMILY, stringify!($function), |trial| {
            Box::pin($function(trial))
        })
    };
}
pub(super) use check;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Appending events.
    Append,
    /// The one writer of a log.
    Writer,
    /// Reading what was appended.
    Read,
    /// Waiting for what will be appended.
    Follow,
    /// Many sessions.
    Sessions,
    /// Large contents.
    Blobs,
    /// What a log folds to.
    Snapshot,
    /// Sessions that share a past.
    Fork,
    /// Removing sessions.
    Remove,
    /// An [`EventStream`](crate::EventStream) on the store.
    Stream,
}

impl Family {
    /// The name in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Writer => "writer",
            Self::Read => "read",
            Self::Follow => "follow",
            Self::Sessions => "sessions",
            Self::Blobs => "blobs",
            Self::Snapshot => "snapshot",
            Self::Fork => "fork",
            Self::Remove => "remove",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

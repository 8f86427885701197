//! What a process that will be killed does, and how chance decides.

use std::path::PathBuf;
use std::time::Duration;

use oh_events::{Durability, SegmentStore};

const VARIABLE: &str = "OH_EVENTS_CRASH_PLAN";

/// Numbers that follow from a seed (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut chance = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        chance.number();
        chance
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    pub(crate) fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

/// Handed to the process in its environment.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) root: PathBuf,
    pub(crate) policy: Policy,
    pub(crate) segment_bytes: u64,
    pub(crate) work: Work,
    /// Tells the events of one process from those of another.
    pub(crate) nonce: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Policy {
    Never,
    Interval,
    Group,
    Each,
}

impl Policy {
    pub(crate) const ALL: [Self; 4] = [Self::Never, Self::Interval, Self::Group, Self::Each];

    pub(crate) fn durability(self) -> Durability {
        match self {
            Self::Never => Durability::Never,
            Self::Interval => Durability::Interval(Duration::from_millis(2)),
            Self::Group => Durability::Group,
            Self::Each => Durability::Each,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Several appenders on a stream, one of them with blobs.
    Stream,
    /// Batches, blobs and snapshots on the bare log.
    Log,
    /// Large events on the bare log, so that most of the time is spent in writes.
    Large,
}

impl Work {
    pub(crate) const ALL: [Self; 3] = [Self::Stream, Self::Log, Self::Large];
}

impl Plan {
    /// The plan of this process, if it is one that will be killed.
    pub(crate) fn of_this_process() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        let mut parts = text.splitn(5, ' ');
        let mut number = || -> u64 { parts.next().unwrap().parse().unwrap() };
        Some(Self {
            policy: Policy::ALL[number() as usize],
            work: Work::ALL[number() as usize],
            segment_bytes: number(),
            nonce: number(),
            root: parts.next().unwrap().into(),
        })
    }

    /// The variable and value that hand it over.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        let value = format!(
            "{} {} {} {} {}",
            self.policy as usize,
            self.work as usize,
            self.segment_bytes,
            self.nonce,
            self.root.display()
        );
        (VARIABLE, value)
    }

    pub(crate) fn store(&self) -> SegmentStore {
        SegmentStore::new(&self.root).segment_bytes(self.segment_bytes)
    }
}

//! A writer's hold on a session: taken, renewed, given back.

use std::time::Duration;

use oh_core::{Error, ErrorKind, Result, SessionId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::Holder;

use super::record::{Found, Record, Records, State};

/// How often a record is tried to be taken that others change meanwhile.
const ATTEMPTS: usize = 32;

/// Renewals within one lease.
const RENEWALS: u32 = 3;

/// A hold that was taken.
#[derive(Debug)]
pub(super) struct Tenure {
    pub(super) id: String,
    pub(super) epoch: u64,
    pub(super) incarnation: String,
    /// False once another writer has come.
    pub(super) held: watch::Receiver<bool>,
    release: watch::Sender<bool>,
    keeper: Option<JoinHandle<Result<()>>>,
}

/// What stands in the way of taking a record.
pub(super) enum Claim {
    Taken(Tenure),
    /// A removal that someone began must be ended first.
    Removing(Found),
}

impl Tenure {
    /// Takes the record, unless another writer holds it and is believed to live.
    pub(super) async fn claim(
        records: &Records,
        session: &SessionId,
        name: &str,
        lease: Duration,
    ) -> Result<Claim> {
        for _ in 0..ATTEMPTS {
            let found = records.read().await?;
            if let Some(found) = &found
                && let State::Held { holder, .. } = &found.record.state
                && let Some(left) = records.lease_left(found).await?
            {
                return Err(held(holder.clone(), session, left));
            }
            let (sequence, epoch, incarnation) = match found {
                None => (0, 1, records.server.unique()),
                Some(found) if matches!(found.record.state, State::Removing) => {
                    return Ok(Claim::Removing(found));
                }
                Some(Found {
                    record, sequence, ..
                }) => (sequence, record.epoch.saturating_add(1), record.incarnation),
            };
            let id = records.server.unique();
            let record = Record {
                incarnation: incarnation.clone(),
                epoch,
                state: State::Held {
                    holder: Holder::this_process(name, epoch),
                    tenure: id.clone(),
                    lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
                },
            };
            if let Some(sequence) = records.replace(sequence, &record).await? {
                let tenure = Self::keep(records.clone(), id, record, sequence, lease)?;
                return Ok(Claim::Taken(tenure));
            }
        }
        Err(Error::new(ErrorKind::Conflict, "open event log")
            .with_object(session.as_str())
            .with_detail("others open it all the time; try again"))
    }

    fn keep(
        mut records: Records,
        id: String,
        record: Record,
        sequence: u64,
        lease: Duration,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Unsupported, "open event log")
                .with_detail("writing to NATS needs a tokio runtime")
                .with_source(error)
        })?;
        let every = lease / RENEWALS;
        // A renewal that takes longer is worth nothing.
        records.server.patience = records.server.patience.min(every);
        let (holding, held) = watch::channel(true);
        let (release, released) = watch::channel(false);
        let (epoch, incarnation) = (record.epoch, record.incarnation.clone());
        let keeper = Keeper {
            records,
            tenure: id.clone(),
            record,
            sequence,
            every,
            holding,
        };
        Ok(Self {
            id,
            epoch,
            incarnation,
            held,
            release,
            keeper: Some(runtime.spawn(keeper.run(released))),
        })
    }

    /// Gives the record back. Calling it again returns at once.
    pub(super) async fn release(&mut self) -> Result<()> {
        self.release.send_replace(true);
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        let released = keeper.await;
        self.keeper = None;
        match released {
            Ok(released) => released,
            Err(error) => Err(crate::blocking::lost("close event log", error)),
        }
    }

    /// Gives the record back without waiting; what is returned ends when it is done.
    pub(super) fn release_later(&mut self) -> Option<JoinHandle<Result<()>>> {
        self.release.send_replace(true);
        self.keeper.take()
    }
}

/// The error of a second writer.
fn held(holder: Holder, session: &SessionId, left: Duration) -> Error {
    let detail = format!(
        "held by {holder}; close it there, open the log for reading, or try again in {} ms, when \
         its lease ends unless it is renewed",
        left.as_millis()
    );
    holder.conflict(session).with_detail(detail)
}

/// The task that renews a hold, and gives it back.
struct Keeper {
    records: Records,
    tenure: String,
    record: Record,
    sequence: u64,
    every: Duration,
    holding: watch::Sender<bool>,
}

impl Keeper {
    async fn run(mut self, mut released: watch::Receiver<bool>) -> Result<()> {
        // Ends when it is asked to release, or when the log was dropped.
        while tokio::time::timeout(self.every, released.wait_for(|released| *released))
            .await
            .is_err()
        {
            let record = self.record.clone();
            match self.replace(&record).await {
                Ok(true) => {}
                Ok(false) => {
                    self.holding.send_replace(false);
                    return Ok(());
                }
                // The server may come back; until then another writer can come.
                Err(error) => tracing::debug!(%error, "the lease of an event log is not renewed"),
            }
        }
        self.record.state = State::Free;
        let record = self.record.clone();
        self.replace(&record).await.map(|_| ())
    }

    /// Whether the record was still this writer's, and is what it shall be now.
    async fn replace(&mut self, record: &Record) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            if let Some(sequence) = self.records.replace(self.sequence, record).await? {
                self.sequence = sequence;
                return Ok(true);
            }
            // A renewal that was given up may have arrived later.
            match self.records.read().await? {
                Some(found) if found.record.is_of(&self.tenure) => self.sequence = found.sequence,
                _ => return Ok(false),
            }
        }
        Ok(false)
    }
}

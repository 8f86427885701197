//! The one writer of a log, as long as it says so.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Result, SessionId};
use serde::{Deserialize, Serialize};

use crate::store::Holder;

use super::client::Listed;
use super::names::{self, Names};
use super::nonce::nonce;
use super::settle::{self, Settled};
use super::shared::Shared;

const OPERATION: &str = "open event log";

/// How often an epoch is tried for that others take at the same time.
const TRIES: usize = 8;

/// Whether a lease of someone else counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    Wait,
    TakeOver,
}

/// The object of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tenure {
    holder: Holder,
    nonce: String,
    lease_ms: u64,
    #[serde(default)]
    beats: u64,
    #[serde(default)]
    released: bool,
}

/// An epoch that this process took.
pub(super) struct Lease {
    shared: Arc<Shared>,
    tenure: Mutex<Tenure>,
    lost_to: Mutex<Option<Holder>>,
}

impl Lease {
    /// Takes the next epoch.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) with a [`Holder`] while another writer has it.
    pub(super) async fn take(
        shared: &Arc<Shared>,
        session: &SessionId,
        name: &str,
        lease: Duration,
        patience: Duration,
        manners: Manners,
    ) -> Result<Self> {
        let client = &shared.client;
        let mut rival = None;
        for _ in 0..TRIES {
            let listed = client.list(OPERATION, &shared.names.writers()).await?;
            let last = listed.iter().rev().find_map(|object| {
                let epoch = epoch_of(object)?;
                Some((epoch, object.modified))
            });
            if let Some((epoch, modified)) = last
                && let Some(tenure) = load(shared, epoch).await?
            {
                let is_free = tenure.released || shared.is_released(epoch);
                if manners == Manners::Wait
                    && !is_free
                    && is_fresh(shared, modified, tenure.lease_ms).await?
                {
                    return Err(tenure.holder.conflict(session));
                }
                rival = Some(tenure.holder);
            }
            let epoch = last.map_or(0, |(epoch, _)| epoch) + 1;
            let tenure = Tenure {
                holder: Holder::this_process(name, epoch),
                nonce: nonce(),
                lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
                beats: 0,
                released: false,
            };
            let key = shared.names.writer(epoch);
            let body = encode(&tenure)?;
            match settle::create(client, OPERATION, &key, &body, patience).await? {
                Settled::Taken(_) => continue,
                Settled::Ours => {}
            }
            let taken = Self {
                shared: Arc::clone(shared),
                tenure: Mutex::new(tenure),
                lost_to: Mutex::default(),
            };
            taken.clear(epoch, session).await?;
            return Ok(taken);
        }
        Err(match rival {
            Some(holder) => holder.conflict(session),
            None => Error::new(ErrorKind::Conflict, OPERATION)
                .with_object(session.as_str())
                .with_detail("too many writers open the log at this moment, try again"),
        })
    }

    /// Deletes the objects of earlier epochs. A later one says that this epoch is over already.
    async fn clear(&self, epoch: u64, session: &SessionId) -> Result<()> {
        let client = &self.shared.client;
        let listed = client.list(OPERATION, &self.shared.names.writers()).await?;
        let mut earlier = Vec::new();
        for object in listed {
            let Some(other) = epoch_of(&object) else {
                continue;
            };
            if other > epoch {
                let holder = load(&self.shared, other).await?.map(|other| other.holder);
                let holder = holder.unwrap_or_else(|| self.holder());
                return Err(holder.conflict(session));
            }
            if other < epoch {
                earlier.push(object.key);
            }
        }
        client.delete(OPERATION, earlier).await
    }

    pub(super) fn epoch(&self) -> u64 {
        self.tenure().holder.epoch
    }

    pub(super) fn nonce(&self) -> String {
        self.tenure().nonce.clone()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn holder(&self) -> Holder {
        self.tenure().holder.clone()
    }

    /// The writer that has the log now, once that is known.
    pub(super) fn lost_to(&self) -> Option<Holder> {
        lock(&self.lost_to).clone()
    }

    /// Looks who came after this writer.
    pub(super) async fn look(&self) -> Result<Option<Holder>> {
        let client = &self.shared.client;
        let listed = client.list(OPERATION, &self.shared.names.writers()).await?;
        // Those in between may be cleared away already.
        let last = listed.iter().filter_map(epoch_of).max();
        if let Some(last) = last.filter(|last| *last > self.epoch())
            && let Some(tenure) = load(&self.shared, last).await?
        {
            *lock(&self.lost_to) = Some(tenure.holder);
        }
        Ok(self.lost_to())
    }

    /// Renews the lease for as long as it is this writer's.
    pub(super) async fn renew(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let renewed = async {
                if self.look().await?.is_some() {
                    return Ok(false);
                }
                self.tenure().beats += 1;
                self.store().await.map(|()| true)
            };
            match renewed.await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(epoch = self.epoch(), "another writer took the log over");
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease of the log was not renewed"),
            }
        }
    }

    /// Gives the log back.
    pub(super) async fn release(&self) -> Result<()> {
        self.shared.release(self.epoch());
        self.tenure().released = true;
        self.store().await
    }

    /// Notes in this process that the log is given back.
    pub(super) fn release_here(&self) {
        self.shared.release(self.epoch());
    }

    async fn store(&self) -> Result<()> {
        let tenure = self.tenure().clone();
        let key = self.shared.names.writer(tenure.holder.epoch);
        let body = encode(&tenure)?;
        self.shared.client.put("renew lease", &key, body).await
    }

    fn tenure(&self) -> MutexGuard<'_, Tenure> {
        lock(&self.tenure)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("epoch", &self.epoch())
            .field("lost_to", &self.lost_to())
            .finish_non_exhaustive()
    }
}

/// Has the epochs of another session go on where those of this one are, as its turns are named
/// after them.
pub(super) async fn go_on(shared: &Shared, other: &Names) -> Result<()> {
    const OPERATION: &str = "fork session";
    let listed = shared
        .client
        .list(OPERATION, &shared.names.writers())
        .await?;
    let epochs = listed.iter().filter_map(epoch_of);
    let epoch = epochs.max().unwrap_or_default();
    let tenure = Tenure {
        holder: Holder::this_process(OPERATION, epoch),
        nonce: nonce(),
        lease_ms: 0,
        beats: 0,
        released: true,
    };
    let body = encode(&tenure)?;
    shared
        .client
        .put(OPERATION, &other.writer(epoch), body)
        .await
}

fn epoch_of(object: &Listed) -> Option<u64> {
    names::number(object.name().strip_suffix(".json")?)
}

async fn load(shared: &Shared, epoch: u64) -> Result<Option<Tenure>> {
    let key = shared.names.writer(epoch);
    match shared.client.get(OPERATION, &key).await {
        // A damaged lease keeps no one out: what counts is the names of the events.
        Ok(body) => Ok(serde_json::from_slice(&body).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a lease still runs, by the clock of the storage.
async fn is_fresh(shared: &Shared, modified: i64, lease_ms: u64) -> Result<bool> {
    let key = shared.names.clock(&nonce());
    shared.client.put(OPERATION, &key, Bytes::new()).await?;
    let now = shared.client.modified(OPERATION, &key).await;
    shared.client.delete(OPERATION, vec![key]).await?;
    let age = now?.saturating_sub(modified);
    Ok(u64::try_from(age).unwrap_or_default() < lease_ms)
}

fn encode(tenure: &Tenure) -> Result<Bytes> {
    let json = serde_json::to_vec(tenure)
        .map_err(|error| Error::new(ErrorKind::Internal, OPERATION).with_source(error))?;
    Ok(json.into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

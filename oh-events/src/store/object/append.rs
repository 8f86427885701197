//! Appends to a log.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oh_core::{Error, ErrorKind, EventId, Result, SessionId};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::{Encoded, Holder};

use super::body;
use super::layout::Piece;
use super::lease::Lease;
use super::names::EventsName;
use super::settle::{self, Settled};
use super::shared::Shared;

const OPERATION: &str = "append event";

/// The end of a log that is open for writing.
pub(super) struct Appender {
    pub(super) session: SessionId,
    pub(super) shared: Arc<Shared>,
    pub(super) lease: Arc<Lease>,
    pub(super) patience: Duration,
    next: AtomicU64,
    /// Why nothing is appended any more; held while an append runs.
    end: Arc<Mutex<Option<End>>>,
}

#[derive(Clone, Debug)]
enum End {
    Closed,
    /// Another writer ended the turn of this one.
    Lost(Option<Holder>),
    /// It is not known whether the last append is there.
    Unknown,
}

impl Appender {
    pub(super) fn new(
        session: SessionId,
        shared: Arc<Shared>,
        lease: Arc<Lease>,
        patience: Duration,
        next: u64,
    ) -> Self {
        Self {
            session,
            shared,
            lease,
            patience,
            next: AtomicU64::new(next),
            end: Arc::default(),
        }
    }

    pub(super) fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Ends appending, after the append that runs.
    pub(super) async fn close(&self) {
        self.end.lock().await.get_or_insert(End::Closed);
    }

    /// Appends a batch. It runs to its end even if the call is dropped, so that the next one
    /// knows where the log ends.
    pub(super) async fn append(
        self: &Arc<Self>,
        expected: EventId,
        epoch: u64,
        batch: &[Encoded],
    ) -> Result<()> {
        let end = Arc::clone(&self.end).lock_owned().await;
        self.check(&end, expected, epoch, batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        let (appender, batch) = (Arc::clone(self), batch.to_vec());
        let task = tokio::spawn(async move { appender.write(end, batch).await });
        task.await.unwrap_or_else(|error| {
            Err(self
                .error(ErrorKind::OutcomeUnknown, "the runtime was shut down")
                .with_source(error))
        })
    }

    fn check(
        &self,
        end: &Option<End>,
        expected: EventId,
        epoch: u64,
        batch: &[Encoded],
    ) -> Result<()> {
        match end {
            Some(end) => return Err(self.ended(end)),
            None => {
                if let Some(holder) = self.lease.lost_to() {
                    return Err(self.ended(&End::Lost(Some(holder))));
                }
            }
        }
        let (next, ours) = (self.next(), self.lease.epoch());
        if expected.0 != next || epoch != ours {
            let detail = format!(
                "the next event is {next} of epoch {ours}, not {expected} of epoch {epoch}"
            );
            return Err(self.error(ErrorKind::Conflict, detail));
        }
        let is_dense = batch
            .iter()
            .zip(next..)
            .all(|(event, id)| event.id().0 == id);
        if !is_dense {
            return Err(self.error(
                ErrorKind::InvalidInput,
                "the ids of a batch follow one another",
            ));
        }
        Ok(())
    }

    async fn write(
        &self,
        mut end: OwnedMutexGuard<Option<End>>,
        batch: Vec<Encoded>,
    ) -> Result<()> {
        let first = self.next();
        // The epoch and the nonce of its writer make the bytes those of this append: a writer
        // tries one batch for an id until it is settled, or none any more.
        let nonce = format!("{}-{first}", self.lease.nonce());
        let jsons = batch.iter().map(|event| event.json().as_ref());
        let turn = self.lease.epoch();
        let body = body::write(first, turn, &nonce, jsons)?;
        let key = self.shared.names.events(EventsName::turn(first, turn));
        let settled =
            settle::create(&self.shared.client, OPERATION, &key, &body, self.patience).await;
        match settled {
            Ok(Settled::Ours) => {
                let piece = Piece {
                    first,
                    end: first + batch.len() as u64,
                    bytes: body.len() as u64,
                    turn: Some(turn),
                };
                self.next.store(piece.end, Ordering::Release);
                self.shared.appended(piece, body);
                Ok(())
            }
            Ok(Settled::Taken(_)) => {
                // Who it was is for the message alone.
                let holder = self.lease.look().await.ok().flatten();
                Err(self.ended(end.insert(End::Lost(holder))))
            }
            Err(error) => {
                if error.kind() == ErrorKind::OutcomeUnknown {
                    *end = Some(End::Unknown);
                }
                Err(error)
            }
        }
    }

    fn ended(&self, end: &End) -> Error {
        match end {
            End::Closed => self.error(ErrorKind::Gone, "the log was closed"),
            End::Unknown => self.error(
                ErrorKind::OutcomeUnknown,
                "it is not known whether an earlier append was written; open the log again to see",
            ),
            End::Lost(None) => self.error(
                ErrorKind::Conflict,
                "another writer took the log over; open it again",
            ),
            End::Lost(Some(holder)) => self
                .error(
                    ErrorKind::Conflict,
                    format!("the log was taken over by {holder}; open it again"),
                )
                .with_source(holder.clone()),
        }
    }

    fn error(&self, kind: ErrorKind, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, OPERATION)
            .with_object(self.session.as_str())
            .with_detail(detail)
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender")
            .field("session", &self.session)
            .field("next", &self.next())
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

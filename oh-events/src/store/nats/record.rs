//! The record of a session: who writes it, and until when.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::message::PublishMessage;
use oh_core::{Error, ErrorKind, Result, SessionId};
use serde::{Deserialize, Serialize};

use crate::store::Holder;

use super::names::Names;
use super::server::{Published, Server};

/// What is known of a session beside its events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Part of the names of its streams; a session that is created anew has another one.
    pub(super) incarnation: String,
    /// Number of the last tenure.
    pub(super) epoch: u64,
    #[serde(flatten)]
    pub(super) state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    Held {
        holder: Holder,
        /// Unlike that of any other tenure.
        tenure: String,
        /// For how long the holder is believed to live after the last renewal.
        lease_ms: u64,
    },
    Free,
    /// Some of it may be gone already.
    Removing,
}

impl Record {
    /// Whether a tenure goes on.
    pub(super) fn is_of(&self, id: &str) -> bool {
        matches!(&self.state, State::Held { tenure, .. } if tenure == id)
    }
}

/// A record as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) record: Record,
    /// Number of its message: what a change must name.
    pub(super) sequence: u64,
    written: SystemTime,
}

/// The one place where the record of a session lies.
#[derive(Clone, Debug)]
pub(super) struct Records {
    pub(super) server: Server,
    stream: String,
    subject: String,
    clock: String,
}

impl Records {
    pub(super) fn new(server: Server, names: &Names, session: &SessionId) -> Self {
        Self {
            server,
            stream: names.sessions_stream(),
            subject: names.record(session),
            clock: names.clock(),
        }
    }

    pub(super) async fn read(&self) -> Result<Option<Found>> {
        let Some(message) = self.server.last(&self.stream, &self.subject).await? else {
            return Ok(None);
        };
        let record = serde_json::from_slice(&message.payload).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "read record of session")
                .with_object(self.subject.as_str())
                .with_source(error)
        })?;
        Ok(Some(Found {
            record,
            sequence: message.sequence,
            written: SystemTime::from(message.time),
        }))
    }

    /// Replaces the record if it is still the one with this number, 0 for none. `None` says that
    /// it is not.
    pub(super) async fn replace(&self, found: u64, record: &Record) -> Result<Option<u64>> {
        let json = serde_json::to_vec(record).map_err(|error| {
            Error::new(ErrorKind::Internal, "write record of session").with_source(error)
        })?;
        let id = self.server.unique();
        let message = PublishMessage::build()
            .payload(json.into())
            .message_id(&id)
            .expected_last_subject_sequence(found);
        let server = &self.server;
        let published = server
            .publish(&self.subject, &self.stream, &self.subject, message)
            .await?;
        if let Published::Stored(sequence) = published {
            return Ok(Some(sequence));
        }
        // It can be there all the same, if the acknowledgement was lost long ago.
        let last = server.last(&self.stream, &self.subject).await?;
        Ok(last
            .filter(|last| {
                let last_id = last.headers.get("Nats-Msg-Id");
                last_id.is_some_and(|last_id| last_id.as_str() == id)
            })
            .map(|last| last.sequence))
    }

    /// Takes the record away, as far as it is not newer than this one.
    pub(super) async fn forget(&self, found: u64) -> Result<()> {
        let before = found.saturating_add(1);
        self.server
            .purge(&self.stream, &self.subject, Some(before))
            .await
    }

    /// For how long the holder of the record is still believed to live, by the server's clock.
    pub(super) async fn lease_left(&self, found: &Found) -> Result<Option<Duration>> {
        let State::Held { lease_ms, .. } = found.record.state else {
            return Ok(None);
        };
        let message = PublishMessage::build().message_id(self.server.unique());
        self.server
            .publish(&self.clock, &self.stream, &self.clock, message)
            .await?;
        let now = self.server.last(&self.stream, &self.clock).await?;
        let now = now.map_or(found.written, |message| SystemTime::from(message.time));
        let since = now.duration_since(found.written).unwrap_or_default();
        let left = Duration::from_millis(lease_ms).checked_sub(since);
        Ok(left.filter(|left| !left.is_zero()))
    }
}

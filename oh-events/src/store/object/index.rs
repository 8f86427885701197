//! Which sessions there are.

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Result, SessionId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::client::Client;
use super::names;
use super::nonce::nonce;
use super::settle::{self, Settled};

/// The object that makes a session be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Folder of its objects. A session that comes after a removed one has another.
    pub(super) incarnation: String,
    /// Set while the session is being removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) removing: bool,
}

impl Entry {
    pub(super) fn fresh() -> Self {
        Self {
            incarnation: nonce(),
            removing: false,
        }
    }

    /// The entry of a session, if there is one.
    pub(super) async fn load(
        client: &Client,
        operation: &'static str,
        session: &SessionId,
    ) -> Result<Option<Self>> {
        match client.get(operation, &names::index(session)).await {
            Ok(body) => Self::parse(operation, session, &body).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a session be there; returns the entry of the one that is there then.
    pub(super) async fn create(
        &self,
        client: &Client,
        operation: &'static str,
        session: &SessionId,
        patience: Duration,
    ) -> Result<Self> {
        let key = names::index(session);
        let body = self.encode(operation)?;
        match settle::create(client, operation, &key, &body, patience).await? {
            Settled::Ours => Ok(self.clone()),
            Settled::Taken(there) => Self::parse(operation, session, &there),
        }
    }

    pub(super) async fn replace(
        &self,
        client: &Client,
        operation: &'static str,
        session: &SessionId,
    ) -> Result<()> {
        let body = self.encode(operation)?;
        client.put(operation, &names::index(session), body).await
    }

    fn encode(&self, operation: &'static str) -> Result<Bytes> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::Internal, operation).with_source(error))?;
        Ok(json.into())
    }

    /// The folder is checked, as it becomes a part of names.
    fn parse(operation: &'static str, session: &SessionId, body: &[u8]) -> Result<Self> {
        serde_json::from_slice::<Self>(body)
            .ok()
            .filter(|entry| {
                let digits = &entry.incarnation;
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
            .ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, operation)
                    .with_object(names::index(session))
                    .with_detail("the index entry of the session is damaged")
            })
    }
}

//! The store: streams of a NATS server or cluster.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_trait::async_trait;
use futures_util::StreamExt;
use oh_core::{Error, ErrorKind, Result, SessionId};

use crate::store::{EventLog, EventReader, EventStore, Writer};

use super::blobs::NatsBlobs;
use super::failure;
use super::follow::Follower;
use super::log::{NatsLog, Releases};
use super::names::{Names, SessionNames};
use super::pages::Pages;
use super::place::{End, Place};
use super::reader::NatsReader;
use super::record::{Found, Record, Records, State};
use super::server::Server;
use super::snapshot::Snapshots;
use super::tenure::{Claim, Tenure};

/// Where the server keeps what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NatsStorage {
    /// On disk.
    #[default]
    File,
    /// In memory: a restart of the server loses it, unless other replicas live.
    Memory,
}

/// Keeps sessions in streams of NATS JetStream, for hosts on many machines. Cheap to clone.
///
/// Any host that reaches the server can read and follow any session; one at a time writes it. See
/// the [module](super) for how, and for what an acknowledgement is worth.
///
/// It needs a server from version 2.9 on, with JetStream, and a tokio runtime with time and I/O.
#[derive(Clone, Debug)]
pub struct NatsStore {
    server: Server,
    prefix: String,
    storage: NatsStorage,
    replicas: usize,
    lease: Duration,
    blob_bytes: u64,
    releases: Releases,
}

impl NatsStore {
    /// Keeps sessions where a client is connected to. The client's options say how to log in and
    /// whether to use TLS; the context may name a domain of JetStream.
    pub fn new(context: Context) -> Self {
        let server = Server {
            context,
            patience: Duration::from_secs(30),
        };
        Self {
            server,
            prefix: "oh".to_owned(),
            storage: NatsStorage::default(),
            replicas: 1,
            lease: Duration::from_secs(30),
            blob_bytes: 1024 * 1024 * 1024,
            releases: Releases::default(),
        }
        .request_timeout(Duration::from_secs(2))
    }

    /// Sets what the names of streams and subjects begin with: 1 to 32 of `A-Z a-z 0-9 _`; `oh` by
    /// default. Stores with different prefixes share nothing.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets where new sessions are kept; on disk by default.
    #[must_use]
    pub fn storage(mut self, storage: NatsStorage) -> Self {
        self.storage = storage;
        self
    }

    /// Sets how many servers keep a new session: 1 (the default), 3 or 5.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets for how long a writer that is not heard of is believed to live; 30 seconds by default.
    /// It renews the lease three times in that time. After the end of its lease another writer can
    /// come, and its own appends fail then.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(30));
        self
    }

    /// Sets how long one request waits for its answer before it is sent again; 2 seconds by
    /// default.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.server.context.set_timeout(timeout);
        self
    }

    /// Sets how long a call goes on trying while the server does not answer; 30 seconds by
    /// default, and at most a minute is of use.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.server.patience = patience;
        self
    }

    /// Sets how much the large contents of a session may take; 1 GiB by default.
    #[must_use]
    pub fn blob_bytes(mut self, bytes: u64) -> Self {
        self.blob_bytes = bytes;
        self
    }

    fn config(&self, name: String, subjects: Vec<String>, description: String) -> Config {
        Config {
            name,
            subjects,
            description: Some(description),
            storage: match self.storage {
                NatsStorage::File => StorageType::File,
                NatsStorage::Memory => StorageType::Memory,
            },
            num_replicas: self.replicas,
            // A full stream refuses; it never drops events.
            discard: DiscardPolicy::New,
            allow_direct: true,
            ..Config::default()
        }
    }

    async fn create_sessions(&self, names: &Names) -> Result<()> {
        let (stream, subjects) = (names.sessions_stream(), names.sessions_subjects());
        let description = "who writes each session, and its snapshot".to_owned();
        let config = Config {
            max_messages_per_subject: 1,
            ..self.config(stream, subjects, description)
        };
        // What a subject holds is replaced.
        let config = Config {
            discard: DiscardPolicy::Old,
            ..config
        };
        self.server.create(&config).await
    }

    fn blobs(&self, names: &SessionNames, session: &SessionId) -> NatsBlobs {
        let subjects = vec![format!("{}.>", names.blobs)];
        let description = format!("large contents of session {session}");
        let config = self.config(names.blobs_stream.clone(), subjects, description);
        NatsBlobs {
            server: self.server.clone(),
            config: Arc::new(config),
            subject: names.blobs.clone(),
            room: None,
            limit_bytes: self.blob_bytes,
        }
    }

    fn pages(&self, names: &SessionNames) -> Pages {
        Pages {
            server: self.server.clone(),
            stream: names.events_stream.clone(),
            subject: names.events.clone(),
            place: Arc::new(Place::new(End::default())),
        }
    }

    fn snapshots(&self, names: &Names, session: &SessionNames) -> Snapshots {
        Snapshots {
            server: self.server.clone(),
            stream: names.sessions_stream(),
            subject: session.snapshots.clone(),
        }
    }

    /// Waits for a log of this session that was dropped here.
    async fn released(&self, session: &SessionId) {
        let release = self
            .releases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(session);
        if let Some(release) = release {
            // Its failure shows in the record.
            let _ = release.await;
        }
    }

    /// Ends a removal that was begun.
    async fn end_removal(&self, names: &Names, session: &SessionId, found: &Found) -> Result<()> {
        let own = names.session(session, &found.record.incarnation);
        self.server.delete(&own.events_stream).await?;
        self.server.delete(&own.blobs_stream).await?;
        let snapshots = format!("{}.>", own.snapshots);
        self.server
            .purge(&names.sessions_stream(), &snapshots, None)
            .await?;
        self.records(names, session).forget(found.sequence).await
    }

    fn records(&self, names: &Names, session: &SessionId) -> Records {
        Records::new(self.server.clone(), names, session)
    }
}

fn not_found(operation: &'static str, session: &SessionId) -> Error {
    Error::new(ErrorKind::NotFound, operation).with_object(session.as_str())
}

#[async_trait]
impl EventStore for NatsStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        let names = Names::new(&self.prefix)?;
        self.released(session).await;
        self.create_sessions(&names).await?;
        let records = self.records(&names, session);
        let tenure = loop {
            match Tenure::claim(&records, session, &writer.name, self.lease).await? {
                Claim::Taken(tenure) => break tenure,
                Claim::Removing(found) => self.end_removal(&names, session, &found).await?,
            }
        };
        let own = names.session(session, &tenure.incarnation);
        let config = self.config(
            own.events_stream.clone(),
            vec![own.events.clone()],
            format!("events of session {session}"),
        );
        self.server.create(&config).await?;
        let blobs = NatsBlobs {
            room: Some(Arc::default()),
            ..self.blobs(&own, session)
        };
        let log = NatsLog::open(
            session.clone(),
            tenure,
            records,
            self.pages(&own),
            self.snapshots(&names, &own),
            blobs,
            Arc::clone(&self.releases),
        );
        Ok(Box::new(log.await?))
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        const OPERATION: &str = "view event log";
        let names = Names::new(&self.prefix)?;
        let found = self.records(&names, session).read().await?;
        let found = found.filter(|found| !matches!(found.record.state, State::Removing));
        let found = found.ok_or_else(|| not_found(OPERATION, session))?;
        let own = names.session(session, &found.record.incarnation);
        let reader = NatsReader {
            pages: self.pages(&own),
            snapshots: self.snapshots(&names, &own),
            blobs: self.blobs(&own, session),
            follower: Follower::default(),
        };
        match reader.look().await {
            Ok(()) => Ok(Arc::new(reader)),
            Err(error) if error.kind() == ErrorKind::Gone => Err(not_found(OPERATION, session)),
            Err(error) => Err(error),
        }
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        let names = Names::new(&self.prefix)?;
        let stream = names.sessions_stream();
        if self.server.info(&stream).await?.is_none() {
            return Ok(Vec::new());
        }
        let handle = self.server.handle(&stream).await?;
        let failed = |error| failure::unavailable(&stream, error);
        let listed = handle.info_with_subjects(names.records()).await;
        let mut subjects = listed.map_err(failed)?;
        let mut sessions = Vec::new();
        while let Some(subject) = subjects.next().await {
            let (subject, _) = subject.map_err(failed)?;
            let session = names.session_of(&subject);
            sessions.extend(session.filter(|session| after.is_none_or(|after| session > after)));
        }
        sessions.sort();
        sessions.dedup();
        sessions.truncate(limit);
        Ok(sessions)
    }

    async fn remove(&self, session: &SessionId) -> Result<()> {
        const OPERATION: &str = "remove session";
        let names = Names::new(&self.prefix)?;
        self.released(session).await;
        let records = self.records(&names, session);
        loop {
            let Some(mut found) = records.read().await? else {
                return Err(not_found(OPERATION, session));
            };
            match &found.record.state {
                State::Removing => return self.end_removal(&names, session, &found).await,
                State::Held { holder, .. } if records.lease_left(&found).await?.is_some() => {
                    return Err(holder.clone().conflict(session));
                }
                _ => {}
            }
            let record = Record {
                state: State::Removing,
                ..found.record.clone()
            };
            if let Some(sequence) = records.replace(found.sequence, &record).await? {
                found.sequence = sequence;
                return self.end_removal(&names, session, &found).await;
            }
        }
    }
}

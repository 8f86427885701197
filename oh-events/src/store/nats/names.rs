//! What the streams and subjects of a store are called.

use oh_core::{Error, Result, SessionId};

/// Names that all sessions of a store share.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

/// Names of one session, from its creation to its removal.
#[derive(Clone, Debug)]
pub(super) struct SessionNames {
    pub(super) events_stream: String,
    pub(super) events: String,
    pub(super) blobs_stream: String,
    /// Comes before the name of a blob.
    pub(super) blobs: String,
    /// Comes before the number of a part.
    pub(super) snapshots: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Result<Self> {
        let fits = (1..=32).contains(&prefix.len())
            && prefix
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fits {
            let prefix = prefix.to_owned();
            return Ok(Self { prefix });
        }
        let detail = "a prefix is 1 to 32 of A-Z a-z 0-9 _";
        Err(Error::invalid("open event store", detail)
            .with_object(prefix.chars().take(64).collect::<String>()))
    }

    /// The stream of what is known of each session beside its events.
    pub(super) fn sessions_stream(&self) -> String {
        format!("{}-sessions", self.prefix)
    }

    pub(super) fn sessions_subjects(&self) -> Vec<String> {
        let prefix = &self.prefix;
        vec![
            self.records(),
            format!("{prefix}.snapshots.>"),
            self.clock(),
        ]
    }

    /// Written to learn the server's time.
    pub(super) fn clock(&self) -> String {
        format!("{}.clock", self.prefix)
    }

    pub(super) fn records(&self) -> String {
        format!("{}.sessions.*", self.prefix)
    }

    pub(super) fn record(&self, session: &SessionId) -> String {
        format!("{}.sessions.{}", self.prefix, token(session))
    }

    /// The session whose record has this subject.
    pub(super) fn session_of(&self, record: &str) -> Option<SessionId> {
        let token = record
            .strip_prefix(&self.prefix)?
            .strip_prefix(".sessions.")?;
        SessionId::new(token.replace('~', ".")).ok()
    }

    pub(super) fn session(&self, session: &SessionId, incarnation: &str) -> SessionNames {
        let (prefix, token) = (&self.prefix, token(session));
        SessionNames {
            events_stream: format!("{prefix}-events-{token}-{incarnation}"),
            events: format!("{prefix}.events.{token}.{incarnation}"),
            blobs_stream: format!("{prefix}-blobs-{token}-{incarnation}"),
            blobs: format!("{prefix}.blobs.{token}.{incarnation}"),
            snapshots: format!("{prefix}.snapshots.{token}.{incarnation}"),
        }
    }
}

/// A session's name as one token of a subject. No session's name has a `~`.
fn token(session: &SessionId) -> String {
    session.as_str().replace('.', "~")
}

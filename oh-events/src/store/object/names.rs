//! The names of the objects of a session.

use oh_core::SessionId;

/// The names that belong to one incarnation of a session.
#[derive(Clone, Debug)]
pub(super) struct Names {
    folder: String,
}

/// An object of events, as its name describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventsName {
    pub(super) first: u64,
    /// Set if it was merged.
    pub(super) end: Option<u64>,
}

/// The folder of all sessions' names.
pub(super) const INDEX: &str = "index";

pub(super) fn index(session: &SessionId) -> String {
    format!("{INDEX}/{session}")
}

impl Names {
    pub(super) fn new(session: &SessionId, incarnation: &str) -> Self {
        Self {
            folder: format!("data/{session}/{incarnation}"),
        }
    }

    /// Folder of everything.
    pub(super) fn all(&self) -> &str {
        &self.folder
    }

    pub(super) fn log(&self) -> String {
        format!("{}/log", self.folder)
    }

    pub(super) fn events(&self, name: EventsName) -> String {
        match name.end {
            None => format!("{}/log/{:020}.log", self.folder, name.first),
            Some(end) => format!("{}/log/{:020}-{end:020}.log", self.folder, name.first),
        }
    }

    pub(super) fn fences(&self) -> String {
        format!("{}/fence", self.folder)
    }

    pub(super) fn fence(&self, first: u64) -> String {
        format!("{}/fence/{first:020}", self.folder)
    }

    pub(super) fn writers(&self) -> String {
        format!("{}/writer", self.folder)
    }

    pub(super) fn writer(&self, epoch: u64) -> String {
        format!("{}/writer/{epoch:020}.json", self.folder)
    }

    /// An object that tells the time of the storage.
    pub(super) fn clock(&self, nonce: &str) -> String {
        format!("{}/clock/{nonce}", self.folder)
    }

    pub(super) fn snapshot(&self) -> String {
        format!("{}/snapshot", self.folder)
    }

    pub(super) fn blobs(&self) -> String {
        format!("{}/blob", self.folder)
    }

    pub(super) fn blob(&self, id: &str) -> String {
        format!("{}/blob/{id}", self.folder)
    }

    pub(super) fn blob_part(&self, id: &str, offset: u64) -> String {
        format!("{}/blob/{id}/{offset:020}", self.folder)
    }
}

impl EventsName {
    /// Reads the last part of a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".log")?;
        let (first, end) = match stem.split_once('-') {
            None => (number(stem)?, None),
            Some((first, end)) => (number(first)?, Some(number(end)?)),
        };
        end.is_none_or(|end| end > first)
            .then_some(Self { first, end })
    }
}

/// Reads twenty digits.
pub(super) fn number(digits: &str) -> Option<u64> {
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

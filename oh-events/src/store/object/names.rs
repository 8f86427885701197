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
    pub(super) kind: Kind,
}

/// Where an object of events comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An append in the turn of a writer, or the end of that turn.
    Turn(u64),
    /// Merged from others, up to and without an event.
    Merged(u64),
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
        format!("{}/log/{}.log", self.folder, name.stem())
    }

    pub(super) fn fences(&self) -> String {
        format!("{}/fence", self.folder)
    }

    pub(super) fn fence(&self, name: EventsName) -> String {
        format!("{}/fence/{}", self.folder, name.stem())
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
    /// The append that begins with an event, in the turn of a writer.
    pub(super) fn turn(first: u64, turn: u64) -> Self {
        Self {
            first,
            kind: Kind::Turn(turn),
        }
    }

    /// Reads the last part of a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::parse_stem(name.strip_suffix(".log")?)
    }

    /// Reads the last part of a name of an object or of its fence, without its ending.
    pub(super) fn parse_stem(stem: &str) -> Option<Self> {
        let (first, kind) = match stem.split_once('-') {
            None => {
                let (first, turn) = stem.split_once('.')?;
                (number(first)?, Kind::Turn(number(turn)?))
            }
            Some((first, end)) => {
                let (first, end) = (number(first)?, number(end)?);
                (first, (end > first).then_some(Kind::Merged(end))?)
            }
        };
        Some(Self { first, kind })
    }

    fn stem(self) -> String {
        match self.kind {
            Kind::Turn(turn) => format!("{:020}.{turn:020}", self.first),
            Kind::Merged(end) => format!("{:020}-{end:020}", self.first),
        }
    }
}

/// Reads twenty digits.
pub(super) fn number(digits: &str) -> Option<u64> {
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

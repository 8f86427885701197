//! Messages of the stream of events, and what they put together.

use async_nats::HeaderMap;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use bytes::{Bytes, BytesMut};
use oh_core::EventId;

use crate::store::Encoded;

const FIRST: &str = "Oh-First";
const COUNT: &str = "Oh-Count";
const EPOCH: &str = "Oh-Epoch";
const PART: &str = "Oh-Part";
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// What the headers of a message say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// Id of the first event of the batch.
    pub(super) first: u64,
    /// How many events the batch has; 0 for the mark of a writer that came.
    pub(super) count: u64,
    /// Tenure of the writer.
    pub(super) epoch: u64,
    /// Which part of the batch this is, from 1.
    pub(super) part: u64,
    /// How many parts the batch has.
    pub(super) parts: u64,
    /// Unlike that of any other message, but for copies of this one.
    pub(super) id: String,
}

impl Heading {
    /// Reads headers; `None` for a message that no writer of events wrote.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let number = |name| headers.get(name)?.as_str().parse().ok();
        let (part, parts) = match headers.get(PART) {
            None => (1, 1),
            Some(part) => {
                let (part, parts) = part.as_str().split_once('/')?;
                (part.parse().ok()?, parts.parse().ok()?)
            }
        };
        Some(Self {
            first: number(FIRST)?,
            count: number(COUNT)?,
            epoch: number(EPOCH)?,
            part,
            parts,
            id: headers.get(MESSAGE_ID)?.as_str().to_owned(),
        })
        .filter(|heading| (1..=heading.parts).contains(&heading.part))
    }

    /// The message that is stored only where the stream ends with `after`.
    pub(super) fn message(&self, payload: Bytes, after: u64) -> PublishMessage {
        let mut message = PublishMessage::build()
            .payload(payload)
            .message_id(&self.id)
            .expected_last_sequence(after)
            .header(FIRST, self.first.to_string().as_str())
            .header(COUNT, self.count.to_string().as_str())
            .header(EPOCH, self.epoch.to_string().as_str());
        if self.parts > 1 {
            let part = format!("{}/{}", self.part, self.parts);
            message = message.header(PART, part.as_str());
        }
        message
    }

    pub(super) fn is_last(&self) -> bool {
        self.part == self.parts
    }

    /// Id of the event that follows this message: a batch counts from its last part on.
    pub(super) fn next(&self) -> u64 {
        if self.is_last() {
            self.first.saturating_add(self.count)
        } else {
            self.first
        }
    }
}

/// A message and its place in the stream.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) sequence: u64,
    pub(super) heading: Heading,
    pub(super) payload: Bytes,
}

impl Piece {
    pub(super) fn read(message: StreamMessage) -> Option<Self> {
        Some(Self {
            sequence: message.sequence,
            heading: Heading::read(&message.headers)?,
            payload: message.payload,
        })
    }

    /// Where the first part of this batch lies, as far as the message can be believed.
    pub(super) fn begin(&self) -> u64 {
        self.sequence.saturating_sub(self.heading.part - 1).max(1)
    }
}

/// A whole batch.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) count: u64,
    /// Number of its first message.
    pub(super) begin: u64,
    /// Number of its last message.
    pub(super) end: u64,
    lines: Bytes,
}

impl Batch {
    /// Id after its last event.
    pub(super) fn next(&self) -> u64 {
        self.first.saturating_add(self.count)
    }

    /// The events, or `None` if they are not as many lines as the heading says.
    pub(super) fn events(&self) -> Option<Vec<Encoded>> {
        let mut events = Vec::new();
        let mut ids = self.first..self.next();
        let mut start = 0;
        for line in self.lines.split(|byte| *byte == b'\n') {
            let end = start + line.len();
            let id = EventId(ids.next()?);
            events.push(Encoded::new(id, self.lines.slice(start..end)).ok()?);
            start = end + 1;
        }
        ids.next().is_none().then_some(events)
    }
}

/// Puts batches together from messages in the order of the stream. Parts that were never followed
/// by the last one are passed over.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    open: Option<(Piece, BytesMut)>,
}

impl Assembly {
    pub(super) fn push(&mut self, piece: Piece) -> Option<Batch> {
        let heading = &piece.heading;
        if heading.parts == 1 {
            self.open = None;
            return Some(batch(&piece, piece.sequence, piece.payload.clone()));
        }
        if heading.part == 1 {
            let lines = BytesMut::from(piece.payload.as_ref());
            self.open = Some((piece, lines));
            return None;
        }
        let (last, mut lines) = self.open.take()?;
        let follows = last.sequence + 1 == piece.sequence
            && last.heading.part + 1 == heading.part
            && last.heading.parts == heading.parts
            && last.heading.first == heading.first
            && last.heading.epoch == heading.epoch;
        if !follows {
            return None;
        }
        lines.extend_from_slice(&piece.payload);
        if heading.is_last() {
            return Some(batch(&piece, piece.begin(), lines.freeze()));
        }
        self.open = Some((piece, lines));
        None
    }
}

fn batch(last: &Piece, begin: u64, lines: Bytes) -> Batch {
    Batch {
        first: last.heading.first,
        count: last.heading.count,
        begin,
        end: last.sequence,
        lines,
    }
}

/// What a batch is written as.
pub(super) fn lines(batch: &[Encoded]) -> Bytes {
    if let [event] = batch {
        return event.json().clone();
    }
    let bytes = batch.iter().map(|event| event.json().len() + 1).sum();
    let mut lines = BytesMut::with_capacity(bytes);
    for (at, event) in batch.iter().enumerate() {
        if at > 0 {
            lines.extend_from_slice(b"\n");
        }
        lines.extend_from_slice(event.json());
    }
    lines.freeze()
}

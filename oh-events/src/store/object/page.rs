//! Reading a page of events from objects.

use std::cmp::Reverse;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use oh_core::{Error, ErrorKind, EventId, Result};

use crate::store::{Damage, Direction, Encoded, ReadRange};

use super::body::{self, Block, Lines};
use super::client::AT_ONCE;
use super::layout::{Layout, Piece};
use super::shared::{Shared, WHOLE_BYTES};

const OPERATION: &str = "read events";

/// How often a page is begun again because objects were merged meanwhile.
const TRIES: usize = 4;

/// A part of a page: events of one object, or of none.
#[derive(Clone, Copy, Debug)]
struct Span {
    piece: Option<Piece>,
    from: u64,
    to: u64,
}

/// Reads a page.
pub(super) async fn read(shared: &Shared, range: ReadRange) -> Result<Vec<Encoded>> {
    let mut damaged = false;
    for _ in 0..TRIES {
        let spans = plan(&shared.layout(), range);
        match fill(shared, range, spans).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A listing that was taken while others merged can miss an object.
            Err(error) if !damaged && Damage::of(&error).is_some() => damaged = true,
            result => return result,
        }
        shared.look().await?;
    }
    let lost = EventId(range.from.0.min(shared.next()));
    Err(Error::new(ErrorKind::NotFound, OPERATION)
        .with_object(lost.to_string())
        .with_detail("the session was removed, or an object of it was lost"))
}

/// Chooses the spans of a page, in the order of its direction.
fn plan(layout: &Layout, range: ReadRange) -> Vec<Span> {
    let mut to = range.to.0.min(layout.next);
    let mut from = range.from.0;
    let most = range.limit as u64;
    match range.direction {
        Direction::Forward => to = to.min(from.saturating_add(most)),
        Direction::Reverse => from = from.max(to.saturating_sub(most)),
    }
    let mut spans = Vec::new();
    let mut at = from;
    let mut pieces = layout
        .pieces
        .get(layout.position(at)..)
        .unwrap_or_default()
        .iter();
    while at < to {
        let piece = pieces.next().copied();
        let hole_end = piece.map_or(to, |piece| piece.first).min(to);
        if hole_end > at {
            spans.push(Span {
                piece: None,
                from: at,
                to: hole_end,
            });
            at = hole_end;
        }
        if let Some(piece) = piece.filter(|piece| at < to && piece.end > at) {
            let end = piece.end.min(to);
            spans.push(Span {
                piece: Some(piece),
                from: at,
                to: end,
            });
            at = end;
        }
    }
    if range.direction == Direction::Reverse {
        spans.reverse();
    }
    spans
}

async fn fill(shared: &Shared, range: ReadRange, spans: Vec<Span>) -> Result<Vec<Encoded>> {
    let mut page = Page::new(range);
    // Objects are fetched side by side while those before them are taken in.
    let fetches: Vec<_> = spans
        .into_iter()
        .map(|span| fetch(shared, span, range))
        .collect();
    let mut fetched = stream::iter(fetches).buffered(AT_ONCE);
    while let Some(fetched) = fetched.next().await {
        let (span, lines, covered) = fetched?;
        page.take(lines);
        let is_whole = covered == (span.from, span.to);
        if page.is_full() || !is_whole {
            break;
        }
    }
    page.finish()
}

/// Fetches the events of a span, or of the part of it that fills a page. Returns the ids that were
/// looked at, too.
async fn fetch(shared: &Shared, span: Span, range: ReadRange) -> Result<(Span, Lines, (u64, u64))> {
    let Some(piece) = span.piece else {
        let mut lines = Lines::default();
        let place = shared.names.log();
        let damage = Damage::new(EventId(span.from), EventId(span.to), place, 0);
        lines.damage.push(damage);
        return Ok((span, lines, (span.from, span.to)));
    };
    let place = shared.names.events(piece.name());
    let head = if piece.bytes > WHOLE_BYTES {
        shared.head(&piece).await?
    } else {
        None
    };
    let Some(head) = head else {
        let body = shared.body(OPERATION, &piece).await?;
        let lines = body::read(&body, 0, piece.first, piece.end, &place);
        let lines = within(lines, span.from, span.to);
        return Ok((span, lines, (span.from, span.to)));
    };
    let (head, size) = &*head;
    let blocks = choose(head.blocks(*size, piece.bytes), span, range);
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return Ok((span, Lines::default(), (span.from, span.to)));
    };
    let bytes = first.bytes.start..last.bytes.end;
    let part = shared.client.get_range(OPERATION, &place, bytes).await?;
    let lines = body::read(&part, first.bytes.start, first.first, last.end, &place);
    let covered = (span.from.max(first.first), span.to.min(last.end));
    Ok((span, within(lines, covered.0, covered.1), covered))
}

/// The blocks that hold a span, up to as many as fill a page.
fn choose(blocks: Vec<Block>, span: Span, range: ReadRange) -> Vec<Block> {
    let inside = blocks
        .into_iter()
        .filter(|block| block.end > span.from && block.first < span.to);
    let mut bytes = 0;
    let mut fits = |block: &Block| {
        let before = bytes;
        bytes += block.bytes.end - block.bytes.start;
        // The first one can hold no more than an event of the span.
        before < (range.max_bytes as u64).saturating_mul(2)
    };
    match range.direction {
        Direction::Forward => inside.take_while(&mut fits).collect(),
        Direction::Reverse => {
            let inside: Vec<Block> = inside.collect();
            let mut chosen: Vec<Block> = inside.into_iter().rev().take_while(&mut fits).collect();
            chosen.reverse();
            chosen
        }
    }
}

fn within(mut lines: Lines, from: u64, to: u64) -> Lines {
    lines.events.retain(|(id, _)| (from..to).contains(&id.0));
    lines
        .damage
        .retain(|damage| damage.to.0 > from && damage.from.0 < to);
    lines
}

/// A page that is being filled.
struct Page {
    range: ReadRange,
    events: Vec<(EventId, Bytes)>,
    bytes: usize,
    damage: Option<Damage>,
}

impl Page {
    fn new(range: ReadRange) -> Self {
        Self {
            range,
            events: Vec::new(),
            bytes: 0,
            damage: None,
        }
    }

    fn is_full(&self) -> bool {
        self.damage.is_some()
            || self.events.len() >= self.range.limit
            || (self.bytes >= self.range.max_bytes && !self.events.is_empty())
    }

    /// Takes events in the order of the page, up to damage.
    fn take(&mut self, lines: Lines) {
        let Lines {
            mut events,
            mut damage,
        } = lines;
        if self.range.direction == Direction::Reverse {
            events.sort_by_key(|(id, _)| Reverse(*id));
            damage.reverse();
        }
        let damage = damage.into_iter().next();
        for (id, json) in events {
            let is_behind = damage
                .as_ref()
                .is_some_and(|damage| match self.range.direction {
                    Direction::Forward => id >= damage.from,
                    Direction::Reverse => id < damage.from,
                });
            if is_behind || self.is_full() {
                break;
            }
            self.bytes += json.len();
            // A copy, as the event would hold the whole object in memory.
            self.events.push((id, Bytes::copy_from_slice(&json)));
        }
        if !self.is_full() {
            self.damage = damage;
        }
    }

    fn finish(self) -> Result<Vec<Encoded>> {
        match self.damage {
            Some(damage) if self.events.is_empty() => Err(damage.into()),
            _ => self
                .events
                .into_iter()
                .map(|(id, json)| Encoded::new(id, json))
                .collect(),
        }
    }
}

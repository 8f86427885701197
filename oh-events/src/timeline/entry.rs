//! Entries of a timeline.

use std::collections::BTreeMap;
use std::fmt;

use oh_core::{Event, EventBody, EventId, Source};

use super::{line, words};

/// Actions whose time is remembered until they are answered; the oldest is forgotten first.
const MAX_OPEN: usize = 10_000;

/// Makes entries of the events of a log, in their order.
#[derive(Clone, Debug)]
pub struct Timeline {
    lines: usize,
    start: Option<i64>,
    /// When the actions began that are not answered yet.
    open: BTreeMap<EventId, i64>,
}

/// Whether an event reports a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It does not.
    Fine,
    /// It is an error, a command that did not end well, or an agent that failed.
    Failed,
}

/// An event as people read it. Its texts are harmless to a terminal, and long ones are cut.
///
/// Displays as a line and, below it, what was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The event.
    pub id: EventId,
    /// Microseconds since the first event, where both have a time.
    pub at_micros: Option<i64>,
    /// Who it comes from.
    pub source: Source,
    /// Its kind.
    pub kind: String,
    /// The action that it answers.
    pub cause: Option<EventId>,
    /// Microseconds from the action that it answers, where both were seen.
    pub took_micros: Option<i64>,
    /// Whether it reports a failure.
    pub outcome: Outcome,
    /// Not meant for the model or the user.
    pub hidden: bool,
    /// What it says.
    pub head: String,
    /// The lines below, the first few of them.
    pub body: Vec<String>,
    /// How many lines more there are.
    pub more_lines: usize,
}

impl Default for Timeline {
    /// Shows eight lines of what was printed.
    fn default() -> Self {
        Self {
            lines: 8,
            start: None,
            open: BTreeMap::new(),
        }
    }
}

impl Timeline {
    /// Sets how many lines of what was printed are shown.
    #[must_use]
    pub fn lines(mut self, lines: usize) -> Self {
        self.lines = lines;
        self
    }

    /// Makes the entry of the next event.
    pub fn entry(&mut self, event: &Event) -> Entry {
        let now = event.time.micros();
        self.start = self.start.or(now);
        let since = |then: Option<i64>| Some(now?.saturating_sub(then?));
        let began = event.cause.and_then(|cause| self.open.remove(&cause));
        if let (EventBody::Action(_), Some(now)) = (&event.body, now) {
            self.open.insert(event.id, now);
            if self.open.len() > MAX_OPEN {
                self.open.pop_first();
            }
        }
        let (head, below) = words::of_event(event);
        let (body, more_lines) = line::fold(&below, self.lines);
        Entry {
            id: event.id,
            at_micros: since(self.start),
            source: event.source,
            kind: line::clean(event.body.kind()),
            cause: event.cause,
            took_micros: since(began),
            outcome: words::outcome(event),
            hidden: event.hidden,
            head: line::clean(head.trim_end()),
            body,
            more_lines,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self
            .at_micros
            .map_or_else(|| "?".to_owned(), |at| format!("+{}", span(at)));
        let source = match self.source {
            Source::Agent => "agent",
            Source::User => "user",
            _ => "environment",
        };
        let mark = match self.outcome {
            Outcome::Fine => "",
            Outcome::Failed => "✗ ",
        };
        write!(f, "{at:>9}  #{} {mark}{source} {}", self.id, self.kind)?;
        if let Some(cause) = self.cause {
            write!(f, " (answers #{cause}")?;
            if let Some(took) = self.took_micros {
                write!(f, " in {}", span(took))?;
            }
            f.write_str(")")?;
        }
        if !self.head.is_empty() {
            write!(f, ": {}", self.head)?;
        }
        for line in &self.body {
            write!(f, "\n           {line}")?;
        }
        match self.more_lines {
            0 => Ok(()),
            1 => f.write_str("\n           … 1 more line"),
            more => write!(f, "\n           … {more} more lines"),
        }
    }
}

fn span(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    match seconds.abs() {
        0 => format!("{}ms", micros / 1000),
        1..60 => format!("{seconds}.{}s", micros.abs() / 100_000 % 10),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds.abs() % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds.abs() / 60 % 60),
    }
}

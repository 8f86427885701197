//! Which events a reader wants.

use oh_core::{Event, EventBody, EventId, Source, Timestamp};

/// Which events a reader wants; all that is set must hold.
///
/// ```
/// use oh_core::Source;
/// use oh_events::Filter;
/// let commands_of_the_agent = Filter::new().actions().kind("run").source(Source::Agent);
/// # let _ = commands_of_the_agent;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    class: Option<Class>,
    kinds: Vec<String>,
    without_kinds: Vec<String>,
    sources: Vec<Source>,
    cause: Option<EventId>,
    /// Microseconds of the first instant that is wanted, and of the first one after.
    since: Option<i64>,
    until: Option<i64>,
    text: Option<String>,
    visible: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Actions,
    Observations,
}

impl Filter {
    /// Wants every event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wants actions.
    #[must_use]
    pub fn actions(mut self) -> Self {
        self.class = Some(Class::Actions);
        self
    }

    /// Wants observations.
    #[must_use]
    pub fn observations(mut self) -> Self {
        self.class = Some(Class::Observations);
        self
    }

    /// Wants a kind (as [`EventBody::kind`] names it); several calls want any of them.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kinds.push(kind.into());
        self
    }

    /// Does not want a kind.
    #[must_use]
    pub fn without_kind(mut self, kind: impl Into<String>) -> Self {
        self.without_kinds.push(kind.into());
        self
    }

    /// Wants events of a source; several calls want any of them.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Wants what answers an action.
    #[must_use]
    pub fn cause(mut self, action: EventId) -> Self {
        self.cause = Some(action);
        self
    }

    /// Wants events of this instant or later. Events whose timestamp cannot be read are not wanted,
    /// and none is if this one cannot be read. Texts without a zone are taken as UTC, as
    /// [`Timestamp::micros`] does.
    #[must_use]
    pub fn since(mut self, time: &Timestamp) -> Self {
        self.since = Some(time.micros().unwrap_or(i64::MAX));
        self
    }

    /// Wants events from before this instant, under the same conditions as
    /// [`since`](Self::since).
    #[must_use]
    pub fn until(mut self, time: &Timestamp) -> Self {
        self.until = Some(time.micros().unwrap_or(i64::MIN));
        self
    }

    /// Wants events one of whose texts contains this, in any case of letters.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        self.text = Some(text.as_ref().to_lowercase());
        self
    }

    /// Does not want hidden events.
    #[must_use]
    pub fn visible(mut self) -> Self {
        self.visible = true;
        self
    }

    /// Whether an event is wanted.
    pub fn matches(&self, event: &Event) -> bool {
        let class = match self.class {
            None => true,
            Some(Class::Actions) => matches!(event.body, EventBody::Action(_)),
            Some(Class::Observations) => matches!(event.body, EventBody::Observation(_)),
        };
        let is = |kinds: &[String]| kinds.iter().any(|kind| kind == event.body.kind());
        class
            && (self.kinds.is_empty() || is(&self.kinds))
            && !is(&self.without_kinds)
            && (self.sources.is_empty() || self.sources.contains(&event.source))
            && self.cause.is_none_or(|cause| event.cause == Some(cause))
            && !(self.visible && event.hidden)
            && self.is_in_time(event)
            && self
                .text
                .as_deref()
                .is_none_or(|text| contains(event, text))
    }

    fn is_in_time(&self, event: &Event) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        event.time.micros().is_some_and(|time| {
            self.since.is_none_or(|since| time >= since)
                && self.until.is_none_or(|until| time < until)
        })
    }
}

fn contains(event: &Event, text: &str) -> bool {
    let mut found = false;
    event.visit_text(&mut |candidate| {
        found = found || candidate.to_lowercase().contains(text);
    });
    found
}

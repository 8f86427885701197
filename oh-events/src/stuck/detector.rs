//! The detector.

use oh_core::{Action, Event, EventBody, Observation, Source};

use crate::attendance::Attendance;

use super::found::Stuck;
use super::frame::{Author, Frame};
use super::window::Place;

/// Delegates within delegates that have a history of their own; deeper ones share the last.
const MAX_DEPTH: usize = 16;

/// Which history is looked at, and what is a wait.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StuckOptions {
    /// Headless, all of the history counts; interactive, what came after the last message of the
    /// user.
    pub attendance: Attendance,
    /// After how many waits in a row without anything new an agent counts as stuck; `None` for
    /// never. 30 by default.
    pub waits: Option<usize>,
    /// Names actions that wait, beyond those that are known to.
    pub also_waits: Option<fn(&Action) -> bool>,
}

impl Default for StuckOptions {
    fn default() -> Self {
        Self {
            attendance: Attendance::default(),
            waits: Some(30),
            also_waits: None,
        }
    }
}

impl StuckOptions {
    /// Sets the [`attendance`](Self::attendance).
    #[must_use]
    pub fn attendance(mut self, attendance: Attendance) -> Self {
        self.attendance = attendance;
        self
    }

    /// Sets how many [`waits`](Self::waits) may bring nothing new.
    #[must_use]
    pub fn waits(mut self, waits: impl Into<Option<usize>>) -> Self {
        self.waits = waits.into();
        self
    }

    /// Names further actions that wait, such as a tool that asks for the state of a job. Their
    /// results are compared: one that differs from the last is news.
    #[must_use]
    pub fn also_waits(mut self, waits: fn(&Action) -> bool) -> Self {
        self.also_waits = Some(waits);
        self
    }
}

/// Watches a session for loops, event by event. Its memory does not grow with the log, nor with
/// the size of events.
///
/// What OpenHands V0's controller keeps out of its history does not count: hidden events, nulls
/// (statuses and notes among them) and changes of the agent's state.
///
/// ```
/// use oh_core::action::RunAction;
/// use oh_core::observation::ErrorObservation;
/// use oh_core::{Draft, EventId, Source, Timestamp};
/// use oh_events::stuck::{LoopKind, StuckDetector};
///
/// let mut detector = StuckDetector::default();
/// let time = Timestamp::from_micros(0);
/// for step in 0..3 {
///     let action = Draft::new(Source::Agent, RunAction::new("mak"));
///     let error = Draft::new(Source::Environment, ErrorObservation::new("no such command"))
///         .cause(EventId(2 * step));
///     detector.observe(&action.into_event(EventId(2 * step), time.clone()));
///     detector.observe(&error.into_event(EventId(2 * step + 1), time.clone()));
/// }
/// let stuck = detector.stuck().map(|stuck| stuck.kind);
/// assert_eq!(stuck, Some(LoopKind::RepeatingActionError));
/// ```
#[derive(Clone, Debug, Default)]
pub struct StuckDetector {
    options: StuckOptions,
    frame: Frame,
    /// The histories of those who wait for a delegate, the outermost first.
    parents: Vec<Frame>,
    observed: u64,
}

impl StuckDetector {
    /// Starts with an empty history.
    pub fn new(options: StuckOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Takes the next event of the log and says whether the agent is stuck now.
    pub fn observe(&mut self, event: &Event) -> Option<Stuck> {
        let place = Place {
            index: self.observed,
            id: event.id,
        };
        self.observed += 1;
        if !event.hidden {
            match &event.body {
                EventBody::Action(action) => self.action(place, event.source, action),
                EventBody::Observation(observation) => self.observation(place, event, observation),
                _ => {}
            }
        }
        self.stuck()
    }

    /// Whether the agent is stuck after what was observed.
    pub fn stuck(&self) -> Option<Stuck> {
        self.frame.find_loop(&self.options)
    }

    fn action(&mut self, place: Place, source: Source, action: &Action) {
        let author = match source {
            Source::Agent => Author::Agent,
            _ => Author::Other,
        };
        match action {
            Action::Null(_) | Action::ChangeAgentState(_) | Action::Confirm(_) => {}
            Action::Message(_) if source == Source::User => match self.options.attendance {
                Attendance::Headless => self.frame.interrupt(),
                Attendance::Interactive => self.frame = Frame::default(),
            },
            Action::Delegate(_) if self.parents.len() < MAX_DEPTH => {
                self.frame.action(place, author, action, &self.options);
                self.parents.push(std::mem::take(&mut self.frame));
            }
            _ => self.frame.action(place, author, action, &self.options),
        }
    }

    fn observation(&mut self, place: Place, event: &Event, observation: &Observation) {
        match observation {
            Observation::Null(_) | Observation::AgentStateChanged(_) => return,
            Observation::Delegate(_) => {
                if let Some(parent) = self.parents.pop() {
                    self.frame = parent;
                }
            }
            _ => {}
        }
        self.frame.observation(place, event.cause, observation);
    }
}

/// Looks for a loop at the end of a history: what a [`StuckDetector`] says that observed it.
pub fn find_loop<'e>(
    events: impl IntoIterator<Item = &'e Event>,
    options: StuckOptions,
) -> Option<Stuck> {
    let mut detector = StuckDetector::new(options);
    for event in events {
        detector.observe(event);
    }
    detector.stuck()
}

//! Waits: what counts as one, and whether it brought anything.

use std::collections::VecDeque;

use oh_core::observation::RunObservation;
use oh_core::{Action, EventId, Observation};

use super::detector::StuckOptions;
use super::found::{LoopKind, Stuck};
use super::print::Print;
use super::window::Place;

/// Actions that may be open at once; more are not taken for waits.
const MAX_OPEN: usize = 64;

/// What an action may be, until its observation tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Asks for new output of the command that runs.
    Look,
    /// Lets time pass, and perhaps looks afterwards.
    Sleep,
    /// The same look at the world as after the wait before.
    Check,
    /// Words between waits.
    Thought,
}

/// How a reply settles an open action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It was a wait.
    Wait,
    /// It was like any other.
    Step,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Waits {
    open: VecDeque<(Place, Wait)>,
    /// The latest step is a wait.
    waiting: bool,
    /// No other step came after a wait yet.
    after_wait: bool,
    /// What was done after the wait before.
    check: Option<Print>,
    /// That action, until it is answered.
    unanswered_check: Option<EventId>,
    /// What was seen last.
    seen: Option<Print>,
    /// The first of the waits in a row that brought nothing new, the last one, and their number.
    unchanged: Option<(Place, Place, usize)>,
}

impl Waits {
    /// True while the latest step is a wait.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Takes an action; true if its observation decides what it was.
    pub(super) fn action(
        &mut self,
        place: Place,
        action: &Action,
        print: Print,
        options: &StuckOptions,
    ) -> bool {
        let wait = self.wait_of(action, print, options);
        let Some(wait) = wait.filter(|_| self.open.len() < MAX_OPEN) else {
            self.step(place, action, print);
            return false;
        };
        self.open.push_back((place, wait));
        self.waiting = true;
        true
    }

    /// Takes the observation of an action; `None` if that was not open.
    pub(super) fn reply(&mut self, cause: EventId, observation: &Observation) -> Option<Settled> {
        if self.unanswered_check == Some(cause) {
            self.unanswered_check = None;
            self.seen = Some(Print::of_text(observation.content()));
        }
        let at = self.open.iter().position(|(place, _)| place.id == cause)?;
        let (place, wait) = self.open.remove(at)?;
        let is_running = match observation {
            Observation::Run(run) => still_runs(run),
            _ => false,
        };
        let is_wait = match (wait, observation) {
            (_, Observation::UserRejected(_)) => false,
            (Wait::Look, _) => is_running,
            (Wait::Sleep, _) => {
                !matches!(observation, Observation::Error(_) | Observation::Failure(_))
            }
            (Wait::Check | Wait::Thought, _) => true,
        };
        if !is_wait {
            self.waiting = !self.open.is_empty();
            self.unchanged = None;
            return Some(Settled::Step);
        }
        self.after_wait |= matches!(wait, Wait::Look | Wait::Sleep);
        if wait != Wait::Thought {
            self.count(place, observation.content(), is_running);
        }
        Some(Settled::Wait)
    }

    /// Someone else acted: what was waited for until now does not count.
    pub(super) fn interrupt(&mut self) {
        self.waiting = !self.open.is_empty();
        self.unchanged = None;
    }

    /// The agent waits, and nothing changes.
    pub(super) fn find_loop(&self, limit: Option<usize>) -> Option<Stuck> {
        let (first, last, count) = self.unchanged?;
        if count < limit? {
            return None;
        }
        Some(Stuck {
            kind: LoopKind::WaitingWithoutChange,
            repeats: count,
            start_index: first.index,
            events: if first == last {
                vec![first.id]
            } else {
                vec![first.id, last.id]
            },
        })
    }

    fn wait_of(&self, action: &Action, print: Print, options: &StuckOptions) -> Option<Wait> {
        match action {
            Action::Run(run) if run.command.trim().is_empty() => Some(Wait::Look),
            Action::Run(run) if begins_with_a_pause(&run.command) => Some(Wait::Sleep),
            other if options.also_waits.is_some_and(|waits| waits(other)) => Some(Wait::Sleep),
            Action::Think(_) if self.waiting => Some(Wait::Thought),
            _ if self.after_wait && self.check == Some(print) => Some(Wait::Check),
            _ => None,
        }
    }

    /// Takes an action that is no wait.
    fn step(&mut self, place: Place, action: &Action, print: Print) {
        self.waiting = false;
        if matches!(
            action,
            Action::Think(_) | Action::Message(_) | Action::TaskTracking(_)
        ) {
            return;
        }
        self.unchanged = None;
        if std::mem::take(&mut self.after_wait) {
            self.check = Some(print);
            self.unanswered_check = Some(place.id);
        }
    }

    fn count(&mut self, place: Place, content: &str, is_running: bool) {
        let is_new = if content.trim().is_empty() {
            false
        } else if is_running {
            // Of a command that runs, only what it printed since the last look is shown.
            true
        } else {
            let print = Print::of_text(content);
            self.seen.replace(print) != Some(print)
        };
        self.unchanged = match self.unchanged {
            _ if is_new => None,
            Some((first, _, count)) => Some((first, place, count + 1)),
            None => Some((place, place, 1)),
        };
    }
}

/// Whether the command goes on; OpenHands V0 says so in words alone.
fn still_runs(run: &RunObservation) -> bool {
    let suffix = run.metadata.suffix.trim_start();
    let says_so = suffix.starts_with("[The command has no new output after")
        || suffix.starts_with("[The command timed out after");
    run.details.pause.is_some()
        || run.details.exit.is_none() && run.metadata.exit_code == -1 && says_so
}

/// Whether the first word of a command line lets time pass.
fn begins_with_a_pause(command: &str) -> bool {
    let word = command
        .trim_start()
        .split(|c: char| c.is_whitespace() || ";&|".contains(c))
        .next();
    matches!(word, Some("sleep" | "wait"))
}

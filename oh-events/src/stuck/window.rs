//! The end of a history, as far back as the rules look.

use std::collections::VecDeque;

use oh_core::{EventId, Observation};

use super::found::{LoopKind, Stuck};
use super::print::Print;
use super::syntax_error::{self, SyntaxErrors};

/// Actions and observations that the longest rule compares.
const COMPARED: usize = 6;

/// Messages that a monologue has.
const MESSAGES: usize = 3;

/// Condensations that a loop has.
const CONDENSATIONS: usize = 10;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) index: u64,
    pub(super) id: EventId,
}

/// Whether an action is in the history for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Settled,
    /// Its observation decides whether it was a wait.
    Open,
}

#[derive(Clone, Debug, PartialEq)]
struct Acted {
    place: Place,
    print: Print,
    standing: Standing,
}

#[derive(Clone, Debug, PartialEq)]
struct Observed {
    place: Place,
    print: Print,
    is_error: bool,
    /// Present for the output of a cell.
    syntax_errors: Option<SyntaxErrors>,
}

#[derive(Clone, Debug, PartialEq)]
struct Said {
    place: Place,
    print: Print,
    /// Observations before it.
    observations: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Window {
    actions: VecDeque<Acted>,
    observations: VecDeque<Observed>,
    messages: VecDeque<Said>,
    /// Condensations that the history ends in.
    condensations: VecDeque<Place>,
    observed: u64,
}

impl Window {
    pub(super) fn push_action(&mut self, place: Place, print: Print, standing: Standing) {
        self.condensations.clear();
        self.actions.push_back(Acted {
            place,
            print,
            standing,
        });
        self.trim();
    }

    pub(super) fn push_message(&mut self, place: Place, print: Print) {
        self.condensations.clear();
        if self.messages.len() == MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(Said {
            place,
            print,
            observations: self.observed,
        });
    }

    pub(super) fn push_observation(&mut self, place: Place, observation: &Observation) {
        self.observed += 1;
        if matches!(observation, Observation::Condense(_)) {
            if self.condensations.len() == CONDENSATIONS {
                self.condensations.pop_front();
            }
            self.condensations.push_back(place);
        } else {
            self.condensations.clear();
        }
        if self.observations.len() == COMPARED {
            self.observations.pop_front();
        }
        self.observations.push_back(Observed {
            place,
            print: Print::of_observation(observation),
            is_error: matches!(observation, Observation::Error(_) | Observation::Failure(_)),
            syntax_errors: match observation {
                Observation::RunPython(cell) => Some(syntax_error::find(&cell.content)),
                _ => None,
            },
        });
    }

    /// Notes an observation that is not compared.
    pub(super) fn pass_observation(&mut self) {
        self.observed += 1;
        self.condensations.clear();
    }

    /// Keeps an open action.
    pub(super) fn settle(&mut self, action: EventId) {
        let mut actions = self.actions.iter_mut();
        if let Some(acted) = actions.find(|acted| acted.place.id == action) {
            acted.standing = Standing::Settled;
        }
        self.trim();
    }

    /// Takes an open action out again.
    pub(super) fn forget(&mut self, action: EventId) {
        self.actions.retain(|acted| acted.place.id != action);
    }

    /// Keeps as many settled actions as are compared, so that they are there when open ones go.
    fn trim(&mut self) {
        let settled = |acted: &Acted| acted.standing == Standing::Settled;
        let mut extra = self.actions.iter().filter(|acted| settled(acted)).count();
        while extra > COMPARED {
            let first = self.actions.iter().position(settled);
            first.and_then(|first| self.actions.remove(first));
            extra -= 1;
        }
    }

    pub(super) fn find_loop(&self) -> Option<Stuck> {
        self.same_step()
            .or_else(|| self.same_error())
            .or_else(|| self.monologue())
            .or_else(|| self.pattern())
            .or_else(|| self.condensing())
    }

    fn same_step(&self) -> Option<Stuck> {
        let (actions, observations) = self.last(4)?;
        let is_loop = Print::all_equal(actions.iter().map(|acted| acted.print))
            && Print::all_equal(observations.iter().map(|observed| observed.print));
        is_loop.then(|| {
            steps(
                LoopKind::RepeatingActionObservation,
                4,
                &actions,
                &observations,
            )
        })?
    }

    fn same_error(&self) -> Option<Stuck> {
        let (actions, observations) = self.last(3)?;
        if !Print::all_equal(actions.iter().map(|acted| acted.print)) {
            return None;
        }
        let is_loop = observations.iter().all(|observed| observed.is_error)
            || same_syntax_error(&observations);
        is_loop.then(|| steps(LoopKind::RepeatingActionError, 3, &actions, &observations))?
    }

    fn monologue(&self) -> Option<Stuck> {
        let (first, last) = (self.messages.front()?, self.messages.back()?);
        let is_loop = self.messages.len() == MESSAGES
            && first.observations == last.observations
            && Print::all_equal(self.messages.iter().map(|said| said.print));
        is_loop.then(|| {
            found(
                LoopKind::Monologue,
                MESSAGES,
                self.messages.iter().map(|s| s.place),
            )
        })?
    }

    fn pattern(&self) -> Option<Stuck> {
        let (actions, observations) = self.last(COMPARED)?;
        let is_loop = [0, 1].into_iter().all(|turn| {
            Print::all_equal(actions.iter().skip(turn).step_by(2).map(|a| a.print))
                && Print::all_equal(observations.iter().skip(turn).step_by(2).map(|o| o.print))
        });
        is_loop.then(|| steps(LoopKind::RepeatingPattern, 3, &actions, &observations))?
    }

    fn condensing(&self) -> Option<Stuck> {
        let is_loop = self.condensations.len() == CONDENSATIONS;
        let places = self.condensations.iter().copied();
        is_loop.then(|| found(LoopKind::ContextWindowError, CONDENSATIONS, places))?
    }

    /// The last actions and observations, if there are as many.
    fn last(&self, count: usize) -> Option<(Vec<&Acted>, Vec<&Observed>)> {
        let actions = self.actions.len().checked_sub(count)?;
        let observations = self.observations.len().checked_sub(count)?;
        Some((
            self.actions.iter().skip(actions).collect(),
            self.observations.iter().skip(observations).collect(),
        ))
    }
}

fn same_syntax_error(observations: &[&Observed]) -> bool {
    (0..3).any(|error| {
        let places = observations.iter().map(|observed| {
            let errors = observed.syntax_errors.as_ref()?;
            errors.get(error).copied().flatten()
        });
        let same: Option<Vec<Print>> = places.collect();
        same.is_some_and(|same| Print::all_equal(same.into_iter()))
    })
}

fn steps(
    kind: LoopKind,
    repeats: usize,
    actions: &[&Acted],
    observations: &[&Observed],
) -> Option<Stuck> {
    let actions: Vec<Place> = actions.iter().map(|acted| acted.place).collect();
    let start_index = actions.first()?.index;
    let observations = observations.iter().map(|observed| observed.place);
    let mut stuck = found(kind, repeats, actions.into_iter().chain(observations))?;
    stuck.start_index = start_index;
    Some(stuck)
}

fn found(kind: LoopKind, repeats: usize, places: impl Iterator<Item = Place>) -> Option<Stuck> {
    let mut places: Vec<Place> = places.collect();
    places.sort_by_key(|place| place.index);
    Some(Stuck {
        kind,
        repeats,
        start_index: places.first()?.index,
        events: places.into_iter().map(|place| place.id).collect(),
    })
}

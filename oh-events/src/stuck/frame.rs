//! The history of one agent.

use oh_core::{Action, EventId, Observation};

use super::detector::StuckOptions;
use super::found::Stuck;
use super::print::Print;
use super::wait::{Settled, Waits};
use super::window::{Place, Standing, Window};

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Frame {
    window: Window,
    waits: Waits,
}

/// Whose action it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    Agent,
    Other,
}

impl Frame {
    pub(super) fn action(
        &mut self,
        place: Place,
        author: Author,
        action: &Action,
        options: &StuckOptions,
    ) {
        let print = Print::of_action(action);
        let is_message = matches!(action, Action::Message(_));
        if is_message && author == Author::Agent {
            self.window.push_message(place, print);
        }
        if is_message && self.waits.is_waiting() {
            return;
        }
        let standing = match self.waits.action(place, action, print, options) {
            true => Standing::Open,
            false => Standing::Settled,
        };
        self.window.push_action(place, print, standing);
    }

    pub(super) fn observation(
        &mut self,
        place: Place,
        cause: Option<EventId>,
        observation: &Observation,
    ) {
        let settled = cause.and_then(|cause| {
            let settled = self.waits.reply(cause, observation)?;
            match settled {
                Settled::Wait => self.window.forget(cause),
                Settled::Step => self.window.settle(cause),
            }
            Some(settled)
        });
        match settled {
            Some(Settled::Wait) => self.window.pass_observation(),
            _ => self.window.push_observation(place, observation),
        }
    }

    /// The user said something.
    pub(super) fn interrupt(&mut self) {
        self.waits.interrupt();
    }

    pub(super) fn find_loop(&self, options: &StuckOptions) -> Option<Stuck> {
        self.waits.find_loop(options.waits).or_else(|| {
            let is_waiting = self.waits.is_waiting();
            (!is_waiting).then(|| self.window.find_loop())?
        })
    }
}

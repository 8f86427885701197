//! What actions may be, before any policy is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use oh_core::action::Action;
use oh_core::{Error, ErrorKind, Result};

/// Kinds of actions that an executor carries out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Option<BTreeSet<String>>);

impl Permissions {
    /// Every kind.
    pub fn all() -> Self {
        Self(None)
    }

    /// These kinds alone, by [`Action::kind`]: `run`, `read`, `write`, `edit`, `file`, …
    pub fn only<K: Into<String>>(kinds: impl IntoIterator<Item = K>) -> Self {
        Self(Some(kinds.into_iter().map(Into::into).collect()))
    }

    pub(super) fn check(&self, action: &Action) -> Result<()> {
        match &self.0 {
            Some(allowed) if !allowed.contains(action.kind()) => {
                let names = allowed
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ");
                Err(Error::new(ErrorKind::Denied, action.kind().to_owned())
                    .with_detail(format!("this session allows only: {names}")))
            }
            _ => Ok(()),
        }
    }
}

/// Upper bounds of what an action may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActionLimits {
    /// Longest command text. Default 1 MiB.
    pub command_bytes: usize,
    /// Largest content of a written or edited file. Default 16 MiB.
    pub content_bytes: usize,
    /// Longest life of a command: a longer deadline is refused, and a command without one gets
    /// this. Not set by default. It counts for commands outside of persistent shells and in them.
    pub deadline: Option<Duration>,
    /// Longest time that an action may be waited for. Default 24 h.
    pub wait: Duration,
}

impl Default for ActionLimits {
    fn default() -> Self {
        Self {
            command_bytes: 1 << 20,
            content_bytes: 16 << 20,
            deadline: None,
            wait: Duration::from_secs(24 * 3600),
        }
    }
}

impl ActionLimits {
    /// Sets the longest command text.
    #[must_use]
    pub fn command_bytes(mut self, bytes: usize) -> Self {
        self.command_bytes = bytes;
        self
    }

    /// Sets the largest content.
    #[must_use]
    pub fn content_bytes(mut self, bytes: usize) -> Self {
        self.content_bytes = bytes;
        self
    }

    /// Sets the longest life of a command.
    #[must_use]
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    /// Sets the longest time of waiting.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// Refuses what is too much, and fills in the deadline where there is none.
    pub(super) fn apply(&self, mut action: Action) -> Result<Action> {
        let too_large = |what: &str, size: usize, limit: usize| {
            Err(
                Error::new(ErrorKind::TooLarge, action_name(what)).with_detail(format!(
                    "{what} has {size} bytes, at most {limit} are allowed"
                )),
            )
        };
        if let Action::Run(run) = &action
            && run.command.len() > self.command_bytes
        {
            return too_large("the command", run.command.len(), self.command_bytes);
        }
        let content = match &action {
            Action::Write(write) => write.content.len(),
            Action::Edit(edit) => [&edit.file_text, &edit.old_str, &edit.new_str]
                .into_iter()
                .flatten()
                .map(String::len)
                .sum(),
            _ => 0,
        };
        if content > self.content_bytes {
            return too_large("the content", content, self.content_bytes);
        }
        if action.timeout().is_some_and(|wait| wait > self.wait) {
            return Err(
                Error::new(ErrorKind::LimitExceeded, action.kind().to_owned())
                    .with_detail(format!("wait at most {} seconds", self.wait.as_secs())),
            );
        }
        if let Action::Run(run) = &mut action
            && run.blocking
        {
            // It would be waited for without any end.
            run.timeout.get_or_insert(self.wait);
        }
        if let (Action::Run(run), Some(limit)) = (&mut action, self.deadline) {
            match run.options.deadline {
                Some(asked) if asked > limit => {
                    return Err(
                        Error::new(ErrorKind::LimitExceeded, "run").with_detail(format!(
                            "the deadline is at most {} seconds",
                            limit.as_secs_f64()
                        )),
                    );
                }
                Some(_) => {}
                None => run.options.deadline = Some(limit),
            }
        }
        Ok(action)
    }
}

fn action_name(what: &str) -> &'static str {
    if what == "the command" {
        "run"
    } else {
        "write"
    }
}

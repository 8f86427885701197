//! How one observation differs from another.

use std::fmt;

use oh_core::observation::RunObservation;
use oh_core::{Observation, codec};
use serde_json::Value;

/// Characters of a line that a difference shows.
const SHOWN: usize = 200;

/// The first thing in which a run differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Another action was done.
    Action {
        /// Kind of the recorded one.
        recorded: String,
        /// Kind of the present one.
        now: String,
    },
    /// The step, or what came of it, is missing now.
    Missing,
    /// The step, or what came of it, is not in the recording.
    Added,
    /// It came to something else.
    Kind {
        /// Kind that was recorded.
        recorded: String,
        /// Present kind.
        now: String,
    },
    /// A command ended in another way.
    Exit {
        /// How it ended then.
        recorded: String,
        /// How it ended now.
        now: String,
    },
    /// The text differs.
    Content {
        /// The first line that does, from 1.
        line: usize,
        /// The recorded line, shortened; empty behind the end.
        recorded: String,
        /// The present line, shortened; empty behind the end.
        now: String,
    },
    /// A field differs.
    Field {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action { recorded, now } => write!(f, "action {now} instead of {recorded}"),
            Self::Missing => f.write_str("missing now"),
            Self::Added => f.write_str("not in the recording"),
            Self::Kind { recorded, now } | Self::Exit { recorded, now } => {
                write!(f, "{now} instead of {recorded}")
            }
            Self::Content {
                line,
                recorded,
                now,
            } => {
                write!(f, "line {line}: {now:?} instead of {recorded:?}")
            }
            Self::Field { name } => write!(f, "another {name}"),
        }
    }
}

/// Finds the first difference between what was recorded and what came now: kind, exit, text,
/// other fields. What differs between any two runs does not count: process ids, times, the
/// machine, what a command cost.
pub fn compare(recorded: &Observation, now: &Observation) -> Option<Difference> {
    if recorded.kind() != now.kind() {
        return Some(Difference::Kind {
            recorded: recorded.kind().to_owned(),
            now: now.kind().to_owned(),
        });
    }
    if let (Observation::Run(recorded), Observation::Run(now)) = (recorded, now) {
        return compare_commands(recorded, now);
    }
    content(recorded.content(), now.content()).or_else(|| field(recorded, now))
}

fn compare_commands(recorded: &RunObservation, now: &RunObservation) -> Option<Difference> {
    let (was, is) = (end(recorded), end(now));
    if was != is {
        return Some(Difference::Exit {
            recorded: was,
            now: is,
        });
    }
    let stderr = |run: &RunObservation| run.details.stderr.clone().unwrap_or_default();
    let named = |name: &str, differs: bool| {
        differs.then(|| Difference::Field {
            name: name.to_owned(),
        })
    };
    content(&recorded.content, &now.content)
        .or_else(|| content(&stderr(recorded), &stderr(now)))
        .or_else(|| named("command", recorded.command != now.command))
        .or_else(|| {
            let (was, is) = (&recorded.metadata.working_dir, &now.metadata.working_dir);
            named("working_dir", was.is_some() && is.is_some() && was != is)
        })
}

/// How a command stands; logs of OpenHands V0 know no more than the number.
fn end(run: &RunObservation) -> String {
    match (&run.details.exit, run.metadata.exit_code) {
        (_, _) if run.details.pause.is_some() => "still running".to_owned(),
        (Some(exit), -1) => exit.to_string(),
        (_, -1) => "no exit code".to_owned(),
        (_, code) => format!("exit code {code}"),
    }
}

fn content(recorded: &str, now: &str) -> Option<Difference> {
    if recorded == now {
        return None;
    }
    let (mut was, mut is) = (recorded.split('\n'), now.split('\n'));
    let mut line = 0;
    loop {
        line += 1;
        match (was.next(), is.next()) {
            (Some(recorded), Some(now)) if recorded == now => {}
            (recorded, now) => {
                let shown = |line: Option<&str>| line.unwrap_or("").chars().take(SHOWN).collect();
                return Some(Difference::Content {
                    line,
                    recorded: shown(recorded),
                    now: shown(now),
                });
            }
        }
    }
}

fn field(recorded: &Observation, now: &Observation) -> Option<Difference> {
    if recorded == now {
        return None;
    }
    let fields = |observation: &Observation| {
        let json = codec::encode_observation(observation);
        serde_json::from_str::<Value>(&json).unwrap_or_default()
    };
    let (was, is) = (fields(recorded), fields(now));
    let names = |value: &Value, part: &str| -> Vec<String> {
        let object = value.get(part).and_then(Value::as_object);
        object.map_or_else(Vec::new, |object| object.keys().cloned().collect())
    };
    for part in ["extras", "oh"] {
        let mut all = names(&was, part);
        all.extend(names(&is, part));
        let of = |value: &Value, name: &str| value.get(part).and_then(|p| p.get(name)).cloned();
        if let Some(name) = all.into_iter().find(|name| of(&was, name) != of(&is, name)) {
            return Some(Difference::Field { name });
        }
    }
    None
}

//! Equality of actions and observations, in 32 bytes.

use oh_core::observation::RunObservation;
use oh_core::{Action, Observation, codec};
use serde_json::Value;

/// Stands for an action or observation where only equality counts, so that remembering it costs
/// the same whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Print {
    /// Equal to all with the same digest.
    Of([u8; 32]),
    /// Equal to none, itself included.
    Never,
}

/// The call of an old editor whose code is compared in its first lines only.
const EDIT_CALL: &str = "edit_file_by_replace(";

impl Print {
    pub(super) fn of_action(action: &Action) -> Self {
        match action {
            Action::RunPython(cell) if cell.code.contains(EDIT_CALL) => {
                let mut lines = cell.code.splitn(4, '\n');
                match (lines.next(), lines.next(), lines.next()) {
                    (Some(first), Some(second), Some(third)) => {
                        Self::of_parts(["edit", first, second, third])
                    }
                    _ => Self::Never,
                }
            }
            other => Self::of_json(&codec::encode_action(other)),
        }
    }

    pub(super) fn of_observation(observation: &Observation) -> Self {
        match observation {
            Observation::Run(run) => Self::of_run(run),
            other => Self::of_json(&codec::encode_observation(other)),
        }
    }

    pub(super) fn of_text(text: &str) -> Self {
        Self::Of(hmac_sha256::Hash::hash(text.as_bytes()))
    }

    /// Of parts that hold no line feed, but perhaps the last.
    pub(super) fn of_parts<const N: usize>(parts: [&str; N]) -> Self {
        Self::of_text(&parts.join("\n"))
    }

    /// The command and how it ended; its output does not count.
    fn of_run(run: &RunObservation) -> Self {
        let code = run.metadata.exit_code;
        let end = match &run.details.exit {
            Some(exit) if code == -1 => format!("{exit:?}"),
            _ => code.to_string(),
        };
        Self::of_parts(["run", &end, &run.command])
    }

    /// The fields of a body: no words that are made from them, and nothing that says how long to
    /// wait or under which key to run.
    fn of_json(json: &str) -> Self {
        // A tree has one order of keys; what is too deep for a tree counts as it is written.
        let Ok(Value::Object(mut fields)) = serde_json::from_str(json) else {
            return Self::of_text(json);
        };
        for key in ["message", "timeout", "success"] {
            fields.remove(key);
        }
        if let Some(Value::Object(oh)) = fields.get_mut("oh") {
            oh.remove("key");
            if oh.is_empty() {
                fields.remove("oh");
            }
        }
        Self::of_text(&Value::Object(fields).to_string())
    }

    /// Whether all are equal to the first.
    pub(super) fn all_equal(mut prints: impl Iterator<Item = Self>) -> bool {
        match prints.next() {
            Some(first @ Self::Of(_)) => prints.all(|print| print == first),
            _ => false,
        }
    }
}

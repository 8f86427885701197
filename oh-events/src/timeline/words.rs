//! What an event says, in words.

use oh_core::observation::RunObservation;
use oh_core::{Action, Event, EventBody, Observation, codec};

use super::entry::Outcome;

/// The first line of an entry, and what stands below it.
pub(super) type Words = (String, String);

pub(super) fn of_event(event: &Event) -> Words {
    match &event.body {
        EventBody::Action(Action::Run(run)) => below(format!("$ {}", run.command)),
        EventBody::Action(_) => below(of_action(event)),
        EventBody::Observation(Observation::Run(run)) => (end(run), run.content.clone()),
        EventBody::Observation(Observation::AgentStateChanged(change)) => {
            below(format!("{} {}", change.agent_state, change.reason))
        }
        EventBody::Observation(other) => below(other.content().to_owned()),
        EventBody::Status(change) => below(format!("{} {}", change.status, change.detail)),
        EventBody::Note(note) => below(note.text.clone()),
        _ => below(String::new()),
    }
}

pub(super) fn outcome(event: &Event) -> Outcome {
    let failed = match &event.body {
        EventBody::Observation(Observation::Error(_) | Observation::Failure(_)) => true,
        EventBody::Observation(Observation::AgentStateChanged(change)) => {
            change.agent_state == "error"
        }
        EventBody::Observation(Observation::Run(run)) => {
            let has_ended = run.details.exit.is_some() || run.metadata.exit_code != -1;
            has_ended && run.metadata.exit_code != 0
        }
        _ => false,
    };
    match failed {
        true => Outcome::Failed,
        false => Outcome::Fine,
    }
}

/// The sentence about an action that stands in its JSON, or its fields.
fn of_action(event: &Event) -> String {
    let json = codec::event_to_value(event);
    let sentence = json.get("message").and_then(|message| message.as_str());
    match sentence.filter(|sentence| !sentence.is_empty()) {
        Some(sentence) => sentence.to_owned(),
        None => json
            .get("args")
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn end(run: &RunObservation) -> String {
    match (&run.details.exit, run.metadata.exit_code) {
        (Some(exit), _) => exit.to_string(),
        (None, -1) => "still running".to_owned(),
        (None, code) => format!("exit code {code}"),
    }
}

fn below(text: String) -> Words {
    match text.split_once('\n') {
        Some((first, rest)) => (first.to_owned(), rest.to_owned()),
        None => (text, String::new()),
    }
}

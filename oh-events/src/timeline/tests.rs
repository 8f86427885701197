use oh_core::action::{MessageAction, RunAction};
use oh_core::observation::{ErrorObservation, RunObservation};
use oh_core::{Draft, Event, EventBody, EventId, Exit, Source, Timestamp};

use super::*;

fn event(id: u64, millis: i64, cause: Option<u64>, body: impl Into<EventBody>) -> Event {
    let mut draft = Draft::new(Source::Agent, body);
    draft.cause = cause.map(EventId);
    draft.into_event(EventId(id), Timestamp::from_micros(millis * 1000))
}

fn shown(events: &[Event]) -> Vec<String> {
    let mut timeline = Timeline::default().lines(2);
    events
        .iter()
        .map(|event| timeline.entry(event).to_string())
        .collect()
}

#[test]
fn an_entry_says_when_it_was_what_it_answers_and_how_long_that_took() {
    let output = RunObservation::ended("a\nb\nc\nd\n", "ls", Exit::Code(0));
    let events = [
        event(0, 5_000, None, MessageAction::new("list it")),
        event(1, 5_250, None, RunAction::new("ls")),
        event(2, 66_250, Some(1), output),
        event(3, 3_700_000, Some(9), ErrorObservation::new("no")),
    ];
    assert_eq!(
        shown(&events),
        [
            "     +0ms  #0 agent message: list it",
            "   +250ms  #1 agent run: $ ls",
            "   +1m01s  #2 agent run (answers #1 in 1m01s): exit code 0\n           \
             a\n           b\n           … 2 more lines",
            "   +1h01m  #3 ✗ agent error (answers #9): no",
        ]
    );
}

#[test]
fn a_command_failed_if_it_ended_badly_and_not_while_it_runs() {
    let v0 = |code| {
        let mut run = RunObservation::new("", "ls");
        run.metadata.exit_code = code;
        run
    };
    for (run, head, outcome) in [
        (
            RunObservation::ended("", "ls", Exit::Code(0)),
            "exit code 0",
            Outcome::Fine,
        ),
        (
            RunObservation::ended("", "ls", Exit::Code(2)),
            "exit code 2",
            Outcome::Failed,
        ),
        (
            RunObservation::ended("", "ls", Exit::TimedOut),
            "ended at its deadline",
            Outcome::Failed,
        ),
        (v0(-1), "still running", Outcome::Fine),
        (v0(0), "exit code 0", Outcome::Fine),
        (v0(1), "exit code 1", Outcome::Failed),
    ] {
        let entry = Timeline::default().entry(&event(0, 0, None, run));
        assert_eq!((entry.head.as_str(), entry.outcome), (head, outcome));
    }
}

#[test]
fn nothing_in_a_log_reaches_the_terminal_as_a_control_sequence() {
    let nasty = "\u{1b}[2J\u{202e}x\rline";
    let entry = shown(&[
        event(0, 0, None, MessageAction::new(format!("{nasty}\n{nasty}"))),
        event(
            1,
            0,
            None,
            oh_core::action::CustomAction::new(nasty, serde_json::json!({"a": nasty})),
        ),
    ]);
    for entry in entry {
        assert!(!entry.contains(['\u{1b}', '\u{202e}', '\r']), "{entry:?}");
    }
    let long = shown(&[event(0, 0, None, MessageAction::new("ä".repeat(500)))]);
    assert!(long[0].chars().count() < 200 && long[0].ends_with('…'));
}

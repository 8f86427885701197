use oh_core::action::{
    ChangeAgentStateAction, CondensationRequestAction, ConfirmAction, ConfirmStep,
    ConfirmationState, MessageAction, RunAction,
};
use oh_core::event::{Metrics, ToolCallMetadata};
use oh_core::observation::{
    ErrorObservation, NullObservation, ReadObservation, RunObservation, UserRejectedObservation,
};
use oh_core::{
    Action, Draft, ErrorKind, Event, EventBody, EventId, Exit, IdempotencyKey, Observation, Source,
    Timestamp, codec,
};

use super::*;

#[derive(Clone, Default)]
struct Log(Vec<Event>);

impl Log {
    fn add(self, source: Source, body: impl Into<EventBody>) -> Self {
        self.draft(Draft::new(source, body))
    }

    fn draft(mut self, draft: Draft) -> Self {
        let id = EventId(self.0.len() as u64 + 10);
        self.0.push(draft.into_event(id, Timestamp::from_micros(1)));
        self
    }

    fn reply(self, body: impl Into<Observation>) -> Self {
        let cause = self.0.last().map_or(EventId(0), |event| event.id);
        self.draft(Draft::new(Source::Environment, body.into()).cause(cause))
    }

    fn run(self, command: &str, content: &str, code: i32) -> Self {
        let reply = RunObservation::ended(content, command, Exit::Code(code));
        self.add(Source::Agent, RunAction::new(command))
            .reply(reply)
    }

    fn json(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(codec::encode_event).collect();
        format!("[{}]", lines.join(", "))
    }
}

fn kinds(replay: Replay) -> Vec<String> {
    replay
        .map(|step| step.action.body.kind().to_owned())
        .collect()
}

#[test]
fn each_step_is_the_next_action_of_user_or_agent_and_then_it_is_over() {
    let log = Log::default()
        .add(Source::User, MessageAction::new("go"))
        .add(Source::Environment, RunAction::new("by the environment"))
        .run("ls", "a", 0)
        .add(Source::Agent, NullObservation::new(""))
        .add(Source::Agent, ErrorObservation::new("no such tool"))
        .run("pwd", "/", 0);
    for mut replay in [
        Replay::from_events(&log.0).unwrap(),
        Replay::from_trajectory(log.json()).unwrap(),
    ] {
        assert_eq!(replay.len(), 3);
        let message = replay.next().unwrap();
        assert_eq!(message.action.source, Some(Source::User));
        let run = replay.next().unwrap();
        assert_eq!(run.recorded_id, Some(EventId(12)));
        assert_eq!(run.recorded.as_ref().map(Observation::content), Some("a"));
        assert_eq!(replay.peek().unwrap().recorded_id, Some(EventId(16)));
        assert!(replay.next().is_some() && replay.next().is_none() && replay.next().is_none());
    }
    assert_eq!(Replay::from_trajectory("[]").unwrap().len(), 0);
}

#[test]
fn a_message_waits_for_an_answer_only_where_it_is_the_last_event() {
    let ask = || MessageAction::new("which?").wait_for_response(true);
    let log = Log::default()
        .add(Source::Agent, ask())
        .add(Source::User, MessageAction::new("that"))
        .add(Source::Agent, ask());
    let waits: Vec<bool> = Replay::from_events(&log.0)
        .unwrap()
        .map(|step| match step.action.body {
            EventBody::Action(Action::Message(message)) => message.wait_for_response,
            _ => false,
        })
        .collect();
    assert_eq!(waits, [false, false, true]);
}

#[test]
fn nothing_of_the_recorded_run_clings_to_an_action_that_is_done_again() {
    let mut run = RunAction::new("ls");
    run.options.key = Some(IdempotencyKey::new("once"));
    let draft = Draft::new(Source::Agent, run)
        .cause(EventId(3))
        .tool(ToolCallMetadata::new("execute_bash", "call_1"))
        .metrics(Metrics::new().accumulated_cost(3.0));
    let log = Log::default().draft(draft);
    for replay in [
        Replay::from_events(&log.0).unwrap(),
        Replay::from_trajectory(log.json()).unwrap(),
    ] {
        let steps: Vec<Step> = replay.collect();
        let action = &steps[0].action;
        assert_eq!(
            (action.cause, &action.time, &action.metrics),
            (None, &None, &None)
        );
        assert!(action.tool.is_some(), "the model has to see its call");
        assert!(!codec::encode_draft(action).contains("once"));
    }
}

#[test]
fn what_steered_the_recorded_run_is_not_done_again() {
    let log = Log::default()
        .add(Source::User, ChangeAgentStateAction::new("paused"))
        .add(
            Source::User,
            ConfirmAction::new(EventId(3), ConfirmStep::Approved),
        )
        .add(Source::Agent, CondensationRequestAction::new())
        .run("ls", "", 0);
    assert_eq!(kinds(Replay::from_events(&log.0).unwrap()), ["run"]);
}

#[test]
fn what_the_user_refused_is_not_done_and_what_was_asked_about_is_done_once() {
    let asked = |state| {
        let tool = ToolCallMetadata::new("execute_bash", "call_1");
        Draft::new(
            Source::Agent,
            RunAction::new("rm -r x").confirmation_state(state),
        )
        .tool(tool)
    };
    let open = Log::default().draft(asked(ConfirmationState::AwaitingConfirmation));
    let approved = open.clone().draft(asked(ConfirmationState::Confirmed));
    let steps: Vec<Step> = Replay::from_events(&approved.0).unwrap().collect();
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].recorded_id, Some(EventId(11)));
    let rejected = open.draft(asked(ConfirmationState::Rejected));
    assert_eq!(Replay::from_events(&rejected.0).unwrap().len(), 0);
    let refused = Log::default()
        .add(Source::Agent, RunAction::new("rm -r x"))
        .reply(UserRejectedObservation::new("no"));
    assert_eq!(Replay::from_events(&refused.0).unwrap().len(), 0);
}

#[test]
fn what_cannot_be_replayed_is_an_error_that_names_the_element() {
    let good = r#"{"source": "agent", "action": "run", "args": {"command": "ls"}}"#;
    for (json, element) in [
        (r#"{"action": "run"}"#.to_owned(), "element 0"),
        ("nonsense".to_owned(), "element 0"),
        (format!("[{good}, 3]"), "element 1"),
        (format!("[{good}, {{}}]"), "element 1"),
        (format!("[{good}, {good}, "), "element 2"),
        (format!("[{good}] x"), "element 1"),
        (
            format!(r#"[{good}, {{"source": "agent", "action": "paint"}}]"#),
            "element 1",
        ),
        (
            format!(r#"[{good}, {{"source": "agent", "action": "run", "args": {{}}}}]"#),
            "element 1",
        ),
        (
            format!(r#"[{good}, {{"source": "moon", "action": "null"}}]"#),
            "element 1",
        ),
    ] {
        let error = Replay::from_trajectory(json.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{json}");
        assert_eq!(error.object(), Some(element), "{json}: {error}");
    }
    let custom = oh_core::action::CustomAction::new("paint", serde_json::json!({}));
    let log = Log::default().add(Source::Agent, custom);
    let error = Replay::from_events(&log.0).unwrap_err();
    assert_eq!(error.object(), Some("event 10"));
}

#[test]
fn a_run_that_differs_is_told_by_step_and_by_what_differs() {
    let read = |log: Log, content: &str, path: &str| {
        log.add(Source::Agent, oh_core::action::ReadAction::new("f"))
            .reply(ReadObservation::new(content, path))
    };
    let recorded = Log::default()
        .run("same", "x", 0)
        .run("lines", "a\nb\nc", 0)
        .run("code", "", 0)
        .run("other", "", 0)
        .run("failed", "", 0);
    let recorded = read(read(recorded, "t", "f"), "t", "f").run("left out", "", 0);
    let now = Log::default()
        .run("same", "x", 0)
        .run("lines", "a\nB\nc", 0)
        .run("code", "", 2)
        .run("another", "", 0)
        .add(Source::Agent, RunAction::new("failed"))
        .reply(ErrorObservation::new("e"));
    let now = read(read(now, "t", "g"), "t", "f");
    let found = compare_logs(&recorded.0, &now.0).unwrap();
    let told: Vec<(usize, String)> = found
        .iter()
        .map(|found| (found.step, found.difference.to_string()))
        .collect();
    let expected = [
        (1, "line 2: \"B\" instead of \"b\""),
        (2, "exit code 2 instead of exit code 0"),
        (3, "action run instead of run"),
        (4, "error instead of run"),
        (5, "another path"),
        (7, "missing now"),
    ];
    let expected = expected.map(|(step, text)| (step, text.to_owned()));
    assert_eq!(told, expected);
    assert_eq!(
        (found[0].recorded, found[0].now),
        (Some(EventId(12)), Some(EventId(12)))
    );
    assert_eq!(compare_logs(&recorded.0, &recorded.0).unwrap(), []);
}

#[test]
fn what_differs_between_any_two_runs_is_no_difference() {
    let observed = |pid, host: &str| {
        let mut run = RunObservation::ended("x", "ls", Exit::Code(0));
        run.metadata.pid = pid;
        run.metadata.hostname = Some(host.to_owned());
        run.details.stdout_bytes = Some(pid as u64);
        Observation::from(run)
    };
    assert_eq!(compare(&observed(1, "a"), &observed(2, "b")), None);
    let v0 = {
        let mut run = RunObservation::new("x", "ls");
        run.metadata.exit_code = 0;
        Observation::from(run)
    };
    assert_eq!(
        compare(&v0, &observed(2, "b")),
        None,
        "a log of OpenHands V0 has no more"
    );
}

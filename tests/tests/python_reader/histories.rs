//! Loops and replays, as OpenHands V0's own controller sees them.

use oh_core::action::{
    ChangeAgentStateAction, MessageAction, NullAction, ReadAction, RunAction, RunPythonAction,
    ThinkAction,
};
use oh_core::codec::encode_event;
use oh_core::observation::{
    AgentStateChangedObservation, CondenseObservation, ErrorObservation, NullObservation,
    ReadObservation, RunObservation, RunPythonObservation, ThinkObservation,
};
use oh_core::{Action, Draft, Event, EventBody, EventId, Exit, Observation, Source, Timestamp};
use oh_events::Attendance;
use oh_events::replay::Replay;
use oh_events::stuck::{LoopKind, Stuck, StuckOptions, find_loop};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::{cases, python};

#[derive(Clone, Default)]
struct Log(Vec<Event>);

impl Log {
    fn add(&mut self, source: Source, body: impl Into<EventBody>, cause: Option<EventId>) {
        let mut draft = Draft::new(source, body);
        draft.cause = cause;
        let id = EventId(self.0.len() as u64);
        self.0
            .push(draft.into_event(id, Timestamp::from_micros(1_000_000 * id.0 as i64)));
    }

    fn step(&mut self, action: impl Into<Action>, reply: impl Into<Observation>) {
        let id = EventId(self.0.len() as u64);
        self.add(Source::Agent, action.into(), None);
        self.add(Source::Agent, reply.into(), Some(id));
    }
}

fn ended(command: &str, content: &str, code: i32) -> RunObservation {
    let mut run = RunObservation::ended(content, command, Exit::Code(code));
    run.details.exit = None;
    run
}

const TAIL: &str = "[Jupyter current working directory: /w]\n[Jupyter Python interpreter: /p]";
const COMMA: &str =
    "Cell In[1], line 1\n  x y\n  ^\nSyntaxError: invalid syntax. Perhaps you forgot a comma?";

/// A step of one of a few sorts; several are equal by V0's rules though they are not the same.
fn write(log: &mut Log, sort: u8, number: usize) {
    let cell = |code: &str, content: &str| {
        let reply = RunPythonObservation::new(format!("{content}\n{TAIL}"), code);
        (RunPythonAction::new(code), reply)
    };
    match sort {
        0 => log.step(RunAction::new("ls"), ended("ls", &number.to_string(), 0)),
        1 => log.step(RunAction::new("ls"), ended("ls", "", 1)),
        2 => log.step(
            RunAction::new("x"),
            ErrorObservation::new(number.to_string()),
        ),
        3 => log.step(RunAction::new("x"), ErrorObservation::new("e")),
        4 => log.add(Source::Agent, MessageAction::new("m"), None),
        5 => log.add(Source::User, MessageAction::new("u"), None),
        6 => log.add(Source::Environment, NullObservation::new(""), None),
        7 => log.add(Source::Agent, CondenseObservation::new("s"), None),
        8 => log.step(ReadAction::new("f"), ReadObservation::new("x", "f")),
        9 => {
            let code = format!("edit_file_by_replace(\n1,\n2,\n{number})");
            let (action, _) = cell(&code, "");
            log.step(action, RunPythonObservation::new("same", "c"));
        }
        10 => {
            let (action, reply) = cell("edit_file_by_replace()", "");
            log.step(action, reply);
        }
        11 => {
            let error = "SyntaxError: unterminated string literal (detected at line 1)";
            let (action, reply) = cell("print('", &format!("{number}\n{error}"));
            log.step(action, reply);
        }
        12 => {
            let (action, reply) = cell("x y", COMMA);
            log.step(action, reply);
        }
        13 => {
            let short = "Cell In[1], line 1\nSyntaxError: incomplete input";
            let (action, reply) = cell("x y", short);
            log.step(action, reply);
        }
        14 => log.add(Source::Agent, NullAction::new(), None),
        15 => log.add(Source::User, ChangeAgentStateAction::new("running"), None),
        16 => {
            let change = AgentStateChangedObservation::new("", "running");
            log.add(Source::Environment, change, None);
        }
        17 => {
            let nothing = "ERROR: No previous running command to retrieve logs from.";
            log.step(RunAction::new(""), RunObservation::new(nothing, ""));
        }
        18 => log.step(
            RunAction::new("ls").thought("why"),
            ended("ls", &number.to_string(), 0),
        ),
        _ => log.step(ThinkAction::new(), ThinkObservation::new("t")),
    }
}

fn histories() -> Vec<Log> {
    let run = (0..20_u8, 1..6_usize).prop_map(|(sort, times)| vec![sort; times]);
    let turns = (0..20_u8, 0..20_u8, 1..5_usize).prop_map(|(a, b, times)| [a, b].repeat(times));
    let many = (7..9_u8, 8..14_usize).prop_map(|(sort, times)| vec![sort; times]);
    let part = prop_oneof![4 => run, 3 => turns, 1 => many];
    let sorts = proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat());
    let mut runner = TestRunner::deterministic();
    let mut next = || sorts.new_tree(&mut runner).unwrap().current();
    (0..1000)
        .map(|_| {
            let mut log = Log::default();
            for (number, sort) in next().into_iter().enumerate() {
                write(&mut log, sort, number);
            }
            log
        })
        .collect()
}

fn values(events: &[Event]) -> Vec<Value> {
    let lines = events.iter().map(encode_event);
    lines
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect()
}

#[test]
fn we_find_the_loops_that_openhands_finds_but_for_the_departures_that_are_documented() {
    let mut cases = Vec::new();
    for log in histories() {
        for attendance in [Attendance::Headless, Attendance::Interactive] {
            let options = StuckOptions::default().attendance(attendance).waits(None);
            let found = find_loop(&log.0, options);
            cases.push((log.clone(), attendance, found));
        }
    }
    let questions: Vec<String> = cases
        .iter()
        .map(|(log, attendance, found)| {
            let start = found.as_ref().map(|found| found.start_index);
            let headless = *attendance == Attendance::Headless;
            json!({"stuck": values(&log.0), "headless": headless, "start": start}).to_string()
        })
        .collect();
    let Some(answers) = python::ask("history_v0.py", &questions) else {
        return;
    };
    let mut agreed = std::collections::BTreeMap::<&str, usize>::new();
    assert_eq!(answers.lines().count(), cases.len());
    for ((answer, (_, _, ours)), question) in answers.lines().zip(&cases).zip(&questions) {
        let theirs: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(theirs.get("error"), None, "{question}");
        assert_agrees(&theirs, ours.as_ref(), question);
        let name = ours.as_ref().map_or("none", |stuck| stuck.kind.name());
        *agreed.entry(name).or_default() += 1;
    }
    // Each kind came up.
    assert!(
        agreed.len() == 6 && agreed.values().all(|count| *count >= 10),
        "{agreed:?}"
    );
}

fn assert_agrees(theirs: &Value, ours: Option<&Stuck>, question: &str) {
    let said = format!("{theirs}\n{ours:?}\n{question}");
    let name = ours.map(|stuck| stuck.kind.name());
    if theirs["type"] == LoopKind::ContextWindowError.name() {
        // V0 is content with two neighbours; we want ten in a row, at the end.
        assert!(name.is_none() || name == theirs["type"].as_str(), "{said}");
        return;
    }
    assert_eq!(theirs["type"].as_str(), name, "{said}");
    let Some(ours) = ours else { return };
    assert_eq!(theirs["repeats"], ours.repeats, "{said}");
    // After errors V0 begins at the last action before the loop.
    if ours.kind != LoopKind::RepeatingActionError {
        assert_eq!(theirs["starts_alike"], true, "{said}");
    }
}

#[test]
fn we_replay_the_actions_that_openhands_replays() {
    let steered = [
        "ChangeAgentStateAction",
        "CondensationAction",
        "CondensationRequestAction",
    ];
    let mut logs = histories();
    logs.truncate(300);
    logs.push(Log(cases::recorded()));
    let questions: Vec<String> = logs
        .iter()
        .map(|log| json!({"replay": values(&log.0)}).to_string())
        .collect();
    let Some(answers) = python::ask("history_v0.py", &questions) else {
        return;
    };
    for (answer, log) in answers.lines().zip(&logs) {
        let theirs: Vec<Value> = serde_json::from_str(answer).unwrap();
        let theirs: Vec<Value> = theirs
            .into_iter()
            .filter(|step| !steered.contains(&step[0].as_str().unwrap()))
            .map(|step| json!([step[1], step[2]]))
            .collect();
        let ours: Vec<Value> = Replay::from_events(&log.0)
            .unwrap()
            .map(|step| {
                let json: Value =
                    serde_json::from_str(&oh_core::codec::encode_draft(&step.action)).unwrap();
                let waits = json["args"]["wait_for_response"].as_bool().unwrap_or(false);
                json!([json["message"], waits])
            })
            .collect();
        assert_eq!(ours, theirs);
    }
}

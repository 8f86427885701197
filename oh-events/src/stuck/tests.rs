use oh_core::action::{DelegateAction, MessageAction, RunAction, RunPythonAction, ThinkAction};
use oh_core::observation::{
    AgentStateChangedObservation, CondenseObservation, DelegateObservation, ErrorObservation,
    NullObservation, ReadObservation, RunObservation, RunPythonObservation,
};
use oh_core::{
    Draft, Event, EventBody, EventId, Exit, IdempotencyKey, Observation, Pause, ProcessId, Source,
    Timestamp,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Attendance;

/// A history that is written step by step.
#[derive(Clone, Default)]
struct Log(Vec<Event>);

impl Log {
    fn add(mut self, source: Source, body: impl Into<EventBody>, cause: Option<u64>) -> Self {
        let mut draft = Draft::new(source, body);
        draft.cause = cause.map(EventId);
        let id = EventId(self.0.len() as u64 + 100);
        self.0.push(draft.into_event(id, Timestamp::from_micros(0)));
        self
    }

    fn act(self, action: impl Into<oh_core::Action>) -> Self {
        self.add(Source::Agent, action.into(), None)
    }

    fn step(self, action: impl Into<oh_core::Action>, reply: impl Into<Observation>) -> Self {
        let log = self.act(action);
        let cause = log.0.last().map(|event| event.id.0);
        log.add(Source::Environment, reply.into(), cause)
    }

    fn user(self, text: &str) -> Self {
        self.add(Source::User, MessageAction::new(text), None)
    }

    fn times(self, count: usize, step: impl Fn(Self) -> Self) -> Self {
        (0..count).fold(self, |log, _| step(log))
    }

    fn stuck(&self) -> Option<Stuck> {
        find_loop(&self.0, StuckOptions::default())
    }

    fn kind(&self) -> Option<LoopKind> {
        self.stuck().map(|stuck| stuck.kind)
    }
}

fn ended(command: &str, content: &str, code: i32) -> RunObservation {
    RunObservation::ended(content, command, Exit::Code(code))
}

fn running(content: &str) -> RunObservation {
    RunObservation::paused(content, "", ProcessId::new("p"), Pause::Quiet)
}

/// As OpenHands V0 writes it: nothing but words.
fn running_in_v0(content: &str, suffix: &str) -> RunObservation {
    let mut observation = RunObservation::new(content, "");
    observation.metadata.suffix = suffix.to_owned();
    observation
}

fn ls(log: Log) -> Log {
    log.step(RunAction::new("ls"), ended("ls", "a", 0))
}

fn look(log: Log) -> Log {
    log.step(RunAction::new(""), running(""))
}

#[test]
fn four_equal_steps_are_a_loop_and_three_are_none() {
    let log = Log::default().user("go").times(3, ls);
    assert_eq!(log.stuck(), None);
    let stuck = ls(log).stuck().unwrap();
    assert_eq!(stuck.kind.name(), "repeating_action_observation");
    assert_eq!((stuck.repeats, stuck.start_index), (4, 1));
    assert_eq!(stuck.events, (101..109).map(EventId).collect::<Vec<_>>());
}

#[test]
fn a_loop_starts_where_it_starts_and_not_at_an_equal_step_long_before() {
    let log = ls(Log::default());
    let log = log.step(RunAction::new("pwd"), ended("pwd", "/", 0));
    assert_eq!(log.times(4, ls).stuck().unwrap().start_index, 4);
}

#[test]
fn commands_are_equal_by_command_and_exit_code_whatever_they_print() {
    let mut number = 0;
    let mut log = Log::default();
    for _ in 0..4 {
        number += 1;
        let text = format!("failed in 0.{number} s");
        log = log.step(RunAction::new("pytest"), ended("pytest", &text, 1));
    }
    assert_eq!(log.kind(), Some(LoopKind::RepeatingActionObservation));

    let killed = [
        Exit::TimedOut,
        Exit::OutOfMemory,
        Exit::Lost,
        Exit::Cancelled,
    ];
    let log = killed.into_iter().fold(Log::default(), |log, exit| {
        log.step(
            RunAction::new("make"),
            RunObservation::ended("", "make", exit),
        )
    });
    assert_eq!(log.kind(), None);
}

#[test]
fn a_host_that_gives_each_command_a_key_does_not_hide_a_loop() {
    let mut log = Log::default();
    for number in 0..4 {
        let mut run = RunAction::new("ls");
        run.options.key = Some(IdempotencyKey::new(format!("k{number}")));
        log = log.step(run, ended("ls", "", 0));
    }
    assert_eq!(log.kind(), Some(LoopKind::RepeatingActionObservation));
}

#[test]
fn three_equal_actions_that_fail_are_a_loop_whatever_the_failures_say() {
    let fail = |log: Log, text: &str| log.step(RunAction::new("x"), ErrorObservation::new(text));
    let log = fail(fail(ls(Log::default()), "a"), "b");
    assert_eq!(log.kind(), None);
    let stuck = fail(log, "c").stuck().unwrap();
    assert_eq!(stuck.kind.name(), "repeating_action_error");
    assert_eq!((stuck.repeats, stuck.start_index), (3, 2));
}

fn cell(content: &str) -> impl Fn(Log) -> Log {
    let tail = "[Jupyter current working directory: /w]\n[Jupyter Python interpreter: /p]";
    let content = format!("{content}\n{tail}");
    move |log| {
        let reply = RunPythonObservation::new(content.clone(), "print(");
        log.step(RunPythonAction::new("print("), reply)
    }
}

#[test]
fn three_cells_with_one_and_the_same_syntax_error_are_a_loop() {
    let open = "SyntaxError: unterminated string literal (detected at line 1)";
    let comma =
        "Cell In[1], line 1\n  x y\n  ^\nSyntaxError: invalid syntax. Perhaps you forgot a comma?";
    for text in [open, comma] {
        let log = Log::default().times(2, cell(text));
        assert_eq!(log.kind(), None);
        assert_eq!(
            cell(text)(log.clone()).kind(),
            Some(LoopKind::RepeatingActionError)
        );
        let other = text.replace("line 1", "line 2");
        assert_eq!(cell(&other)(log).kind(), None, "{text}");
    }
    // Short of the six lines that a real error has.
    let short = "Cell In[1], line 1\nSyntaxError: incomplete input";
    assert_eq!(Log::default().times(3, cell(short)).kind(), None);
}

#[test]
fn edits_by_code_are_equal_in_their_first_three_lines_and_never_on_one_line() {
    let edit = |log: Log, code: String| {
        log.step(
            RunPythonAction::new(code),
            RunPythonObservation::new("same", "c"),
        )
    };
    let long = (0..4).fold(Log::default(), |log, number| {
        edit(
            log,
            format!("edit_file_by_replace(\n'f',\n'a',\n'{number}')"),
        )
    });
    assert_eq!(long.kind(), Some(LoopKind::RepeatingActionObservation));
    let short = (0..4).fold(Log::default(), |log, _| {
        edit(log, "edit_file_by_replace('f', 'a', 'b')".to_owned())
    });
    assert_eq!(short.kind(), None);
}

#[test]
fn three_equal_messages_are_a_monologue_unless_something_was_observed_between() {
    let say = |log: Log| log.act(MessageAction::new("I am done."));
    let log = Log::default().times(2, say);
    assert_eq!(log.kind(), None);
    let stuck = say(log.clone()).stuck().unwrap();
    assert_eq!((stuck.kind.name(), stuck.repeats), ("monologue", 3));
    assert_eq!(stuck.events, [100, 101, 102].map(EventId));
    assert_eq!(say(ls(log.clone())).kind(), None);
    assert_eq!(ls(say(look(log))).kind(), None, "a wait is observed too");
}

#[test]
fn two_steps_that_take_turns_three_times_are_a_loop() {
    let read = |log: Log| {
        log.step(
            oh_core::action::ReadAction::new("f"),
            ReadObservation::new("x", "f"),
        )
    };
    let log = Log::default().times(2, |log| read(ls(log)));
    assert_eq!(log.kind(), None);
    let stuck = read(ls(log)).stuck().unwrap();
    assert_eq!(stuck.kind.name(), "repeating_action_observation_pattern");
    assert_eq!(
        (stuck.repeats, stuck.start_index, stuck.events.len()),
        (3, 0, 12)
    );
}

#[test]
fn ten_condensations_in_a_row_are_a_loop_and_two_neighbours_among_ten_are_none() {
    let condense = |log: Log| log.add(Source::Agent, CondenseObservation::new("s"), None);
    let row = Log::default().times(10, condense);
    assert_eq!(row.kind().map(LoopKind::name), Some("context_window_error"));
    assert_eq!(Log::default().times(9, condense).kind(), None);
    let mut number = 0;
    let mut spread = Log::default();
    for _ in 0..9 {
        number += 1;
        spread = condense(spread.act(RunAction::new(format!("step {number}"))));
    }
    assert_eq!(condense(condense(spread)).kind(), None);
}

#[test]
fn with_a_user_only_what_came_after_the_last_message_counts() {
    let interactive = StuckOptions::default().attendance(Attendance::Interactive);
    let log = Log::default().times(3, ls).user("go on").times(1, ls);
    assert_eq!(log.kind(), Some(LoopKind::RepeatingActionObservation));
    assert_eq!(find_loop(&log.0, interactive), None);
    assert!(find_loop(&log.times(3, ls).0, interactive).is_some());
}

#[test]
fn nulls_states_and_hidden_events_do_not_interrupt_a_loop() {
    let noisy = |log: Log| {
        let log = ls(log)
            .add(Source::Environment, NullObservation::new(""), None)
            .add(
                Source::Environment,
                AgentStateChangedObservation::new("", "running"),
                None,
            );
        let mut hidden = log.act(RunAction::new("pwd"));
        hidden.0.last_mut().unwrap().hidden = true;
        hidden
    };
    let log = Log::default().times(4, noisy);
    assert_eq!(log.kind(), Some(LoopKind::RepeatingActionObservation));
}

#[test]
fn what_a_delegate_does_is_a_history_of_its_own() {
    let delegate = |log: Log, inner: usize| {
        let log = log.act(DelegateAction::new("A", json!({})));
        let cause = log.0.last().map(|event| event.id.0);
        let log = log.times(inner, ls);
        log.add(
            Source::Agent,
            DelegateObservation::new("", json!({})),
            cause,
        )
    };
    let log = ls(delegate(ls(Log::default()), 2));
    assert_eq!(log.kind(), None, "four in all, two of them the delegate's");
    let inside = ls(Log::default()).act(DelegateAction::new("A", json!({})));
    assert!(inside.times(4, ls).stuck().is_some());
    assert_eq!(delegate(Log::default(), 4).kind(), None, "it is over");
}

#[test]
fn looking_at_a_command_that_runs_is_no_loop() {
    let start = Log::default().step(RunAction::new("make"), running("cc a.c\n"));
    assert_eq!(start.clone().times(20, look).kind(), None);
    let timed_out = "\n[The command timed out after 120.0 seconds. More words]";
    let no_change = "\n[The command has no new output after 30 seconds. More words]";
    for suffix in [timed_out, no_change] {
        let log = start.clone().times(20, |log| {
            log.step(RunAction::new(""), running_in_v0("", suffix))
        });
        assert_eq!(log.kind(), None, "{suffix}");
    }
}

#[test]
fn looking_where_nothing_runs_is_a_loop() {
    let reply = "ERROR: No previous running command to retrieve logs from.";
    let log = Log::default().times(4, |log| {
        log.step(RunAction::new(""), RunObservation::new(reply, ""))
    });
    assert_eq!(log.kind(), Some(LoopKind::RepeatingActionObservation));
}

#[test]
fn a_command_that_is_sent_again_and_again_while_another_runs_is_a_loop() {
    let log = Log::default().times(4, |log| log.step(RunAction::new("make"), running("")));
    assert_eq!(log.kind(), Some(LoopKind::RepeatingActionObservation));
    assert_eq!(look(log.clone()).kind(), None, "now it waits");
    let again = look(log).step(RunAction::new("make"), running(""));
    assert_eq!(again.kind(), Some(LoopKind::RepeatingActionObservation));
}

#[test]
fn an_interrupt_that_changes_nothing_is_a_loop() {
    let interrupt = || RunAction::new("C-c").is_input(true);
    let log = Log::default().times(4, |log| log.step(interrupt(), running("")));
    assert_eq!(log.kind(), Some(LoopKind::RepeatingActionObservation));
}

#[test]
fn sleeping_and_checking_is_no_loop_in_one_command_or_two() {
    let one = |log: Log| {
        let command = "sleep 30; tail -1 build.log";
        log.step(RunAction::new(command), ended(command, "12 %", 0))
    };
    assert_eq!(Log::default().times(12, one).kind(), None);
    let two = |log: Log| {
        let log = log.step(RunAction::new("sleep 30"), ended("sleep 30", "", 0));
        log.step(RunAction::new("cat log"), ended("cat log", "12 %", 0))
    };
    assert_eq!(Log::default().times(12, two).kind(), None);
    let thinking = |log: Log| {
        look(log.step(
            ThinkAction::new(),
            Observation::from(oh_core::observation::ThinkObservation::new("t")),
        ))
    };
    assert_eq!(Log::default().times(12, thinking).kind(), None);
}

#[test]
fn a_wait_without_any_change_is_reported_after_as_many_as_are_allowed() {
    let options = StuckOptions::default().waits(5);
    let start = Log::default().step(RunAction::new("make"), running("cc\n"));
    let log = start.clone().times(4, look);
    assert_eq!(find_loop(&log.0, options), None);
    let stuck = find_loop(&look(log.clone()).0, options).unwrap();
    assert_eq!(stuck.kind.name(), "waiting_without_change");
    assert_eq!((stuck.repeats, stuck.start_index), (5, 2));
    assert_eq!(stuck.events, [102, 110].map(EventId));
    let never = StuckOptions::default().waits(None);
    assert_eq!(find_loop(&start.times(100, look).0, never), None);

    for news in [
        log.clone().step(RunAction::new(""), running("ld a.o\n")),
        log.clone().user("patience"),
        ls(log.clone()),
    ] {
        assert_eq!(find_loop(&news.times(4, look).0, options), None);
    }
    let words = log.clone().act(MessageAction::new("Still building."));
    assert!(
        find_loop(&look(words).0, options).is_some(),
        "words change nothing"
    );
}

#[test]
fn a_check_counts_as_news_only_if_it_shows_something_else() {
    let options = StuckOptions::default().waits(5);
    let check = |log: Log, text: &str| {
        let command = "sleep 9 && cat log";
        log.step(RunAction::new(command), ended(command, text, 0))
    };
    let same = Log::default().times(6, |log| check(log, "12 %"));
    assert!(find_loop(&same.0, options).is_some());
    let growing = (0..20).fold(Log::default(), |log, n| check(log, &format!("{n} %")));
    assert_eq!(find_loop(&growing.0, options), None);
}

#[test]
fn a_host_can_name_tools_that_wait() {
    let asks = |log: Log| {
        let action = oh_core::action::CallToolAction::new("job_state");
        log.step(
            action,
            oh_core::observation::CallToolObservation::new("running"),
        )
    };
    let log = Log::default().times(8, asks);
    assert!(log.stuck().is_some());
    let options = StuckOptions::default().also_waits(
        |action| matches!(action, oh_core::Action::CallTool(call) if call.name == "job_state"),
    );
    assert_eq!(find_loop(&log.0, options), None);
}

#[test]
fn what_is_remembered_does_not_grow() {
    let mut detector = StuckDetector::default();
    let mut log = Log::default();
    for number in 0..1000 {
        log = log
            .act(RunAction::new(""))
            .act(MessageAction::new(format!("{number}")));
        log = log.add(Source::Agent, DelegateAction::new("A", json!({})), None);
    }
    for event in &log.0 {
        detector.observe(event);
    }
    let size = format!("{detector:?}").len();
    for event in &log.0 {
        detector.observe(event);
    }
    let after = format!("{detector:?}").len();
    assert!(
        after < size + size / 10 && after < 200_000,
        "{size} {after}"
    );
}

/// The rules over a whole history, as they read: no waits, one agent, all settled.
fn by_the_book(log: &[Event]) -> Option<LoopKind> {
    let kept: Vec<&Event> = log
        .iter()
        .filter(|event| {
            let user = event.source == Source::User && event.body.kind() == "message";
            !user && !event.hidden && !["null", "agent_state_changed"].contains(&event.body.kind())
        })
        .collect();
    let same = |a: &Event, b: &Event| match (&a.body, &b.body) {
        (
            EventBody::Observation(Observation::Run(a)),
            EventBody::Observation(Observation::Run(b)),
        ) => (&a.command, a.metadata.exit_code) == (&b.command, b.metadata.exit_code),
        (a, b) => a == b,
    };
    let equal = |events: &[&Event]| events.iter().all(|event| same(event, events[0]));
    let actions: Vec<&Event> = kept
        .iter()
        .copied()
        .filter(|e| e.body.as_action().is_some())
        .collect();
    let observations: Vec<&Event> = kept
        .iter()
        .copied()
        .filter(|e| e.body.as_observation().is_some())
        .collect();
    fn last<'a, 'e>(of: &'a [&'e Event], count: usize) -> Option<&'a [&'e Event]> {
        of.get(of.len().checked_sub(count)?..)
    }
    let ends = |count| Some((last(&actions, count)?, last(&observations, count)?));
    if ends(4).is_some_and(|(a, o)| equal(a) && equal(o)) {
        return Some(LoopKind::RepeatingActionObservation);
    }
    if ends(3).is_some_and(|(a, o)| equal(a) && o.iter().all(|o| o.body.kind() == "error")) {
        return Some(LoopKind::RepeatingActionError);
    }
    let said: Vec<usize> = (0..kept.len())
        .filter(|at| kept[*at].body.kind() == "message")
        .collect();
    if let Some(at) = said.len().checked_sub(3).map(|first| &said[first..])
        && equal(&[kept[at[0]], kept[at[1]], kept[at[2]]])
        && kept[at[0]..at[2]]
            .iter()
            .all(|event| event.body.as_action().is_some())
    {
        return Some(LoopKind::Monologue);
    }
    let turns = |events: &[&Event]| {
        equal(&[events[0], events[2], events[4]]) && equal(&[events[1], events[3], events[5]])
    };
    if ends(6).is_some_and(|(a, o)| turns(a) && turns(o)) {
        return Some(LoopKind::RepeatingPattern);
    }
    let condensed = last(&kept, 10)?;
    let all = condensed
        .iter()
        .all(|event| event.body.kind() == "condense");
    all.then_some(LoopKind::ContextWindowError)
}

fn steps() -> impl Strategy<Value = Vec<u8>> {
    // Few kinds of steps, in runs, so that loops come up.
    let run = (0..10_u8, 1..5_usize).prop_map(|(step, times)| vec![step; times]);
    let turns = (0..10_u8, 0..10_u8, 1..4_usize).prop_map(|(a, b, times)| [a, b].repeat(times));
    proptest::collection::vec(prop_oneof![run, turns], 0..8).prop_map(|runs| runs.concat())
}

fn write(log: Log, step: u8) -> Log {
    match step {
        0 => ls(log),
        1 => log.step(RunAction::new("ls"), ended("ls", "other", 1)),
        2 => log.step(RunAction::new("x"), ErrorObservation::new("e")),
        3 => log.step(RunAction::new("y"), ErrorObservation::new("f")),
        4 => log.act(MessageAction::new("m")),
        5 => log.user("u"),
        6 => log.add(Source::Environment, NullObservation::new(""), None),
        7 => log.add(Source::Agent, CondenseObservation::new("s"), None),
        8 => log.act(RunAction::new("ls")),
        _ => log.step(
            oh_core::action::ReadAction::new("f"),
            ReadObservation::new("x", "f"),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn watching_event_by_event_finds_what_the_rules_over_the_whole_history_find(
        steps in steps(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut detector = StuckDetector::default();
        let log = steps.into_iter().fold(Log::default(), write);
        let cut = cut.index(log.0.len() + 1);
        for (at, event) in log.0.iter().enumerate() {
            let found = detector.observe(event);
            if at + 1 == cut {
                prop_assert_eq!(&found, &find_loop(&log.0[..cut], StuckOptions::default()));
            }
            prop_assert_eq!(found.map(|stuck| stuck.kind), by_the_book(&log.0[..=at]));
        }
    }
}

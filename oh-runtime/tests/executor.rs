//! What hosts rely on of the executor, on real processes and files.
#![cfg(all(feature = "local", target_os = "linux"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use oh_runtime::action::{
    BrowseAction, ChangeAgentStateAction, ConfirmAction, ConfirmStep, EditAction, FileAction,
    FileOperation, ReadAction, ReadSource, RunAction, RunOptions, TaskItem, TaskTrackingAction,
    ThinkAction, WriteAction,
};
use oh_runtime::events::{
    Cursor, EventStream, Live, MemoryStore, Query, Retention, SegmentStore, Subscription,
};
use oh_runtime::observation::{RunObservation, ThinkObservation};
use oh_runtime::{
    Action, ActionLimits, AgentTrigger, Decision, DispatchOptions, ErrorClass, ErrorKind, Event,
    EventBody, EventId, Executor, ExecutorBuilder, Exit, LocalRuntime, Masker, Observation, Pause,
    Permissions, Policy, PolicyContext, Result, Runtime, RuntimeExt, Secret, SessionId,
    SessionName, Source,
};

struct Host {
    stream: EventStream,
    runtime: Arc<LocalRuntime>,
    executor: tokio::task::JoinHandle<Result<()>>,
    _workspace: tempfile::TempDir,
}

impl Host {
    async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(change: impl FnOnce(ExecutorBuilder) -> ExecutorBuilder) -> Self {
        let store = MemoryStore::new();
        let stream = EventStream::builder(store, session()).open().await.unwrap();
        Self::on(stream, change).await
    }

    async fn on(
        stream: EventStream,
        change: impl FnOnce(ExecutorBuilder) -> ExecutorBuilder,
    ) -> Self {
        let workspace = tempfile::tempdir().unwrap();
        let runtime = Arc::new(
            LocalRuntime::builder(workspace.path())
                .start()
                .await
                .unwrap(),
        );
        let builder = Executor::builder(stream.clone(), runtime.clone());
        let executor = tokio::spawn(change(builder).build().unwrap().run());
        Self {
            stream,
            runtime,
            executor,
            _workspace: workspace,
        }
    }

    async fn append(&self, action: impl Into<EventBody> + Send) -> EventId {
        self.stream.append(Source::Agent, action).await.unwrap()
    }

    async fn observe(&self, action: impl Into<EventBody> + Send) -> Observation {
        let id = self.append(action).await;
        self.reply(id).await
    }

    async fn reply(&self, action: EventId) -> Observation {
        let event = self.stream.reply_to(action).await.unwrap();
        event.body.as_observation().unwrap().clone()
    }

    async fn run(&self, command: &str) -> RunObservation {
        run_of(self.observe(RunAction::new(command)).await)
    }

    /// Waits until a running command has printed this.
    async fn until_live(&self, live: &mut oh_runtime::events::DeltaSubscription, text: &str) {
        let mut seen = String::new();
        while !seen.contains(text) {
            match live.next().await.unwrap() {
                Live::Delta(delta) => seen.push_str(&String::from_utf8_lossy(&delta.data)),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn end(self) -> Vec<Arc<Event>> {
        let events = self.stream.read(Query::default()).await.unwrap();
        self.stream.close().await.unwrap();
        self.executor.await.unwrap().unwrap();
        self.runtime.close().await.unwrap();
        events
    }
}

fn session() -> SessionId {
    SessionId::new("test").unwrap()
}

fn run_of(observation: Observation) -> RunObservation {
    match observation {
        Observation::Run(run) => run,
        other => panic!("a run observation, not {other:?}"),
    }
}

fn failure(observation: &Observation) -> ErrorKind {
    match observation {
        Observation::Failure(failure) => failure.error,
        other => panic!("a failure, not {other:?}"),
    }
}

async fn next_matching(events: &mut Subscription, wanted: impl Fn(&Event) -> bool) -> Arc<Event> {
    loop {
        let event = events.next().await.unwrap().unwrap();
        if wanted(&event) {
            return event;
        }
    }
}

#[tokio::test]
async fn a_task_goes_in_and_the_result_comes_back() {
    let host = Host::start().await;
    let write = host
        .observe(WriteAction::new("six.sh", "echo $((2 * 3))\n"))
        .await;
    assert!(matches!(write, Observation::Write(_)), "{write:?}");
    let run = host.run("sh six.sh").await;
    assert_eq!((run.content.as_str(), run.metadata.exit_code), ("6", 0));
    assert_eq!(run.details.exit, Some(Exit::Code(0)));
    assert!(run.details.usage.is_some());
    assert!(
        run.metadata.suffix.contains("exit code 0"),
        "{}",
        run.metadata.suffix
    );
    host.end().await;
}

#[tokio::test]
async fn every_action_gets_exactly_one_observation_in_order() {
    let host = Host::start().await;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(
            host.append(RunAction::new(format!("echo {n}; exit_code=0")))
                .await,
        );
    }
    for id in &ids {
        host.reply(*id).await;
    }
    let events = host.end().await;
    let causes: Vec<EventId> = events
        .iter()
        .filter(|event| matches!(event.body, EventBody::Observation(Observation::Run(_))))
        .filter_map(|event| event.cause)
        .collect();
    assert_eq!(causes, ids, "one each, in the order of the actions");
}

#[tokio::test]
async fn a_shell_keeps_its_state_between_actions_and_a_static_command_has_its_own() {
    let host = Host::start().await;
    host.run("mkdir -p sub && cd sub && x=7").await;
    let kept = host.run("echo $x in ${PWD##*/}").await;
    assert_eq!(kept.content, "7 in sub");
    assert!(kept.metadata.working_dir.unwrap().ends_with("/sub"));
    let own = host
        .observe(RunAction::new("echo ${x:-none}").is_static(true))
        .await;
    assert_eq!(run_of(own).content, "none");
    host.end().await;
}

#[tokio::test]
async fn a_quiet_command_can_be_waited_for_answered_and_interrupted() {
    let quiet = DispatchOptions::default().quiet(Duration::from_millis(200));
    let host = Host::with(|builder| builder.dispatch(quiet)).await;
    let asked = host
        .run("read -p 'name? ' name; echo hello $name; read rest")
        .await;
    assert_eq!(asked.details.pause, Some(Pause::Quiet));
    assert_eq!(asked.metadata.exit_code, -1);
    assert!(asked.content.contains("name?"), "{}", asked.content);
    assert!(
        asked.metadata.suffix.contains("waits for input"),
        "{}",
        asked.metadata.suffix
    );

    let busy = host.run("echo other").await;
    assert!(
        busy.metadata.suffix.contains("NOT executed"),
        "{}",
        busy.metadata.suffix
    );

    let answered = run_of(host.observe(RunAction::new("Ann").is_input(true)).await);
    assert!(
        answered.content.contains("hello Ann"),
        "{}",
        answered.content
    );
    assert_eq!(answered.details.pause, Some(Pause::Quiet));

    let waited = host.run("").await;
    assert_eq!(
        waited.content, "",
        "what was reported once is not reported again"
    );

    let ended = run_of(host.observe(RunAction::new("C-c").is_input(true)).await);
    assert_eq!(ended.metadata.exit_code, 130);
    let told_again = ended.content.contains("hello Ann");
    assert!(!told_again, "nor after a silent look: {}", ended.content);
    assert_eq!(host.run("echo free again").await.content, "free again");

    let nothing = host.observe(RunAction::new("yes").is_input(true)).await;
    assert_eq!(failure(&nothing), ErrorKind::NotFound);
    host.end().await;
}

#[tokio::test]
async fn a_command_that_ended_while_nobody_looked_is_reported_with_the_next_one() {
    let quiet = DispatchOptions::default().quiet(Duration::from_millis(100));
    let host = Host::with(|builder| builder.dispatch(quiet)).await;
    let first = host
        .run("until [ -e go ]; do sleep 0.02; done; echo late")
        .await;
    assert_eq!(first.details.pause, Some(Pause::Quiet));
    host.runtime.write_text("go", "").await.unwrap();
    let process = first.details.process.clone().unwrap();
    let mut look = host
        .runtime
        .attach(&process, Default::default())
        .await
        .unwrap();
    look.output(Default::default()).await.unwrap();
    let next = host.run("echo next").await;
    assert_eq!(next.content, "next");
    assert!(
        next.metadata.prefix.contains("late"),
        "{}",
        next.metadata.prefix
    );
    host.end().await;
}

#[tokio::test]
async fn a_shell_that_was_closed_under_a_running_command_is_usable_again() {
    let quiet = DispatchOptions::default().quiet(Duration::from_millis(100));
    let host = Host::with(|builder| builder.dispatch(quiet)).await;
    let first = host.run("echo begun; sleep 600").await;
    assert_eq!(first.details.pause, Some(Pause::Quiet));
    let main = SessionName::new("main").unwrap();
    host.runtime.close_session(&main).await.unwrap();
    let next = host.run("echo next").await;
    assert_eq!(next.content, "next", "{next:?}");
    host.end().await;
}

#[tokio::test]
async fn a_stop_ends_a_command_that_was_reported_as_still_running() {
    let quiet = DispatchOptions::default().quiet(Duration::from_millis(100));
    let host = Host::with(|builder| builder.dispatch(quiet)).await;
    let first = host.run("sleep 600").await;
    let process = first.details.process.unwrap();
    host.stream.set_state(AgentTrigger::Stop).await.unwrap();
    let mut look = host
        .runtime
        .attach(&process, Default::default())
        .await
        .unwrap();
    let output = look.output(Default::default()).await.unwrap();
    assert_eq!(output.exit(), Some(&Exit::Cancelled));
    host.stream.set_state(AgentTrigger::Resume).await.unwrap();
    assert_eq!(host.run("echo on").await.content, "on");
    host.end().await;
}

#[tokio::test]
async fn a_dispatcher_for_each_action_knows_what_runs_in_the_shell() {
    let host = Host::start().await;
    let slow = RunAction::new("echo begun; sleep 600").timeout(Some(Duration::from_millis(100)));
    let first = run_of(host.runtime.execute(&slow.into()).await);
    assert_eq!(first.details.pause, Some(Pause::Elapsed));
    let busy = run_of(host.runtime.execute(&RunAction::new("echo x").into()).await);
    assert!(
        busy.metadata.suffix.contains("NOT executed"),
        "{}",
        busy.metadata.suffix
    );
    let interrupt = RunAction::new("C-c").is_input(true);
    let ended = run_of(host.runtime.execute(&interrupt.into()).await);
    assert_eq!(ended.metadata.exit_code, 130, "{ended:?}");
    host.end().await;
}

#[tokio::test]
async fn large_output_is_cut_for_the_model_and_whole_in_a_blob() {
    let host = Host::start().await;
    let run = host.run("seq 1 100000").await;
    assert!(run.content.len() < 40_000, "{}", run.content.len());
    assert!(run.content.starts_with("1\n2\n") && run.content.ends_with("100000"));
    let blob = run.details.stdout_blob.unwrap();
    assert!(blob.complete);
    let whole: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    let blobs = host.stream.blobs().unwrap();
    let kept = blobs.read(&blob.id, (0..blob.len).into()).await.unwrap();
    assert!(
        kept == whole.as_bytes(),
        "{} of {} bytes",
        kept.len(),
        whole.len()
    );
    host.end().await;
}

#[tokio::test]
async fn a_secret_never_reaches_the_log_the_live_view_nor_a_blob() {
    const SECRET: &str = "tok-0123456789abcdef";
    let masker = Masker::new([("TOKEN", Secret::new(SECRET))]).unwrap();
    let store = MemoryStore::new();
    let stream = EventStream::builder(store, session())
        .masker(masker)
        .open()
        .await
        .unwrap();
    let host = Host::on(stream, |builder| builder).await;
    let mut live = host.stream.deltas();
    let variable = [("TOKEN".to_owned(), Some(SECRET.to_owned()))].into();
    host.runtime.set_env(variable).await.unwrap();
    // Whole, in two writes, and encoded.
    let script =
        "echo $TOKEN; printf %s ${TOKEN:0:9}; sleep 0.05; echo ${TOKEN:9}; echo $TOKEN | base64";
    let run = host.run(script).await;
    assert_eq!(
        run.content.matches("<secret_hidden>").count(),
        3,
        "{}",
        run.content
    );
    let mut shown = String::new();
    while let Ok(Some(Live::Delta(delta))) =
        tokio::time::timeout(Duration::from_millis(50), live.next()).await
    {
        shown.push_str(&String::from_utf8_lossy(&delta.data));
    }
    assert!(
        shown.contains("<secret_hidden>") && !shown.contains("0123456789"),
        "{shown}"
    );
    for event in host.end().await {
        let json = oh_runtime::codec::encode_event(&event);
        assert!(
            !json.contains(SECRET) && !json.contains("dG9rLTAxMjM0"),
            "{json}"
        );
    }
}

#[derive(Debug)]
struct AskAboutRm;

#[async_trait]
impl Policy for AskAboutRm {
    async fn decide(&self, action: &Action, _: &PolicyContext) -> Decision {
        match action {
            Action::Run(run) if run.command.starts_with("rm") => Decision::Ask {
                question: format!("{}?", run.command),
            },
            Action::Run(run) if run.command.starts_with("curl") => Decision::Deny {
                reason: "no network here".to_owned(),
            },
            _ => Decision::Allow,
        }
    }
}

fn is_question(event: &Event) -> bool {
    matches!(&event.body, EventBody::Action(Action::Confirm(confirm)) if confirm.step == ConfirmStep::Question)
}

#[tokio::test]
async fn a_policy_can_deny_and_the_model_is_told_why() {
    let host = Host::with(|builder| builder.policy(AskAboutRm)).await;
    let denied = host.observe(RunAction::new("curl example.org")).await;
    assert_eq!(failure(&denied), ErrorKind::Denied);
    assert!(denied.content().contains("no network here"));
    host.end().await;
}

#[tokio::test]
async fn a_question_waits_for_a_person_and_no_model_can_answer_it() {
    let host = Host::with(|builder| builder.policy(AskAboutRm)).await;
    host.runtime.write_text("a.txt", "x").await.unwrap();
    let mut events = host.stream.subscribe(Cursor::Start);
    let action = host.append(RunAction::new("rm a.txt && echo gone")).await;
    next_matching(&mut events, is_question).await;

    host.append(ConfirmAction::new(action, ConfirmStep::Approved))
        .await;
    let other = host.append(ThinkAction::default()).await;
    let approval = ConfirmAction::new(action, ConfirmStep::Approved);
    assert!(
        host.runtime.read_text("a.txt").await.is_ok(),
        "still waiting"
    );
    host.stream.append(Source::User, approval).await.unwrap();
    assert_eq!(run_of(host.reply(action).await).content, "gone");
    host.reply(other).await;

    let refused = host.append(RunAction::new("rm -r .")).await;
    next_matching(&mut events, |event| {
        is_question(event) && event.id > refused
    })
    .await;
    let answer = ChangeAgentStateAction::new("user_rejected");
    host.stream.append(Source::User, answer).await.unwrap();
    assert!(matches!(
        host.reply(refused).await,
        Observation::UserRejected(_)
    ));
    host.end().await;
}

#[tokio::test]
async fn a_stop_ends_the_running_action_and_its_output_so_far_is_delivered() {
    let host = Host::start().await;
    host.stream.set_state(AgentTrigger::Loaded).await.unwrap();
    host.stream
        .set_state(AgentTrigger::UserMessage)
        .await
        .unwrap();
    let mut live = host.stream.deltas();
    let running = host
        .append(RunAction::new("echo started; sleep 600; echo never"))
        .await;
    let queued = host.append(RunAction::new("echo queued")).await;
    host.until_live(&mut live, "started").await;
    host.stream.set_state(AgentTrigger::Stop).await.unwrap();
    let ended = run_of(host.reply(running).await);
    assert_eq!(ended.details.exit, Some(Exit::Cancelled));
    assert_eq!(ended.content, "started");
    assert_eq!(failure(&host.reply(queued).await), ErrorKind::Cancelled);
    host.stream.set_state(AgentTrigger::Resume).await.unwrap();
    assert_eq!(
        host.run("echo the shell is usable").await.content,
        "the shell is usable"
    );
    host.end().await;
}

#[tokio::test]
async fn a_pause_holds_what_is_queued_until_the_agent_runs_again() {
    let host = Host::start().await;
    host.stream.set_state(AgentTrigger::Loaded).await.unwrap();
    host.stream
        .set_state(AgentTrigger::UserMessage)
        .await
        .unwrap();
    let mut live = host.stream.deltas();
    let running = host.append(RunAction::new("echo started; sleep 600")).await;
    let queued = host.append(RunAction::new("echo later")).await;
    host.until_live(&mut live, "started").await;
    host.stream.set_state(AgentTrigger::Pause).await.unwrap();
    assert_eq!(
        run_of(host.reply(running).await).details.exit,
        Some(Exit::Cancelled)
    );
    host.stream.set_state(AgentTrigger::Resume).await.unwrap();
    assert_eq!(run_of(host.reply(queued).await).content, "later");
    let events = host.end().await;
    let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(|event| wanted(event));
    let resumed = at(&|event| {
        event.id > queued
            && matches!(&event.body, EventBody::Observation(Observation::AgentStateChanged(change))
                if change.agent_state == "running")
    });
    let answered = at(&|event| event.cause == Some(queued));
    assert!(resumed < answered, "{resumed:?} {answered:?}");
}

#[tokio::test]
async fn a_stream_has_one_executor_at_a_time() {
    let host = Host::start().await;
    let second = Executor::builder(host.stream.clone(), host.runtime.clone()).build();
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
    host.executor.abort();
    assert!(host.executor.await.unwrap_err().is_cancelled());
    Executor::builder(host.stream.clone(), host.runtime.clone())
        .build()
        .unwrap();
    host.stream.close().await.unwrap();
    host.runtime.close().await.unwrap();
}

#[tokio::test]
async fn an_action_that_a_crash_left_open_is_closed_as_unknown_and_never_run_again() {
    let logs = tempfile::tempdir().unwrap();
    let stream = EventStream::builder(SegmentStore::new(logs.path()), session())
        .open()
        .await;
    let stream = stream.unwrap();
    let open = stream
        .append(Source::Agent, RunAction::new("touch ran"))
        .await
        .unwrap();
    stream.close().await.unwrap();
    drop(stream);

    let stream = EventStream::builder(SegmentStore::new(logs.path()), session())
        .open()
        .await;
    let host = Host::on(stream.unwrap(), |builder| builder).await;
    let fresh = host.run("ls").await;
    assert_eq!(fresh.content, "", "it was not run");
    assert_eq!(failure(&host.reply(open).await), ErrorKind::OutcomeUnknown);
    let events = host.end().await;
    assert_eq!(
        events
            .iter()
            .filter(|event| event.cause == Some(open))
            .count(),
        1
    );
}

#[tokio::test]
async fn an_action_appended_before_the_executor_started_is_run() {
    let store = MemoryStore::new();
    let stream = EventStream::builder(store, session()).open().await.unwrap();
    let early = stream
        .append(Source::Agent, RunAction::new("echo early"))
        .await
        .unwrap();
    let host = Host::on(stream, |builder| builder).await;
    assert_eq!(run_of(host.reply(early).await).content, "early");
    host.end().await;
}

#[tokio::test]
async fn an_open_question_survives_a_restart() {
    let logs = tempfile::tempdir().unwrap();
    let stream = EventStream::builder(SegmentStore::new(logs.path()), session())
        .open()
        .await;
    let host = Host::on(stream.unwrap(), |builder| builder.policy(AskAboutRm)).await;
    let mut events = host.stream.subscribe(Cursor::Start);
    let action = host.append(RunAction::new("rm -f x; echo done")).await;
    next_matching(&mut events, is_question).await;
    host.end().await;

    let stream = EventStream::builder(SegmentStore::new(logs.path()), session())
        .open()
        .await;
    let host = Host::on(stream.unwrap(), |builder| builder.policy(AskAboutRm)).await;
    let approval = ConfirmAction::new(action, ConfirmStep::Approved);
    host.stream.append(Source::User, approval).await.unwrap();
    assert_eq!(run_of(host.reply(action).await).content, "done");
    host.end().await;
}

#[tokio::test]
async fn permissions_and_limits_come_before_any_policy() {
    let host = Host::with(|builder| {
        builder.permissions(Permissions::only(["run"])).limits(
            ActionLimits::default()
                .command_bytes(100)
                .deadline(Duration::from_millis(300)),
        )
    })
    .await;
    let read = host.observe(ReadAction::new("x")).await;
    assert_eq!(failure(&read), ErrorKind::Denied);
    let long = host.observe(RunAction::new("#".repeat(101))).await;
    assert_eq!(failure(&long), ErrorKind::TooLarge);
    let asks = RunAction::new("true").options(RunOptions::new().deadline(Duration::from_secs(9)));
    assert_eq!(failure(&host.observe(asks).await), ErrorKind::LimitExceeded);
    let slow = host.run("echo before; sleep 600").await;
    assert_eq!(slow.details.exit, Some(Exit::TimedOut));
    assert_eq!(slow.content, "before");
    host.end().await;
}

#[tokio::test]
async fn files_are_read_edited_searched_and_managed_by_actions() {
    let host = Host::start().await;
    host.observe(WriteAction::new("src/a.txt", "one\ntwo\nthree\n"))
        .await;
    let view = host.observe(
        ReadAction::new("src/a.txt")
            .impl_source(ReadSource::OhAci)
            .view_range(Some(vec![2, 3])),
    );
    let view = view.await;
    assert!(
        view.content().contains("     2\ttwo\n     3\tthree"),
        "{}",
        view.content()
    );
    let lines = host
        .observe(ReadAction::new("src/a.txt").start(1).end(2))
        .await;
    assert_eq!(lines.content(), "two\n");

    let edit = EditAction::new("src/a.txt")
        .command("str_replace")
        .old_str(Some("two".to_owned()))
        .new_str(Some("2".to_owned()));
    let Observation::Edit(edited) = host.observe(edit.clone()).await else {
        panic!("an edit")
    };
    assert!(edited.diff.unwrap().contains("-two\n+2\n"));
    let again = host.observe(edit).await;
    assert_eq!(failure(&again), ErrorKind::InvalidInput);
    let undone = host
        .observe(EditAction::new("src/a.txt").command("undo_edit"))
        .await;
    assert!(matches!(undone, Observation::Edit(_)), "{undone:?}");
    assert_eq!(
        host.runtime.read_text("src/a.txt").await.unwrap(),
        "one\ntwo\nthree\n"
    );

    let replaced = host
        .observe(WriteAction::new("src/a.txt", "TWO\n").start(1).end(2))
        .await;
    assert!(matches!(replaced, Observation::Write(_)), "{replaced:?}");
    assert_eq!(
        host.runtime.read_text("src/a.txt").await.unwrap(),
        "one\nTWO\nthree\n"
    );

    let grep = FileOperation::Grep {
        pattern: "T.O".into(),
        path: ".".into(),
        include: None,
    };
    let found = host.observe(FileAction::new(grep)).await;
    assert!(
        found.content().contains("a.txt:2:TWO"),
        "{}",
        found.content()
    );
    let glob = FileOperation::Glob {
        pattern: "*.txt".into(),
        path: ".".into(),
    };
    assert!(
        host.observe(FileAction::new(glob))
            .await
            .content()
            .ends_with("src/a.txt")
    );
    let rename = FileOperation::Rename {
        from: "src/a.txt".into(),
        to: "b.txt".into(),
    };
    host.observe(FileAction::new(rename)).await;
    let list = FileOperation::List {
        path: ".".into(),
        depth: 1,
    };
    let listed = host.observe(FileAction::new(list)).await;
    assert!(listed.content().contains("b.txt") && listed.content().contains("src/"));
    let remove = FileOperation::Remove {
        path: "src".into(),
        recursive: true,
    };
    host.observe(FileAction::new(remove)).await;
    let gone = FileOperation::Stat { path: "src".into() };
    assert_eq!(
        failure(&host.observe(FileAction::new(gone)).await),
        ErrorKind::NotFound
    );
    host.end().await;
}

#[tokio::test]
async fn wrong_input_is_answered_with_what_to_do_and_who_has_to_act() {
    let host = Host::start().await;
    let missing = host.observe(ReadAction::new("nope.txt")).await;
    assert_eq!(failure(&missing), ErrorKind::NotFound);
    assert!(
        missing.content().contains("nope.txt"),
        "{}",
        missing.content()
    );
    let nul = host.observe(ReadAction::new("a\0b")).await;
    assert_eq!(failure(&nul), ErrorKind::InvalidInput);
    let outside = host.observe(ReadAction::new("../../etc/passwd")).await;
    assert_eq!(failure(&outside), ErrorKind::InvalidInput);
    let browse = host.observe(BrowseAction::new("http://x")).await;
    assert_eq!(failure(&browse), ErrorKind::Unsupported);
    let Observation::Failure(failed) = browse else {
        panic!("a failure")
    };
    assert_eq!(failed.class(), ErrorClass::User);
    host.end().await;
}

#[tokio::test]
async fn thoughts_are_logged_and_the_task_list_is_kept() {
    let host = Host::start().await;
    let thought = host.observe(ThinkAction::default().thought("hm")).await;
    assert!(matches!(thought, Observation::Think(_)));
    let list = vec![TaskItem::default().id("1").title("look").status("done")];
    host.observe(
        TaskTrackingAction::default()
            .command("plan")
            .task_list(list),
    )
    .await;
    let shown = host.observe(TaskTrackingAction::default()).await;
    assert!(
        shown.content().contains("1. [done] look"),
        "{}",
        shown.content()
    );
    host.end().await;
}

#[tokio::test]
async fn changes_of_the_runtimes_status_are_events() {
    let host = Host::start().await;
    host.run("true").await;
    let events = host.end().await;
    assert!(
        events
            .iter()
            .any(|event| matches!(&event.body, EventBody::Status(_)))
    );
}

#[tokio::test]
async fn a_shell_is_free_for_the_next_command_as_soon_as_a_run_in_it_was_dropped() {
    let host = Host::start().await;
    let shell = oh_runtime::SessionName::new("own").unwrap();
    for n in 0..5 {
        let command = oh_runtime::Command::shell("echo started >started; sleep 600");
        let run = host
            .runtime
            .run(command.session(shell.clone()), Default::default());
        let started = async {
            while host.runtime.read_text("started").await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            output = run => panic!("{output:?}"),
            () = started => {}
        }
        let next = oh_runtime::Command::shell(format!("rm started; echo {n}"));
        let next = host
            .runtime
            .run(next.session(shell.clone()), Default::default())
            .await
            .unwrap();
        assert_eq!(next.stdout_text(), format!("{n}\n"));
    }
    host.end().await;
}

#[tokio::test]
async fn an_executor_begins_behind_events_that_the_log_does_not_hold_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path())
        .segment_bytes(1000)
        .retention(Retention::new().max_events(5));
    let stream = EventStream::builder(store, session()).snapshot_events(1);
    let stream = stream.ring_events(1).open().await.unwrap();
    let first = Query::new(EventId(0), EventId(1));
    loop {
        let action = stream.append(Source::Agent, ThinkAction::new()).await;
        let reply = ThinkObservation::new("");
        stream.reply(action.unwrap(), reply).await.unwrap();
        let page = stream.read(first.clone()).await;
        if page.is_err() || page.is_ok_and(|page| page.is_empty()) {
            break;
        }
    }
    let mut host = Host::on(stream.clone(), |builder| builder).await;
    let action = host.append(RunAction::new("echo here")).await;
    let observation = tokio::select! {
        observation = stream.reply_to(action) => observation.unwrap(),
        ended = &mut host.executor => panic!("{ended:?}"),
    };
    let observation = observation.body.as_observation().unwrap();
    assert_eq!(run_of(observation.clone()).content, "here");
}

#[tokio::test]
async fn an_action_that_spells_out_a_secret_is_refused_with_advice_and_not_carried_out() {
    const SECRET: &str = "hunter22-and-more";
    let masker = Masker::new([("TOKEN", Secret::new(SECRET))]).unwrap();
    let stream = EventStream::builder(MemoryStore::new(), session())
        .masker(masker)
        .open()
        .await
        .unwrap();
    let host = Host::on(stream, |builder| builder).await;
    host.run("echo kept > secret_hidden; echo kept > prod.cfg")
        .await;

    // A shell would read `<secret_hidden>` as redirections.
    let spelled = RunAction::new(format!("cat {SECRET} prod.cfg"));
    let written = WriteAction::new("token.txt", SECRET);
    for action in [EventBody::from(spelled), EventBody::from(written)] {
        let Observation::Failure(failure) = host.observe(action).await else {
            panic!("it is refused");
        };
        assert_eq!(failure.error, ErrorKind::InvalidInput);
        assert!(failure.content.contains("environment variable"));
    }
    let kept = host.run("cat prod.cfg; ls -1").await;
    assert_eq!(kept.content, "kept\nprod.cfg\nsecret_hidden");

    let mut thought = RunAction::new("echo done");
    thought.thought = format!("not with {SECRET}");
    assert_eq!(run_of(host.observe(thought).await).content, "done");
    host.end().await;
}

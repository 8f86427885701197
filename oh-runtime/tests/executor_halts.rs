//! What hosts rely on of the executor when things happen at the wrong moment: stops, restarts,
//! answers that come early, late or twice.
#![cfg(all(feature = "local", target_os = "linux"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use oh_runtime::action::{
    BrowseAction, ChangeAgentStateAction, ConfirmAction, ConfirmStep, RunAction,
};
use oh_runtime::event::{Draft, ToolCallMetadata};
use oh_runtime::events::{
    Cursor, EventStream, MemoryStore, Query, Recovery, SegmentStore, Subscription,
};
use oh_runtime::observation::{BrowseObservation, RunObservation};
use oh_runtime::{
    Action, ActionLimits, AgentTrigger, Body, Command, Decision, Descriptor, Error, ErrorKind,
    Event, EventBody, EventId, Executor, ExecutorBuilder, FileMeta, Follow, LocalRuntime,
    Observation, Pause, Permissions, Policy, PolicyContext, Process, ProcessDriver, ProcessEvent,
    ProcessId, PtySize, ReadOptions, ReadOutput, Result, Runtime, RuntimeId, RuntimeStatus,
    SandboxPath, SessionId, Signal, Source, WriteOptions,
};
use tokio::sync::Notify;

type Running = tokio::task::JoinHandle<Result<()>>;

fn session() -> SessionId {
    SessionId::new("test").unwrap()
}

async fn in_memory() -> EventStream {
    let store = MemoryStore::new();
    EventStream::builder(store, session()).open().await.unwrap()
}

async fn on_disk(logs: &tempfile::TempDir) -> EventStream {
    let store = SegmentStore::new(logs.path());
    EventStream::builder(store, session()).open().await.unwrap()
}

async fn local() -> (Arc<LocalRuntime>, tempfile::TempDir) {
    let workspace = tempfile::tempdir().unwrap();
    let runtime = LocalRuntime::builder(workspace.path());
    (Arc::new(runtime.start().await.unwrap()), workspace)
}

fn start(
    stream: &EventStream,
    runtime: Arc<dyn Runtime>,
    change: impl FnOnce(ExecutorBuilder) -> ExecutorBuilder,
) -> Running {
    let builder = Executor::builder(stream.clone(), runtime);
    tokio::spawn(change(builder).build().unwrap().run())
}

async fn agent(stream: &EventStream, action: impl Into<EventBody> + Send) -> EventId {
    stream.append(Source::Agent, action).await.unwrap()
}

async fn user(stream: &EventStream, action: impl Into<EventBody> + Send) -> EventId {
    stream.append(Source::User, action).await.unwrap()
}

async fn reply(stream: &EventStream, action: EventId) -> Observation {
    let event = stream.reply_to(action).await.unwrap();
    event.body.as_observation().unwrap().clone()
}

async fn replies(stream: &EventStream, action: EventId) -> usize {
    let events = stream.read(Query::default()).await.unwrap();
    events
        .iter()
        .filter(|event| event.cause == Some(action))
        .count()
}

fn kind(observation: &Observation) -> ErrorKind {
    match observation {
        Observation::Failure(failure) => failure.error,
        other => panic!("a failure, not {other:?}"),
    }
}

fn is_question(event: &Event) -> bool {
    matches!(&event.body, EventBody::Action(Action::Confirm(confirm)) if confirm.step == ConfirmStep::Question)
}

async fn until(events: &mut Subscription, wanted: impl Fn(&Event) -> bool) -> Arc<Event> {
    loop {
        let event = events.next().await.unwrap().unwrap();
        if wanted(&event) {
            return event;
        }
    }
}

#[derive(Debug)]
struct AskAboutAll;

#[async_trait]
impl Policy for AskAboutAll {
    async fn decide(&self, _: &Action, _: &PolicyContext) -> Decision {
        Decision::Ask {
            question: "may it?".to_owned(),
        }
    }
}

/// Says that it was asked, and never answers.
#[derive(Debug, Default)]
struct Undecided(Arc<Notify>);

#[async_trait]
impl Policy for Undecided {
    async fn decide(&self, _: &Action, _: &PolicyContext) -> Decision {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_second_executor_on_the_same_stream_runs_nothing_again() {
    let stream = in_memory().await;
    let (runtime, workspace) = local().await;
    let first = start(&stream, runtime.clone(), |builder| builder);
    let begun = agent(&stream, RunAction::new("echo x >> ran; sleep 600")).await;
    let waiting = agent(&stream, RunAction::new("echo y")).await;
    while !workspace.path().join("ran").exists() {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());

    let second = start(&stream, runtime.clone(), |builder| builder);
    assert_eq!(
        kind(&reply(&stream, begun).await),
        ErrorKind::OutcomeUnknown
    );
    assert!(matches!(reply(&stream, waiting).await, Observation::Run(_)));
    let ran = std::fs::read_to_string(workspace.path().join("ran")).unwrap();
    assert_eq!(ran, "x\n");
    assert_eq!(replies(&stream, begun).await, 1);
    stream.close().await.unwrap();
    second.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_question_that_a_first_executor_asked_is_answered_by_a_second() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let mut events = stream.subscribe(Cursor::Start);
    let first = start(&stream, runtime.clone(), |builder| {
        builder.policy(AskAboutAll)
    });
    let action = agent(&stream, RunAction::new("true")).await;
    until(&mut events, is_question).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());

    let second = start(&stream, runtime.clone(), |builder| {
        builder.policy(AskAboutAll)
    });
    user(&stream, ConfirmAction::new(action, ConfirmStep::Approved)).await;
    assert!(matches!(reply(&stream, action).await, Observation::Run(_)));
    stream.close().await.unwrap();
    second.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn an_action_that_was_approved_before_a_crash_is_not_asked_about_again() {
    for answer in [
        EventBody::from(ChangeAgentStateAction::new("user_confirmed")),
        ConfirmAction::new(EventId(0), ConfirmStep::Approved).into(),
    ] {
        let logs = tempfile::tempdir().unwrap();
        let stream = on_disk(&logs).await;
        let action = agent(&stream, RunAction::new("touch ran")).await;
        let question = ConfirmAction::new(action, ConfirmStep::Question);
        stream.append(Source::Environment, question).await.unwrap();
        user(&stream, answer).await;
        stream.close().await.unwrap();
        drop(stream);

        let stream = on_disk(&logs).await;
        let (runtime, workspace) = local().await;
        let running = start(&stream, runtime.clone(), |builder| builder);
        assert_eq!(
            kind(&reply(&stream, action).await),
            ErrorKind::OutcomeUnknown
        );
        assert!(!workspace.path().join("ran").exists());
        stream.close().await.unwrap();
        running.await.unwrap().unwrap();
        runtime.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_approval_that_comes_before_the_question_counts() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let mut events = stream.subscribe(Cursor::Start);
    let running = start(&stream, runtime.clone(), |builder| {
        builder.policy(AskAboutAll)
    });
    let first = agent(&stream, RunAction::new("true")).await;
    let second = agent(&stream, RunAction::new("echo second")).await;
    until(&mut events, is_question).await;
    user(&stream, ConfirmAction::new(second, ConfirmStep::Approved)).await;
    user(&stream, ConfirmAction::new(first, ConfirmStep::Refused)).await;
    assert!(matches!(
        reply(&stream, first).await,
        Observation::UserRejected(_)
    ));
    assert_eq!(reply(&stream, second).await.content(), "second");
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_names_no_action_is_not_taken_for_a_later_question() {
    let stream = in_memory().await;
    let (runtime, workspace) = local().await;
    let mut events = stream.subscribe(Cursor::Start);
    let first = agent(&stream, RunAction::new("true")).await;
    let second = agent(&stream, RunAction::new("touch ran")).await;
    let running = start(&stream, runtime.clone(), |builder| {
        builder.policy(AskAboutAll)
    });
    until(&mut events, is_question).await;
    // Both are there before the second question is.
    let (refused, confirmed) = tokio::join!(
        user(&stream, ChangeAgentStateAction::new("user_rejected")),
        user(&stream, ChangeAgentStateAction::new("user_confirmed")),
    );
    assert!(refused < confirmed);
    reply(&stream, first).await;
    until(&mut events, is_question).await;
    let later = user(&stream, ChangeAgentStateAction::new("user_rejected")).await;
    assert!(matches!(
        reply(&stream, second).await,
        Observation::UserRejected(_)
    ));
    assert!(later > confirmed && !workspace.path().join("ran").exists());
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn an_approval_does_not_lift_a_permission() {
    let logs = tempfile::tempdir().unwrap();
    let stream = on_disk(&logs).await;
    let action = agent(&stream, RunAction::new("touch ran")).await;
    let question = ConfirmAction::new(action, ConfirmStep::Question);
    stream.append(Source::Environment, question).await.unwrap();
    stream.close().await.unwrap();
    drop(stream);

    let stream = on_disk(&logs).await;
    let (runtime, workspace) = local().await;
    let running = start(&stream, runtime.clone(), |builder| {
        builder.permissions(Permissions::only(["read"]))
    });
    user(&stream, ConfirmAction::new(action, ConfirmStep::Approved)).await;
    assert_eq!(kind(&reply(&stream, action).await), ErrorKind::Denied);
    assert!(!workspace.path().join("ran").exists());
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_stop_is_heard_while_a_policy_thinks() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let policy = Undecided::default();
    let asked = policy.0.clone();
    let running = start(&stream, runtime.clone(), |builder| builder.policy(policy));
    let action = agent(&stream, RunAction::new("true")).await;
    asked.notified().await;
    stream.set_state(AgentTrigger::Stop).await.unwrap();
    assert_eq!(kind(&reply(&stream, action).await), ErrorKind::Cancelled);
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn an_action_that_a_model_still_sends_after_a_stop_is_not_carried_out() {
    let stream = in_memory().await;
    let (runtime, workspace) = local().await;
    let running = start(&stream, runtime.clone(), |builder| builder);
    stream.set_state(AgentTrigger::Stop).await.unwrap();
    let late = agent(&stream, RunAction::new("touch ran")).await;
    assert_eq!(kind(&reply(&stream, late).await), ErrorKind::Cancelled);
    assert!(!workspace.path().join("ran").exists());
    let own = user(&stream, RunAction::new("echo mine")).await;
    assert_eq!(reply(&stream, own).await.content(), "mine");
    stream.set_state(AgentTrigger::Resume).await.unwrap();
    let next = agent(&stream, RunAction::new("echo on")).await;
    assert_eq!(reply(&stream, next).await.content(), "on");
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_stop_of_a_paused_agent_lets_it_go_on_later() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let running = start(&stream, runtime.clone(), |builder| builder);
    stream.set_state(AgentTrigger::Pause).await.unwrap();
    let held = agent(&stream, RunAction::new("echo held")).await;
    stream.set_state(AgentTrigger::Stop).await.unwrap();
    assert_eq!(kind(&reply(&stream, held).await), ErrorKind::Cancelled);
    let own = user(&stream, RunAction::new("echo mine")).await;
    assert_eq!(reply(&stream, own).await.content(), "mine");
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_host_without_a_controller_can_pause_and_go_on() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let running = start(&stream, runtime.clone(), |builder| builder);
    user(&stream, ChangeAgentStateAction::new("paused")).await;
    let held = agent(&stream, RunAction::new("echo held")).await;
    let resumed = user(&stream, ChangeAgentStateAction::new("running")).await;
    let event = stream.reply_to(held).await.unwrap();
    assert!(event.id > resumed);
    assert_eq!(event.body.as_observation().unwrap().content(), "held");
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_blocking_action_is_waited_for_at_most_as_long_as_the_limit_says() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let limits = ActionLimits::default().wait(Duration::from_millis(50));
    let running = start(&stream, runtime.clone(), |builder| builder.limits(limits));
    let action = agent(&stream, RunAction::new("sleep 600").blocking(true)).await;
    let Observation::Run(run) = reply(&stream, action).await else {
        panic!("a run")
    };
    assert_eq!(run.details.pause, Some(Pause::Elapsed));
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

/// Closes the stream before the executor can answer.
#[derive(Debug)]
struct Closes(EventStream);

#[async_trait]
impl Policy for Closes {
    async fn decide(&self, _: &Action, _: &PolicyContext) -> Decision {
        self.0.close().await.unwrap();
        Decision::Deny {
            reason: "closed".to_owned(),
        }
    }
}

#[tokio::test]
async fn closing_the_stream_ends_the_executor_without_an_error_at_any_moment() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let policy = Closes(stream.clone());
    let running = start(&stream, runtime.clone(), |builder| builder.policy(policy));
    agent(&stream, RunAction::new("true")).await;
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

/// A runtime out of reach: its commands say nothing and cannot be ended.
#[derive(Debug)]
struct OutOfReach(Descriptor, Arc<Notify>);

impl OutOfReach {
    fn new() -> Self {
        let workspace = SandboxPath::new("/").unwrap();
        let descriptor = Descriptor::new("far", RuntimeId::new("f"), workspace);
        Self(descriptor, Arc::default())
    }
}

#[async_trait]
impl ProcessDriver for Silent {
    async fn write_stdin(&self, _: Bytes) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "write stdin"))
    }
    async fn close_stdin(&self) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "close stdin"))
    }
    async fn signal(&self, _: Signal) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "signal"))
    }
    async fn resize(&self, _: PtySize) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "resize"))
    }
    async fn cancel(&self) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "cancel"))
    }
    fn abandon(&self) {}
}

/// Says when it is followed, and then nothing.
#[derive(Debug)]
struct Silent(Arc<Notify>);

impl futures::Stream for Silent {
    type Item = Result<ProcessEvent>;

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.notify_one();
        std::task::Poll::Pending
    }
}

#[async_trait]
impl Runtime for OutOfReach {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    async fn spawn(&self, _: Command, _: Follow) -> Result<Process> {
        let driver = Arc::new(Silent(Arc::default()));
        let events = Silent(self.1.clone());
        Ok(Process::new(
            ProcessId::new("p"),
            Default::default(),
            events,
            driver,
        ))
    }
    async fn read(&self, _: &SandboxPath, _: ReadOptions) -> Result<ReadOutput> {
        Err(Error::new(ErrorKind::Unavailable, "read"))
    }
    async fn write(&self, _: &SandboxPath, _: Body, _: WriteOptions) -> Result<FileMeta> {
        Err(Error::new(ErrorKind::Unavailable, "write"))
    }
    fn status(&self) -> RuntimeStatus {
        RuntimeStatus::Ready
    }
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_stop_is_answered_even_if_the_runtime_cannot_be_reached() {
    let stream = in_memory().await;
    let runtime = Arc::new(OutOfReach::new());
    let followed = runtime.1.clone();
    let running = start(&stream, runtime, |builder| builder);
    let action = agent(&stream, RunAction::new("true")).await;
    followed.notified().await;
    stream.set_state(AgentTrigger::Stop).await.unwrap();
    assert_eq!(kind(&reply(&stream, action).await), ErrorKind::Unavailable);
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_observation_names_the_tool_call_that_it_answers() {
    let stream = in_memory().await;
    let (runtime, _workspace) = local().await;
    let running = start(&stream, runtime.clone(), |builder| builder);
    let answer = serde_json::json!({"id": "r", "choices": []});
    let tool = ToolCallMetadata::new("execute_bash", "c1").model_response(answer);
    let call = Draft::new(Source::Agent, RunAction::new("true")).tool(tool);
    let action = stream.append_draft(call).await.unwrap();
    let told = stream.reply_to(action).await.unwrap().tool.clone().unwrap();
    assert_eq!(told.tool_call_id, "c1");
    assert_eq!(told.model_response.as_str(), "{}", "it is kept once");
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

/// Answers the action that it is asked about in the executor's place.
#[derive(Debug)]
struct AnswersItself(EventStream);

#[async_trait]
impl Policy for AnswersItself {
    async fn decide(&self, action: &Action, _: &PolicyContext) -> Decision {
        if let Action::Browse(_) = action {
            let open = self.0.session_state().open_actions().next().unwrap();
            let seen = BrowseObservation::new("a page", "http://x", "");
            self.0.reply(open, seen).await.unwrap();
        }
        Decision::Allow
    }
}

#[tokio::test]
async fn an_action_that_the_host_answers_itself_gets_no_second_observation() {
    let stream = in_memory().await;
    let (runtime, workspace) = local().await;
    // Before the executor comes to it.
    let early = agent(&stream, RunAction::new("touch ran")).await;
    let own = RunObservation::new("the host's own", "touch ran");
    stream.reply(early, own).await.unwrap();
    let policy = AnswersItself(stream.clone());
    let running = start(&stream, runtime.clone(), |builder| builder.policy(policy));
    // While it decides.
    let browse = agent(&stream, BrowseAction::new("http://x")).await;
    let next = agent(&stream, RunAction::new("echo next")).await;
    assert_eq!(reply(&stream, next).await.content(), "next");
    assert_eq!(reply(&stream, browse).await.content(), "a page");
    assert_eq!(reply(&stream, early).await.content(), "the host's own");
    for action in [early, browse, next] {
        assert_eq!(replies(&stream, action).await, 1);
    }
    assert!(!workspace.path().join("ran").exists());
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn an_action_that_is_answered_while_a_person_is_asked_is_not_waited_for() {
    let stream = in_memory().await;
    let (runtime, workspace) = local().await;
    let mut events = stream.subscribe(Cursor::Start);
    let running = start(&stream, runtime.clone(), |builder| {
        builder.policy(AskAboutAll)
    });
    let action = agent(&stream, RunAction::new("touch ran")).await;
    until(&mut events, is_question).await;
    let own = RunObservation::new("the host's own", "touch ran");
    stream.reply(action, own).await.unwrap();
    let next = agent(&stream, RunAction::new("echo next")).await;
    until(&mut events, |event| is_question(event) && event.id > next).await;
    user(&stream, ConfirmAction::new(action, ConfirmStep::Approved)).await;
    user(&stream, ConfirmAction::new(next, ConfirmStep::Approved)).await;
    assert_eq!(reply(&stream, next).await.content(), "next");
    assert_eq!(replies(&stream, action).await, 1);
    assert!(!workspace.path().join("ran").exists());
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn what_was_left_to_the_host_at_opening_is_not_closed_by_an_executor() {
    let logs = tempfile::tempdir().unwrap();
    let stream = on_disk(&logs).await;
    let action = agent(&stream, RunAction::new("touch ran")).await;
    stream.close().await.unwrap();
    drop(stream);

    let store = SegmentStore::new(logs.path());
    let leaving = EventStream::builder(store, session()).recovery(Recovery::Leave);
    let stream = leaving.open().await.unwrap();
    let (runtime, workspace) = local().await;
    let running = start(&stream, runtime.clone(), |builder| builder);
    let next = agent(&stream, RunAction::new("echo next")).await;
    reply(&stream, next).await;
    assert!(stream.is_open(action) && !workspace.path().join("ran").exists());
    let late = RunObservation::new("it went on elsewhere", "touch ran");
    stream.reply(action, late).await.unwrap();
    stream.close().await.unwrap();
    running.await.unwrap().unwrap();
    runtime.close().await.unwrap();
}

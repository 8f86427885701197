use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use super::{CaptureTap, DispatchOptions, Dispatcher, OutputTap, TapOutput};
use crate::action::{Action, FileAction, FileOperation, RunAction};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProcessId, RuntimeId, SessionName};
use crate::observation::{Observation, RunObservation};
use crate::runtime::{
    Body, Capabilities, Capability, CaptureLimit, Command, Descriptor, Exit, ExitReport, FileMeta,
    Follow, Gap, GrepLine, GrepOutput, GrepQuery, OutputStream, Process, ProcessDriver,
    ProcessEvent, ProcessInfo, PtySize, ReadOptions, ReadOutput, Runtime, RuntimeExt, SandboxPath,
    Signal, WaitsForInput, WriteOptions,
};
use crate::secret::{Edge, Masker, Secret};
use crate::status::RuntimeStatus;

/// A runtime whose commands do what the test says, one look after the other.
#[derive(Debug)]
struct Fake {
    descriptor: Descriptor,
    looks: Mutex<VecDeque<Result<Vec<ProcessEvent>>>>,
    known: Vec<ProcessInfo>,
    lines: Vec<GrepLine>,
    driver: Arc<Driver>,
    spawned: Mutex<Vec<Command>>,
}

#[derive(Debug, Default)]
struct Driver {
    sent: Mutex<Vec<String>>,
    reads_nothing: bool,
    input_error: Option<ErrorKind>,
}

impl Fake {
    fn new(looks: impl IntoIterator<Item = Result<Vec<ProcessEvent>>>) -> Self {
        let workspace = SandboxPath::new("/workspace").unwrap();
        Self {
            descriptor: Descriptor::new("fake", RuntimeId::new("f"), workspace)
                .capabilities(Capabilities::none().with(Capability::Sessions)),
            looks: Mutex::new(looks.into_iter().collect()),
            known: Vec::new(),
            lines: Vec::new(),
            driver: Arc::default(),
            spawned: Mutex::default(),
        }
    }

    fn without_shells(mut self) -> Self {
        self.descriptor.capabilities = Capabilities::none();
        self
    }

    fn follow(&self) -> Result<Process> {
        let events = self.looks.lock().unwrap().pop_front().unwrap()?;
        let driver = self.driver.clone();
        Ok(Process::new(
            ProcessId::new("p"),
            Default::default(),
            Played(events.into()),
            driver,
        ))
    }

    fn spawned(&self) -> Vec<String> {
        let spawned = self.spawned.lock().unwrap();
        spawned.iter().map(|c| c.target.to_string()).collect()
    }

    fn sent(&self) -> Vec<String> {
        self.driver.sent.lock().unwrap().clone()
    }
}

struct Played(VecDeque<ProcessEvent>);

impl Stream for Played {
    type Item = Result<ProcessEvent>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

#[async_trait]
impl ProcessDriver for Driver {
    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        if self.reads_nothing {
            std::future::pending::<()>().await;
        }
        if let Some(kind) = self.input_error {
            return Err(Error::new(kind, "write stdin"));
        }
        let text = String::from_utf8_lossy(&data).into_owned();
        self.sent.lock().unwrap().push(text);
        Ok(())
    }
    async fn close_stdin(&self) -> Result<()> {
        self.sent.lock().unwrap().push("end of file".to_owned());
        Ok(())
    }
    async fn signal(&self, signal: Signal) -> Result<()> {
        self.sent.lock().unwrap().push(format!("{signal:?}"));
        Ok(())
    }
    async fn resize(&self, _: PtySize) -> Result<()> {
        Ok(())
    }
    async fn cancel(&self) -> Result<()> {
        Ok(())
    }
    fn abandon(&self) {}
}

#[async_trait]
impl Runtime for Fake {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    async fn spawn(&self, command: Command, _: Follow) -> Result<Process> {
        self.spawned.lock().unwrap().push(command);
        self.follow()
    }
    async fn attach(&self, _: &ProcessId, _: Follow) -> Result<Process> {
        self.follow()
    }
    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        Ok(self.known.clone())
    }
    async fn read(&self, _: &SandboxPath, _: ReadOptions) -> Result<ReadOutput> {
        Err(Error::unsupported("read"))
    }
    async fn write(&self, _: &SandboxPath, _: Body, _: WriteOptions) -> Result<FileMeta> {
        Err(Error::unsupported("write"))
    }
    async fn grep(&self, _: GrepQuery) -> Result<GrepOutput> {
        Ok(GrepOutput::new(self.lines.clone(), false))
    }
    fn status(&self) -> RuntimeStatus {
        RuntimeStatus::Ready
    }
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// The fake waits for nothing but an input that nobody reads.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

fn observe(dispatcher: &Dispatcher, runtime: &Fake, action: impl Into<Action>) -> Observation {
    let mut tap = CaptureTap::new(CaptureLimit::default());
    now(dispatcher.execute(runtime, &action.into(), &mut tap))
}

fn run_of(observation: Observation) -> RunObservation {
    match observation {
        Observation::Run(run) => run,
        other => panic!("a run observation, not {other:?}"),
    }
}

fn prints(at: u64, text: &str) -> ProcessEvent {
    ProcessEvent::Stdout {
        at,
        data: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn goes_on(text: &str) -> Result<Vec<ProcessEvent>> {
    let input = WaitsForInput::Unknown;
    Ok(vec![prints(0, text), ProcessEvent::Quiet { input }])
}

fn ends(text: &str) -> Result<Vec<ProcessEvent>> {
    let report = ExitReport::new(Exit::Code(0));
    Ok(vec![prints(0, text), ProcessEvent::Exited(report)])
}

fn lost(kind: ErrorKind) -> Result<Vec<ProcessEvent>> {
    Err(Error::new(kind, "attach").with_object("p"))
}

#[test]
fn a_shell_is_usable_again_when_the_runtime_forgot_the_command_that_ran_in_it() {
    for kind in [ErrorKind::NotFound, ErrorKind::Gone, ErrorKind::Unsupported] {
        let runtime = Fake::new([goes_on("a"), lost(kind), ends("b")]);
        let dispatcher = Dispatcher::default();
        observe(&dispatcher, &runtime, RunAction::new("first"));
        let next = run_of(observe(&dispatcher, &runtime, RunAction::new("next")));
        assert_eq!(next.content, "b", "{kind:?}");
        assert!(
            next.metadata.prefix.contains("first"),
            "{}",
            next.metadata.prefix
        );
        assert_eq!(runtime.spawned(), ["first", "next"]);
    }
}

#[test]
fn a_wait_for_a_forgotten_command_fails_once_and_does_not_block_the_shell() {
    let runtime = Fake::new([goes_on("a"), lost(ErrorKind::NotFound), ends("b")]);
    let dispatcher = Dispatcher::default();
    observe(&dispatcher, &runtime, RunAction::new("first"));
    let waited = observe(&dispatcher, &runtime, RunAction::new(""));
    assert!(matches!(waited, Observation::Failure(_)), "{waited:?}");
    let next = run_of(observe(&dispatcher, &runtime, RunAction::new("next")));
    assert_eq!(next.content, "b");
}

#[test]
fn a_stream_that_ends_without_an_exit_does_not_block_the_shell() {
    let broken = Ok(vec![prints(0, "half")]);
    let runtime = Fake::new([goes_on("a"), broken, ends("b")]);
    let dispatcher = Dispatcher::default();
    observe(&dispatcher, &runtime, RunAction::new("first"));
    observe(&dispatcher, &runtime, RunAction::new(""));
    let next = run_of(observe(&dispatcher, &runtime, RunAction::new("next")));
    assert_eq!(next.content, "b");
}

#[test]
fn a_shell_that_someone_else_keeps_busy_can_be_interrupted() {
    let busy = Error::new(ErrorKind::Conflict, "spawn").with_running(ProcessId::new("p"));
    let mut runtime = Fake::new([Err(busy), goes_on("theirs"), ends("^C")]);
    let mut info = ProcessInfo::new(ProcessId::new("p"), "sleep 600");
    info.session = SessionName::new("main").ok();
    runtime.known = vec![info];
    let dispatcher = Dispatcher::default();
    let refused = run_of(observe(&dispatcher, &runtime, RunAction::new("mine")));
    assert!(
        refused.metadata.suffix.contains("NOT executed")
            && refused.metadata.suffix.contains("sleep 600"),
        "{}",
        refused.metadata.suffix
    );
    observe(&dispatcher, &runtime, RunAction::new("C-c").is_input(true));
    assert_eq!(runtime.sent(), ["\u{3}"]);
}

#[test]
fn a_command_can_be_waited_for_without_keeping_a_dispatcher() {
    let mut runtime = Fake::new([goes_on("a"), ends("ab")]);
    let mut info = ProcessInfo::new(ProcessId::new("p"), "slow");
    info.session = SessionName::new("main").ok();
    runtime.known = vec![info];
    let runtime: &dyn Runtime = &runtime;
    now(runtime.execute(&RunAction::new("slow").into()));
    let waited = run_of(now(runtime.execute(&RunAction::new("").into())));
    assert_eq!(waited.details.exit, Some(Exit::Code(0)));
}

#[test]
fn an_input_that_nobody_reads_does_not_hold_up_the_answer() {
    let mut runtime = Fake::new([goes_on("a"), goes_on("")]);
    runtime.driver = Arc::new(Driver {
        reads_nothing: true,
        ..Driver::default()
    });
    let dispatcher = Dispatcher::default();
    observe(&dispatcher, &runtime, RunAction::new("first"));
    let answer = RunAction::new("x".repeat(100_000)).is_input(true);
    let answered = run_of(observe(&dispatcher, &runtime, answer));
    assert!(answered.details.pause.is_some());
}

#[test]
fn input_to_a_command_that_has_just_ended_brings_its_result() {
    let mut runtime = Fake::new([goes_on("a"), ends("done")]);
    runtime.driver = Arc::new(Driver {
        input_error: Some(ErrorKind::Gone),
        ..Driver::default()
    });
    let dispatcher = Dispatcher::default();
    observe(&dispatcher, &runtime, RunAction::new("first"));
    let answer = RunAction::new("yes").is_input(true);
    let answered = run_of(observe(&dispatcher, &runtime, answer));
    assert_eq!(answered.details.exit, Some(Exit::Code(0)));
}

#[test]
fn a_command_without_a_terminal_can_be_interrupted_too() {
    let runtime = Fake::new([goes_on("a"), ends("")]).without_shells();
    let dispatcher = Dispatcher::default();
    observe(&dispatcher, &runtime, RunAction::new("first"));
    observe(&dispatcher, &runtime, RunAction::new("C-c").is_input(true));
    assert_eq!(runtime.sent(), ["Interrupt"]);
}

#[test]
fn what_the_last_command_said_is_told_even_if_the_next_one_cannot_start() {
    let refused = Err(Error::invalid("spawn", "a session takes no env"));
    let runtime = Fake::new([goes_on("a"), ends("late words"), refused]);
    let dispatcher = Dispatcher::default();
    observe(&dispatcher, &runtime, RunAction::new("first"));
    let next = observe(&dispatcher, &runtime, RunAction::new("next"));
    assert!(matches!(next, Observation::Failure(_)), "{next:?}");
    assert!(
        next.content().contains("late words") && next.content().contains("takes no env"),
        "{}",
        next.content()
    );
}

#[test]
fn positions_that_a_runtime_made_up_do_no_harm() {
    let gap = ProcessEvent::Gap(Gap {
        stream: OutputStream::Stdout,
        from: 0,
        to: u64::MAX,
    });
    let report = ExitReport::new(Exit::Code(0));
    let events = vec![gap, prints(u64::MAX, "x"), ProcessEvent::Exited(report)];
    let runtime = Fake::new([Ok(events)]);
    let run = run_of(observe(
        &Dispatcher::default(),
        &runtime,
        RunAction::new("x"),
    ));
    assert_eq!(run.details.stdout_bytes, Some(u64::MAX));
}

/// As a tap of a host with secrets.
#[derive(Debug)]
struct MaskingTap(CaptureTap, Masker);

#[async_trait]
impl OutputTap for MaskingTap {
    async fn push(&mut self, stream: OutputStream, data: Bytes) {
        self.0.push(stream, data).await;
    }
    async fn gap(&mut self, gap: Gap) {
        self.0.gap(gap).await;
    }
    async fn finish(&mut self, end: Edge) -> TapOutput {
        self.0.finish(end).await
    }
    fn mask<'t>(&self, text: &'t str, end: Edge) -> Cow<'t, str> {
        self.1.mask_piece(text, Edge::Whole, end)
    }
}

fn masking_tap() -> MaskingTap {
    let masker = Masker::new([("token", Secret::new("tok-0123456789abcdef"))]).unwrap();
    MaskingTap(CaptureTap::new(CaptureLimit::default()), masker)
}

#[test]
fn no_part_of_a_secret_is_left_where_a_long_answer_is_cut() {
    let path = SandboxPath::new("/workspace/a").unwrap();
    let grep = FileOperation::Grep {
        pattern: "tok".into(),
        path: ".".into(),
        include: None,
    };
    for padding in 0..60 {
        let mut runtime = Fake::new([ends(&format!(
            "{}tok-01234\u{1b}[0m56789abcdef{}",
            "-".repeat(padding),
            "-".repeat(100)
        ))]);
        let text = format!("{}tok-0123456789abcdef", "-".repeat(padding));
        runtime.lines = (1..20)
            .map(|line| GrepLine::new(path.clone(), line, text.clone()))
            .collect();
        let dispatcher = Dispatcher::new(DispatchOptions::default().content_chars(60));
        for action in [
            Action::from(FileAction::new(grep.clone())),
            RunAction::new("x").into(),
        ] {
            let observation = now(dispatcher.execute(&runtime, &action, &mut masking_tap()));
            let content = observation.content();
            for part in ["tok-", "0123", "cdef", "89ab"] {
                assert!(!content.contains(part), "{content}");
            }
        }
    }
}

#[test]
fn the_beginning_of_a_secret_is_hidden_at_the_end_of_a_line_that_was_cut() {
    let path = SandboxPath::new("/workspace/a").unwrap();
    let mut runtime = Fake::new([]);
    let mut line = GrepLine::new(path, 1, "key=tok-012345");
    line.cut = true;
    runtime.lines = vec![line];
    let grep = FileOperation::Grep {
        pattern: "tok".into(),
        path: ".".into(),
        include: None,
    };
    let action = FileAction::new(grep).into();
    let found = now(Dispatcher::default().execute(&runtime, &action, &mut masking_tap()));
    assert!(!found.content().contains("tok-"), "{}", found.content());
}

//! A runtime that does everything as another one, but for one fault.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use oh_runtime::{
    Body, Browse, BrowseOutput, ByteRange, ByteStream, Capability, CellOutput, Command,
    CommandOutput, CopyOptions, CopySummary, Descriptor, Edit, EditOutput, Error, ErrorKind, Exit,
    FileMeta, Follow, GlobOutput, GlobQuery, GrepOutput, GrepQuery, IgnoreRules, LinkMode,
    ListOptions, Listing, LocalRuntime, OutputStream, Port, Process, ProcessControl, ProcessDriver,
    ProcessEvent, ProcessId, ProcessInfo, PtySize, PythonCell, ReadOptions, ReadOutput, RemoveMode,
    RenameMode, Result, Runtime, RuntimeStatus, SandboxPath, SessionName, Signal, SnapshotId,
    Stats, StatusStream, Stdin, Target, WriteOptions,
};

/// What a [`Broken`] runtime does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Nothing,
    LosesTheLastByte,
    SwapsTheStreams,
    RepeatsAPiece,
    TurnsBytesIntoText,
    ExitsWithZero,
    ReportsSignalsAsCodes,
    ReportsNoClosed,
    HoldsTheCallForBackgroundChildren,
    JoinsArguments,
    IgnoresTheWorkingDirectory,
    InheritsTheEnvironment,
    LosesVariables,
    IgnoresDeadlines,
    IgnoresQuiet,
    EndsOnlyTheGroup,
    LeavesDroppedCommandsRunning,
    OpensStdinForEverything,
    WritesInTwoSteps,
    WritesLineEndsItsWay,
    IgnoresWriteModes,
    FollowsLinksWhenRemoving,
    NeverTruncates,
    SearchesIgnoredFiles,
    UnpacksWhatTarUnpacks,
    CallsEveryErrorInternal,
    DeniesWhatItCan,
    Panics,
    DoesNotClose,
    ForgetsLimits,
    ForgetsTerminals,
    RestartsSessions,
    MixesSessions,
}

#[derive(Debug)]
pub(crate) struct Broken {
    inner: Arc<LocalRuntime>,
    fault: Fault,
    descriptor: Descriptor,
}

impl Broken {
    pub(crate) fn new(inner: LocalRuntime, fault: Fault) -> Self {
        let mut descriptor = inner.descriptor().clone();
        if fault == Fault::DeniesWhatItCan {
            let fewer = [Capability::Attach, Capability::List, Capability::Pty];
            descriptor.capabilities = descriptor
                .capabilities
                .iter()
                .filter(|capability| !fewer.contains(capability))
                .collect();
        }
        Self {
            inner: Arc::new(inner),
            fault,
            descriptor,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn error(&self, error: Error) -> Error {
        if self.has(Fault::CallsEveryErrorInternal) {
            return Error::new(ErrorKind::Internal, "something");
        }
        error
    }

    fn change(&self, mut command: Command) -> Command {
        match self.fault {
            Fault::JoinsArguments => {
                if let Target::Program { program, args } = &command.target {
                    let text = std::iter::once(program).chain(args).cloned();
                    command.target = Target::Shell(text.collect::<Vec<_>>().join(" "));
                }
            }
            Fault::IgnoresTheWorkingDirectory => command.cwd = None,
            Fault::InheritsTheEnvironment => command
                .env
                .extend(std::env::vars().filter(|(name, _)| name.starts_with("CARGO"))),
            Fault::LosesVariables => command.env.clear(),
            Fault::IgnoresDeadlines => command.deadline = None,
            Fault::OpensStdinForEverything if command.stdin == Stdin::Null => {
                command.stdin = Stdin::Piped;
            }
            Fault::ForgetsLimits => command.limits = Default::default(),
            Fault::MixesSessions => {
                let one = SessionName::new("one").ok();
                command.session = command.session.and(one);
            }
            Fault::ForgetsTerminals => command.output = Default::default(),
            _ => {}
        }
        command
    }

    fn wrap(&self, process: Process) -> Process {
        let (fault, id) = (self.fault, process.id().clone());
        let from = process.position();
        let driver = Arc::new(BrokenDriver {
            inner: process.control(),
            fault,
        });
        let mut held: Option<ProcessEvent> = None;
        let events = process
            .map(Some)
            .chain(futures::stream::once(async { None }))
            .flat_map(move |event| futures::stream::iter(spoil(fault, &mut held, event)));
        Process::new(id, from, events, driver)
    }
}

/// Changes an event, holding back one piece of output where its successor matters.
fn spoil(
    fault: Fault,
    held: &mut Option<ProcessEvent>,
    event: Option<Result<ProcessEvent>>,
) -> Vec<Result<ProcessEvent>> {
    use ProcessEvent::{Closed, Exited, Stderr, Stdout};
    match (fault, event) {
        (_, None) => Vec::new(),
        (Fault::LosesTheLastByte, Some(Ok(event @ Stdout { .. }))) => {
            held.replace(event).map(Ok).into_iter().collect()
        }
        (Fault::LosesTheLastByte, Some(event)) => {
            let cut = held.take().and_then(|held| match held {
                Stdout { at, data } if data.len() > 1 => Some(Stdout {
                    at,
                    data: data.slice(..data.len() - 1),
                }),
                _ => None,
            });
            cut.map(Ok).into_iter().chain([event]).collect()
        }
        (Fault::SwapsTheStreams, Some(Ok(Stdout { at, data }))) => vec![Ok(Stderr { at, data })],
        (Fault::SwapsTheStreams, Some(Ok(Stderr { at, data }))) => vec![Ok(Stdout { at, data })],
        (Fault::RepeatsAPiece, Some(Ok(event @ Stdout { .. }))) => {
            vec![Ok(event.clone()), Ok(event)]
        }
        (Fault::TurnsBytesIntoText, Some(Ok(Stdout { at, data }))) => {
            let text = String::from_utf8_lossy(&data).into_owned();
            vec![Ok(Stdout {
                at,
                data: text.into(),
            })]
        }
        (Fault::ExitsWithZero, Some(Ok(Exited(mut report)))) => {
            report.exit = Exit::Code(0);
            vec![Ok(Exited(report))]
        }
        (Fault::ReportsSignalsAsCodes, Some(Ok(Exited(mut report)))) => {
            if let Exit::Signal(signal) = report.exit {
                report.exit = Exit::Code(128 + signal);
            }
            vec![Ok(Exited(report))]
        }
        (Fault::ReportsNoClosed, Some(Ok(Closed))) => Vec::new(),
        (Fault::HoldsTheCallForBackgroundChildren, Some(Ok(event @ Exited(_)))) => {
            *held = Some(event);
            Vec::new()
        }
        (Fault::HoldsTheCallForBackgroundChildren, Some(Ok(Closed))) => {
            held.take().into_iter().chain([Closed]).map(Ok).collect()
        }
        (_, Some(event)) => vec![event],
    }
}

#[derive(Debug)]
struct BrokenDriver {
    inner: ProcessControl,
    fault: Fault,
}

#[async_trait]
impl ProcessDriver for BrokenDriver {
    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        self.inner.write_stdin(data).await
    }

    async fn close_stdin(&self) -> Result<()> {
        self.inner.close_stdin().await
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        self.inner.signal(signal).await
    }

    async fn resize(&self, size: PtySize) -> Result<()> {
        self.inner.resize(size).await
    }

    async fn cancel(&self) -> Result<()> {
        if self.fault == Fault::EndsOnlyTheGroup {
            return self.inner.signal(Signal::Kill).await;
        }
        self.inner.cancel().await
    }

    fn abandon(&self) {
        if self.fault != Fault::LeavesDroppedCommandsRunning {
            self.inner.abandon();
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Runtime for Broken {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn spawn(&self, command: Command, mut follow: Follow) -> Result<Process> {
        if self.has(Fault::IgnoresQuiet) {
            follow.quiet = None;
        }
        if self.has(Fault::RestartsSessions)
            && let Some(session) = &command.session
        {
            self.inner.close_session(session).await?;
        }
        let spawned = self.inner.spawn(self.change(command), follow).await;
        Ok(self.wrap(spawned.map_err(|error| self.error(error))?))
    }

    async fn attach(&self, process: &ProcessId, follow: Follow) -> Result<Process> {
        let attached = self.inner.attach(process, follow).await;
        Ok(self.wrap(attached.map_err(|error| self.error(error))?))
    }

    async fn run(&self, command: Command, follow: Follow) -> Result<CommandOutput> {
        let capture = command.capture;
        let keyed = command.key.is_some();
        let mut process = self.spawn(command, follow).await?;
        if keyed {
            process.output(capture).await
        } else {
            process.output_or_abandon(capture).await
        }
    }

    async fn read_output(
        &self,
        process: &ProcessId,
        stream: OutputStream,
        range: ByteRange,
    ) -> Result<Bytes> {
        self.inner.read_output(process, stream, range).await
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.inner.processes().await
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<ReadOutput> {
        assert!(!self.has(Fault::Panics), "out of order");
        let read = self.inner.read(path, options).await;
        read.map_err(|error| self.error(error))
    }

    async fn read_stream(
        &self,
        path: &SandboxPath,
        options: ReadOptions,
    ) -> Result<(FileMeta, ByteStream)> {
        self.inner.read_stream(path, options).await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        mut body: Body,
        mut options: WriteOptions,
    ) -> Result<FileMeta> {
        match (self.fault, &mut body) {
            (Fault::WritesInTwoSteps, Body::Bytes(bytes)) => {
                let half = bytes.slice(..bytes.len() / 2);
                self.inner.write(path, half.into(), options.clone()).await?;
            }
            (Fault::WritesLineEndsItsWay, Body::Bytes(bytes)) => {
                let kept = bytes.iter().copied().filter(|byte| *byte != b'\r');
                *bytes = kept.collect();
            }
            (Fault::IgnoresWriteModes, _) => options.mode = Default::default(),
            _ => {}
        }
        let written = self.inner.write(path, body, options).await;
        written.map_err(|error| self.error(error))
    }

    async fn edit(&self, path: &SandboxPath, edit: Edit) -> Result<EditOutput> {
        let output = self.inner.edit(path, edit).await?;
        if let (Fault::WritesLineEndsItsWay, Some(text)) = (self.fault, &output.after) {
            self.write(path, text.clone().into(), WriteOptions::default())
                .await?;
        }
        Ok(output)
    }

    async fn stat(&self, path: &SandboxPath, links: LinkMode) -> Result<FileMeta> {
        self.inner.stat(path, links).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Listing> {
        let mut listing = self.inner.list(path, options).await?;
        listing.truncated &= !self.has(Fault::NeverTruncates);
        Ok(listing)
    }

    async fn glob(&self, mut query: GlobQuery) -> Result<GlobOutput> {
        if self.has(Fault::SearchesIgnoredFiles) {
            query.ignore = IgnoreRules::Off;
        }
        let mut output = self.inner.glob(query).await?;
        output.truncated &= !self.has(Fault::NeverTruncates);
        Ok(output)
    }

    async fn grep(&self, mut query: GrepQuery) -> Result<GrepOutput> {
        if self.has(Fault::SearchesIgnoredFiles) {
            query.ignore = IgnoreRules::Off;
        }
        let mut output = self.inner.grep(query).await?;
        output.truncated &= !self.has(Fault::NeverTruncates);
        Ok(output)
    }

    async fn remove(&self, path: &SandboxPath, mode: RemoveMode) -> Result<()> {
        if self.has(Fault::FollowsLinksWhenRemoving) && mode == RemoveMode::Tree {
            let script = "for link in $(find -L \"$0\" -type f); do rm -f \"$link\"; done";
            let command = Command::new("sh").args(["-c", script, path.as_str()]);
            self.inner.run(command, Follow::default()).await?;
        }
        self.inner.remove(path, mode).await
    }

    async fn make_dir(&self, path: &SandboxPath) -> Result<FileMeta> {
        self.inner.make_dir(path).await
    }

    async fn rename(
        &self,
        from: &SandboxPath,
        to: &SandboxPath,
        mode: RenameMode,
    ) -> Result<FileMeta> {
        self.inner.rename(from, to, mode).await
    }

    async fn copy_to(
        &self,
        mut source: ByteStream,
        target: &SandboxPath,
        options: CopyOptions,
    ) -> Result<CopySummary> {
        if !self.has(Fault::UnpacksWhatTarUnpacks) {
            return self.inner.copy_to(source, target, options).await;
        }
        let mut archive = Vec::new();
        while let Some(piece) = source.next().await {
            archive.extend_from_slice(&piece?);
        }
        self.inner.make_dir(target).await?;
        let unpack = Command::new("tar").args(["-xPf", "-"]).cwd(target.clone());
        let unpack = unpack.stdin(Stdin::Bytes(archive.into()));
        self.inner.run(unpack, Follow::default()).await?;
        Ok(CopySummary::default())
    }

    async fn copy_from(&self, source: &SandboxPath, options: CopyOptions) -> Result<ByteStream> {
        self.inner.copy_from(source, options).await
    }

    async fn set_env(&self, variables: BTreeMap<String, Option<String>>) -> Result<()> {
        self.inner.set_env(variables).await
    }

    async fn close_session(&self, name: &SessionName) -> Result<()> {
        self.inner.close_session(name).await
    }

    async fn browse(&self, request: Browse) -> Result<BrowseOutput> {
        self.inner.browse(request).await
    }

    async fn run_python(&self, cell: PythonCell) -> Result<CellOutput> {
        self.inner.run_python(cell).await
    }

    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }

    async fn ports(&self) -> Result<Vec<Port>> {
        self.inner.ports().await
    }

    async fn pause(&self) -> Result<()> {
        self.inner.pause().await
    }

    async fn resume(&self) -> Result<()> {
        self.inner.resume().await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        self.inner.snapshot().await
    }

    fn status(&self) -> RuntimeStatus {
        self.inner.status()
    }

    fn status_changes(&self) -> StatusStream {
        self.inner.status_changes()
    }

    async fn close(&self) -> Result<()> {
        if self.has(Fault::DoesNotClose) {
            return Ok(());
        }
        self.inner.close().await
    }
}

//! Chooses what an action means.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::tap::OutputTap;
use crate::action::{Action, BrowseAction, RunPythonAction, TaskItem};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProcessId, SessionName};
use crate::observation::{
    BrowseObservation, FailureObservation, NullObservation, Observation, RunPythonObservation,
    ThinkObservation,
};
use crate::runtime::{Browse, CaptureLimit, Position, ProcessControl, PythonCell, Runtime};

/// How actions are carried out where they leave it open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DispatchOptions {
    /// Persistent shell of commands that name none; a process each if `None`, or where the
    /// runtime has no persistent shells. Default: `main`.
    pub session: Option<SessionName>,
    /// A command that prints nothing for this long is reported as still running, unless it is
    /// `blocking`. Default: 10 s, as in OpenHands V0.
    pub quiet: Duration,
    /// A command without a timeout of its own is reported as still running after this time.
    /// Default: 120 s, as in OpenHands V0.
    pub wait: Duration,
    /// Characters of output in an observation; the middle is left out beyond. Default: 30,000.
    pub content_chars: usize,
    /// Bytes of output that a tap is asked to keep. Default: 64 KiB from each end.
    pub capture: CaptureLimit,
    /// Largest file that is read into an observation. Default: 1 MiB.
    pub read_bytes: u64,
}

impl Default for DispatchOptions {
    fn default() -> Self {
        Self {
            session: SessionName::new("main").ok(),
            quiet: Duration::from_secs(10),
            wait: Duration::from_secs(120),
            content_chars: 30_000,
            capture: CaptureLimit::default(),
            read_bytes: 1 << 20,
        }
    }
}

impl DispatchOptions {
    /// Sets the persistent shell of commands that name none.
    #[must_use]
    pub fn session(mut self, name: Option<SessionName>) -> Self {
        self.session = name;
        self
    }

    /// Sets the silence after which a command is reported as still running.
    #[must_use]
    pub fn quiet(mut self, time: Duration) -> Self {
        self.quiet = time;
        self
    }

    /// Sets the time after which a command is reported as still running.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = time;
        self
    }

    /// Sets the characters of output in an observation.
    #[must_use]
    pub fn content_chars(mut self, characters: usize) -> Self {
        self.content_chars = characters;
        self
    }
}

/// A command that an observation reported as still running.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) process: ProcessId,
    pub(super) command: String,
    pub(super) position: Position,
}

/// Carries out actions on a runtime, one at a time, and remembers which command each shell still
/// runs, so that later actions can wait for it, answer it or interrupt it.
#[derive(Debug, Default)]
pub struct Dispatcher {
    pub(super) options: DispatchOptions,
    pending: Mutex<BTreeMap<Option<SessionName>, Pending>>,
    tasks: Mutex<Vec<TaskItem>>,
    in_flight: Mutex<Option<ProcessControl>>,
}

impl Dispatcher {
    /// Starts with nothing running.
    pub fn new(options: DispatchOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// The options it was made with.
    pub fn options(&self) -> &DispatchOptions {
        &self.options
    }

    /// Carries out an action. Every action gets an observation; whatever goes wrong is an
    /// [`Observation::Failure`] with its kind and words for a model. Actions that ask nothing of
    /// anyone (messages, state changes) get a null observation.
    ///
    /// # Cancel safety
    /// Dropping the future ends a command that this call started; one that was reported as still
    /// running by an earlier call goes on.
    pub async fn execute(
        &self,
        runtime: &dyn Runtime,
        action: &Action,
        tap: &mut dyn OutputTap,
    ) -> Observation {
        let result = match action {
            Action::Run(action) => self.run(runtime, action, tap).await,
            Action::Read(action) => self.read(runtime, action).await,
            Action::Write(action) => self.write(runtime, action).await,
            Action::Edit(action) => self.edit(runtime, action).await,
            Action::File(action) => self.file(runtime, action, tap).await,
            Action::RunPython(action) => run_python(runtime, action).await,
            Action::Browse(action) => browse(runtime, action).await,
            Action::BrowseInteractive(action) => {
                let request = Browse::Script {
                    code: action.browser_actions.clone(),
                };
                show_page(runtime, request, "browse_interactive").await
            }
            Action::CallTool(action) => Err(Error::unsupported("call_tool")
                .with_object(&action.name)
                .with_detail("no tool host is set up for this session")),
            Action::Think(_) => Ok(ThinkObservation::new("Your thought has been logged.").into()),
            Action::TaskTracking(action) => Ok(self.track(action)),
            Action::Custom(action) => Err(Error::unsupported("execute")
                .with_object(&action.kind)
                .with_detail("no action of this kind is known here")),
            _ => Ok(NullObservation::default().into()),
        };
        result.unwrap_or_else(|error| FailureObservation::from(&error).into())
    }

    /// Control of the command that [`execute`](Self::execute) follows at this moment, so that it
    /// can be ended while its output so far is still delivered.
    pub fn in_flight(&self) -> Option<ProcessControl> {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_in_flight(&self, process: Option<ProcessControl>) {
        *self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = process;
    }

    pub(super) fn pending(&self, session: &Option<SessionName>) -> Option<Pending> {
        let all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(session).cloned()
    }

    pub(super) fn all_pending(&self) -> Vec<(Option<SessionName>, Pending)> {
        let all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|(session, pending)| (session.clone(), pending.clone()))
            .collect()
    }

    pub(super) fn set_pending(&self, session: &Option<SessionName>, pending: Option<Pending>) {
        let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending {
            Some(pending) => all.insert(session.clone(), pending),
            None => all.remove(session),
        };
    }

    pub(super) fn with_tasks<T>(&self, change: impl FnOnce(&mut Vec<TaskItem>) -> T) -> T {
        change(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn run_python(runtime: &dyn Runtime, action: &RunPythonAction) -> Result<Observation> {
    let mut cell = PythonCell::new(action.code.clone());
    cell.deadline = action.timeout;
    let output = runtime.run_python(cell).await?;
    let text = match output.error {
        Some(error) if output.text.is_empty() => error,
        Some(error) => format!("{}\n{error}", output.text),
        None => output.text,
    };
    Ok(RunPythonObservation::new(text, action.code.clone()).into())
}

async fn browse(runtime: &dyn Runtime, action: &BrowseAction) -> Result<Observation> {
    show_page(
        runtime,
        Browse::Open {
            url: action.url.clone(),
        },
        "browse",
    )
    .await
}

async fn show_page(
    runtime: &dyn Runtime,
    request: Browse,
    trigger: &'static str,
) -> Result<Observation> {
    let page = runtime.browse(request).await?;
    if let Some(error) = page.error {
        return Err(Error::new(ErrorKind::Internal, trigger)
            .with_object(page.url)
            .with_detail(error));
    }
    Ok(BrowseObservation::new(page.text, page.url, trigger).into())
}

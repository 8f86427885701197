//! The end of actions that a halt of the agent takes away.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use oh_core::event::Event;
use oh_core::observation::{FailureObservation, Observation};
use oh_core::{Error, ErrorKind, ProcessControl, Result};

use super::builder::Executor;
use super::run::Work;
use super::tap::masked;

/// How long a halted command may take to end and to deliver its output.
const LAST_OUTPUT: Duration = Duration::from_secs(10);

impl Executor {
    /// Ends what runs or is asked about, and gives it its observation.
    pub(super) async fn end_work(&self, work: Work<'_>) -> Result<Work<'static>> {
        match work {
            Work::Running(event, _, future) => {
                let observation = match self.dispatcher.in_flight() {
                    Some(process) => last_words(&process, future).await,
                    None => {
                        drop(future);
                        cancelled("this action was ended by a change of the agent's state")
                    }
                };
                self.answer(&event, observation).await?;
            }
            Work::Deciding(event, ..) => {
                self.answer(&event, cancelled(STOPPED)).await?;
            }
            Work::Asked(event, _) => {
                let text =
                    "nobody answered whether this action may run before the agent was halted";
                self.answer(&event, cancelled(text)).await?;
            }
            Work::Idle => {}
        }
        let ended = self.dispatcher.cancel_pending(&*self.runtime);
        let ended = tokio::time::timeout(LAST_OUTPUT, ended).await;
        if let Err(error) = ended.unwrap_or_else(|_| Err(late())) {
            let error = masked(&self.stream, &error);
            tracing::warn!(error, "a command of an earlier action could not be ended");
        }
        Ok(Work::Idle)
    }

    pub(super) async fn drop_queued(&self, queue: &mut VecDeque<Arc<Event>>) -> Result<()> {
        for event in queue.drain(..) {
            self.answer(&event, cancelled(STOPPED)).await?;
        }
        Ok(())
    }
}

pub(super) const STOPPED: &str = "this action was not carried out: the agent was halted before";

/// Ends a command and waits for its output so far.
async fn last_words(
    process: &ProcessControl,
    future: impl Future<Output = Observation>,
) -> Observation {
    let both = async { tokio::try_join!(process.cancel(), async { Ok(future.await) }) };
    let ended = tokio::time::timeout(LAST_OUTPUT, both).await;
    match ended.unwrap_or_else(|_| Err(late())) {
        Ok(((), observation)) => observation,
        Err(error) => FailureObservation::from(&error).into(),
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "cancel").with_detail(
        "the command was told to end, and the runtime did not say in time that it has ended",
    )
}

pub(super) fn cancelled(text: &str) -> Observation {
    FailureObservation::new(text, ErrorKind::Cancelled).into()
}

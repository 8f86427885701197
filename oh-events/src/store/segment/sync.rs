//! The thread that writes to disk.

use std::io::Result as IoResult;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oh_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

/// What the thread does when it is asked to: writes to disk all that is there and returns the
/// next id of that moment. It notes a failure by itself, as no one may wait for it.
pub(in crate::store) type Work = Arc<dyn Fn() -> IoResult<u64> + Send + Sync>;

enum Request {
    /// Sync at once, and answer.
    Now(oneshot::Sender<IoResult<u64>>),
    /// There is something to sync before the interval is over.
    Soon(Duration),
}

/// A handle on the thread, which starts with the first request and ends with the handle.
pub(in crate::store) struct Syncer {
    work: Work,
    thread: Mutex<Option<(Sender<Request>, JoinHandle<()>)>>,
}

impl Syncer {
    pub(in crate::store) fn new(work: Work) -> Self {
        Self {
            work,
            thread: Mutex::new(None),
        }
    }

    /// Syncs and waits for it.
    pub(in crate::store) async fn now(&self) -> Result<u64> {
        let (answer, answered) = oneshot::channel();
        self.send(Request::Now(answer))?;
        match answered.await {
            Ok(Ok(next)) => Ok(next),
            Ok(Err(error)) => Err(Error::io("sync event log", error)),
            Err(_) => Err(Error::new(ErrorKind::Gone, "sync event log")),
        }
    }

    /// Syncs within a time, in the background.
    pub(in crate::store) fn soon(&self, within: Duration) -> Result<()> {
        self.send(Request::Soon(within))
    }

    /// Ends the thread, after what was asked for, and gives it to whoever wants to wait for it.
    pub(in crate::store) fn end(&self) -> Option<JoinHandle<()>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.take().map(|(_, handle)| handle)
    }

    fn send(&self, request: Request) -> Result<()> {
        const OPERATION: &str = "sync event log";
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let (requests, _) = match &mut *thread {
            Some(running) => running,
            none => {
                let (sender, receiver) = channel();
                let work = Arc::clone(&self.work);
                let handle = std::thread::Builder::new()
                    .name("oh-events-sync".to_owned())
                    .spawn(move || run(&receiver, &work))
                    .map_err(|error| Error::io(OPERATION, error))?;
                none.insert((sender, handle))
            }
        };
        requests
            .send(request)
            .map_err(|_| Error::new(ErrorKind::Internal, OPERATION).with_detail("the thread ended"))
    }
}

impl std::fmt::Debug for Syncer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Syncer").finish_non_exhaustive()
    }
}

fn run(requests: &Receiver<Request>, work: &Work) {
    let mut due: Option<Instant> = None;
    loop {
        let request = match due {
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => requests.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let mut waiting = Vec::new();
        match request {
            Ok(Request::Now(answer)) => waiting.push(answer),
            Ok(Request::Soon(within)) => {
                due.get_or_insert_with(|| Instant::now() + within);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) if due.is_none() => return,
            Err(_) => {}
        }
        // Whoever asked meanwhile is served by the same sync.
        waiting.extend(requests.try_iter().filter_map(|request| match request {
            Request::Now(answer) => Some(answer),
            Request::Soon(_) => None,
        }));
        due = None;
        let result = work();
        for answer in waiting {
            // The caller may have gone.
            let _ = answer.send(match &result {
                Ok(next) => Ok(*next),
                Err(error) => Err(copy(error)),
            });
        }
    }
}

pub(in crate::store) fn copy(error: &std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code),
        None => std::io::Error::new(error.kind(), error.to_string()),
    }
}

//! The thread that writes to disk.

use std::io::Result as IoResult;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oh_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use super::sync_due::SyncDue;

/// What the thread does when it is asked to: writes to disk all that is there and returns the
/// next id of that moment. It notes a failure by itself, as no one may wait for it.
pub(in crate::store) type Work = Arc<dyn Fn() -> IoResult<u64> + Send + Sync>;

enum Request {
    /// Sync at once, and answer.
    Now(oneshot::Sender<IoResult<u64>>),
    /// There is something to sync before the interval is over.
    Soon(Duration),
}

const OPERATION: &str = "sync event log";

/// In place of an interval that ends after the end of time.
const LONG: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where the thread takes requests, and its handle.
type Running = (Sender<Request>, JoinHandle<()>);

/// A handle on the thread, which starts with the first request and ends with the handle.
pub(in crate::store) struct Syncer {
    work: Work,
    due: Arc<SyncDue>,
    thread: Mutex<Option<Running>>,
}

impl Syncer {
    pub(in crate::store) fn new(work: Work) -> Self {
        Self {
            work,
            due: Arc::new(SyncDue::new()),
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
        if !self.due.note() {
            return Ok(());
        }
        let asked = self.send(Request::Soon(within));
        // Else no one would ask again.
        asked.inspect_err(|_| self.due.clear())
    }

    /// Ends the thread, after what was asked for, and gives it to whoever wants to wait for it.
    pub(in crate::store) fn end(&self) -> Option<JoinHandle<()>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.take().map(|(_, handle)| handle)
    }

    /// Starts the thread, unless it runs.
    pub(in crate::store) fn start(&self) -> Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        self.running(&mut thread).map(|_| ())
    }

    fn send(&self, request: Request) -> Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = self.running(&mut thread)?;
        requests
            .send(request)
            .map_err(|_| Error::new(ErrorKind::Internal, OPERATION).with_detail("the thread ended"))
    }

    fn running<'t>(&self, thread: &'t mut Option<Running>) -> Result<&'t Sender<Request>> {
        let (requests, _) = match thread {
            Some(running) => running,
            none => {
                let (sender, receiver) = channel();
                let (work, due) = (Arc::clone(&self.work), Arc::clone(&self.due));
                let handle = std::thread::Builder::new()
                    .name("oh-events-sync".to_owned())
                    .spawn(move || run(&receiver, &work, &due))
                    .map_err(|error| Error::io(OPERATION, error))?;
                none.insert((sender, handle))
            }
        };
        Ok(requests)
    }
}

impl std::fmt::Debug for Syncer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Syncer").finish_non_exhaustive()
    }
}

fn run(requests: &Receiver<Request>, work: &Work, asked: &SyncDue) {
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
                let now = Instant::now();
                due.get_or_insert_with(|| now.checked_add(within).unwrap_or(now + LONG));
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
        // Before the look at what was written, so that an append after the look asks anew.
        asked.clear();
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

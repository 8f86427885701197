//! What one process printed and how it ended, between one writer and any number of followers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use oh_core::{
    ByteRange, Error, ErrorKind, Exit, ExitReport, Follow, OutputStream, Position, Result,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::follower::Follower;
use super::order::{self, Order};
use super::probe::InputProbe;
use super::spool::{Piece, Spool, SpoolSettings};

/// What one process printed.
///
/// The writer is never held up: a follower that does not read costs nothing, and catches up from
/// the spool. Memory is bounded whatever the output.
#[derive(Debug)]
pub(crate) struct Recording {
    pid: Option<u32>,
    spool: SpoolSettings,
    /// Held over the write to a spool file, which readers do not wait for.
    writer: Mutex<()>,
    state: Mutex<State>,
    exit: watch::Sender<Option<ExitReport>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) spools: [Spool; 2],
    pub(super) order: Order,
    pub(super) exit: Option<(ExitReport, Position)>,
    pub(super) closed: bool,
    pub(super) last_output: Instant,
    wakers: Vec<(u64, Waker)>,
    next_follower: u64,
}

impl Recording {
    /// Most bytes that [`read`](Self::read) gives at once.
    pub(crate) const READ_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

    pub(crate) fn new(spool: SpoolSettings, pid: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            pid,
            spool,
            writer: Mutex::new(()),
            state: Mutex::new(State {
                spools: [Spool::default(), Spool::default()],
                order: Order::new(Order::MAX_RUNS),
                exit: None,
                closed: false,
                last_output: Instant::now(),
                wakers: Vec::new(),
                next_follower: 0,
            }),
            exit: watch::Sender::new(None),
        })
    }

    /// The process id that followers are told.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Adds output. Bytes after [`closed`](Self::closed) are dropped.
    ///
    /// Writes to the page cache when the output does not fit into memory; it never waits for a
    /// follower.
    pub(crate) fn append(&self, stream: OutputStream, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writing = {
            let state = self.state();
            if state.closed {
                return;
            }
            state.spool(stream).store(&data, &self.spool)
        };
        let written = writing.map(|writing| writing.write(&self.spool.directory));
        let mut state = self.state();
        let spool = state.spool_mut(stream);
        spool.push(data, written);
        let end = spool.total();
        Spool::enforce(&mut state.spools, self.spool.limit_bytes);
        state.order.push(stream, end);
        state.last_output = Instant::now();
        state.wake();
    }

    /// Notes how the process ended; output so far comes before it, later output after it. Only the
    /// first report counts.
    pub(crate) fn exited(&self, report: ExitReport) {
        let mut state = self.state();
        if state.exit.is_some() {
            return;
        }
        let at = state.totals();
        state.exit = Some((report.clone(), at));
        self.exit.send_replace(Some(report));
        state.wake();
    }

    /// Notes that no more output will come. Without an exit before it, the exit is lost.
    pub(crate) fn closed(&self) {
        self.exited(ExitReport::new(Exit::Lost));
        let mut state = self.state();
        state.closed = true;
        for spool in &mut state.spools {
            spool.settle();
        }
        state.wake();
    }

    /// Bytes of each stream so far.
    pub(crate) fn totals(&self) -> Position {
        self.state().totals()
    }

    /// How the process ended, once it did.
    pub(crate) fn exit(&self) -> Option<ExitReport> {
        self.exit.borrow().clone()
    }

    /// Whether nothing more will come.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Waits for the end of the process.
    pub(crate) async fn wait_exit(&self) -> ExitReport {
        let mut exit = self.exit.subscribe();
        match exit.wait_for(Option::is_some).await {
            Ok(report) => report.clone(),
            // The sender is part of `self`.
            Err(_) => None,
        }
        .unwrap_or_else(|| ExitReport::new(Exit::Lost))
    }

    /// Bytes that are kept, in memory and on disk.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.state().spools.iter().map(Spool::kept_bytes).sum()
    }

    /// Follows from a position.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a position that the output has not reached.
    pub(crate) fn follow(
        self: &Arc<Self>,
        follow: Follow,
        probe: Arc<dyn InputProbe>,
    ) -> Result<Follower> {
        let number = {
            let mut state = self.state();
            let (from, total) = (follow.from, state.totals());
            if from.stdout > total.stdout || from.stderr > total.stderr {
                return Err(Error::invalid(
                    "follow",
                    format!(
                        "position {}/{} is past the end: there are {} bytes of stdout and {} of \
                         stderr so far",
                        from.stdout, from.stderr, total.stdout, total.stderr
                    ),
                ));
            }
            state.next_follower += 1;
            state.next_follower
        };
        Ok(Follower::new(Arc::clone(self), number, follow, probe))
    }

    /// Reads kept output. A range past the end gives what there is.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a range that ends before it starts,
    /// [`TooLarge`](ErrorKind::TooLarge) beyond [`READ_LIMIT_BYTES`](Self::READ_LIMIT_BYTES),
    /// [`Gone`](ErrorKind::Gone) for bytes that are no longer kept.
    pub(crate) fn read(&self, stream: OutputStream, range: ByteRange) -> Result<Bytes> {
        let total = self.state().spool(stream).total();
        if range.end.is_some_and(|end| end < range.start) {
            return Err(Error::invalid(
                "read_output",
                "the range ends before it starts",
            ));
        }
        let end = range.end.map_or(total, |end| end.min(total));
        let length = end.saturating_sub(range.start);
        if length > Self::READ_LIMIT_BYTES {
            return Err(
                Error::new(ErrorKind::TooLarge, "read_output").with_detail(format!(
                    "the range holds {length} bytes; read at most {} at once",
                    Self::READ_LIMIT_BYTES
                )),
            );
        }
        let mut whole = BytesMut::new();
        let mut at = range.start;
        while at < end {
            let piece = self.state().spool(stream).piece(at, end);
            let bytes = match piece {
                None => break,
                Some(Piece::Data(bytes)) => bytes,
                Some(Piece::Stored(stored)) => {
                    let until = stored.end(at);
                    stored.read().ok_or_else(|| gone(at, until))?
                }
                Some(Piece::Missing(until)) => return Err(gone(at, until)),
            };
            at += bytes.len() as u64;
            if whole.is_empty() && at >= end {
                return Ok(bytes);
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the output with it; each change leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone(from: u64, until: u64) -> Error {
    Error::new(ErrorKind::Gone, "read_output").with_detail(format!(
        "bytes {from} to {until} are no longer kept; read from {until} on"
    ))
}

impl State {
    pub(super) fn spool(&self, stream: OutputStream) -> &Spool {
        let [stdout, stderr] = &self.spools;
        match stream {
            OutputStream::Stdout => stdout,
            OutputStream::Stderr => stderr,
        }
    }

    fn spool_mut(&mut self, stream: OutputStream) -> &mut Spool {
        let [stdout, stderr] = &mut self.spools;
        match stream {
            OutputStream::Stdout => stdout,
            OutputStream::Stderr => stderr,
        }
    }

    pub(super) fn totals(&self) -> Position {
        Position {
            stdout: self.spool(OutputStream::Stdout).total(),
            stderr: self.spool(OutputStream::Stderr).total(),
        }
    }

    /// Has a follower polled again at the next change.
    pub(super) fn register(&mut self, follower: u64, waker: &Waker) {
        match self.wakers.iter_mut().find(|(id, _)| *id == follower) {
            Some((_, known)) => known.clone_from(waker),
            None => self.wakers.push((follower, waker.clone())),
        }
    }

    pub(super) fn unregister(&mut self, follower: u64) {
        self.wakers.retain(|(id, _)| *id != follower);
    }

    fn wake(&mut self) {
        for (_, waker) in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// What a reader at `position` gets next, below `limit`: the stream and what stands there.
    pub(super) fn next_piece(
        &self,
        run: &mut u64,
        position: Position,
        limit: Position,
    ) -> Option<(OutputStream, Piece)> {
        let (number, next) = self.order.next(*run, position)?;
        *run = number;
        // At a limit that lies within a run, or in the middle of merged ones, the other stream may
        // still have bytes below it.
        let other = match next.stream {
            OutputStream::Stdout => OutputStream::Stderr,
            OutputStream::Stderr => OutputStream::Stdout,
        };
        let end = next.end.min(order::of(limit, next.stream));
        let first = self
            .spool(next.stream)
            .piece(order::of(position, next.stream), end);
        if let Some(piece) = first {
            return Some((next.stream, piece));
        }
        self.spool(other)
            .piece(order::of(position, other), order::of(limit, other))
            .map(|piece| (other, piece))
    }
}

//! One reader of a recording, as a stream of events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use oh_core::{Follow, Gap, OutputStream, Position, ProcessEvent, Result};
use tokio::time::{Instant, Sleep};

use super::order;
use super::probe::InputProbe;
use super::recording::Recording;
use super::spool::Piece;

/// Follows a [`Recording`].
///
/// The first event is `Started`; then output in recorded order, the exit after what came before
/// it, `Closed` last. What was produced before [`Follow::until`] ran out is given before
/// `Elapsed`, and a timer that runs out after the end of the process is not reported before that
/// end.
#[derive(Debug)]
pub(crate) struct Follower {
    recording: Arc<Recording>,
    number: u64,
    probe: Arc<dyn InputProbe>,
    position: Position,
    run: u64,
    stage: Stage,
    quiet: Option<Quiet>,
    until: Until,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Exited,
    Closed,
}

#[derive(Debug)]
struct Quiet {
    time: Duration,
    since: Instant,
    timer: Pin<Box<Sleep>>,
    /// Total output at the last report: more of it arms the timer again.
    reported: Option<u64>,
}

#[derive(Debug)]
enum Until {
    Never,
    Waiting(Pin<Box<Sleep>>),
    /// Ran out when the output stood here.
    Due(Position),
}

impl Follower {
    pub(super) fn new(
        recording: Arc<Recording>,
        number: u64,
        follow: Follow,
        probe: Arc<dyn InputProbe>,
    ) -> Self {
        let since = Instant::now();
        Self {
            recording,
            number,
            probe,
            position: follow.from,
            run: 0,
            stage: Stage::New,
            quiet: follow.quiet.map(|time| Quiet {
                time,
                since,
                timer: Box::pin(tokio::time::sleep(time)),
                reported: None,
            }),
            until: follow.until.map_or(Until::Never, |time| {
                Until::Waiting(Box::pin(tokio::time::sleep(time)))
            }),
        }
    }

    /// The next event that is there already.
    fn step(&mut self, cx: &Context<'_>) -> Option<ProcessEvent> {
        let mut state = self.recording.state();
        let total = state.totals();
        let mut limit = total;
        if let Until::Due(mark) = self.until {
            limit = mark;
        }
        if let (Some((_, at)), Stage::Running) = (&state.exit, self.stage) {
            limit = *at;
        }
        if let Some((stream, piece)) = state.next_piece(&mut self.run, self.position, limit) {
            drop(state);
            return Some(self.output(stream, piece));
        }
        if let (Some((report, _)), Stage::Running) = (&state.exit, self.stage) {
            self.stage = Stage::Exited;
            return Some(ProcessEvent::Exited(report.clone()));
        }
        if let Until::Due(_) = self.until {
            drop(state);
            self.until = Until::Never;
            let input = self.probe.waits_for_input();
            return Some(ProcessEvent::Elapsed { input });
        }
        if self.stage == Stage::Exited && state.closed {
            self.stage = Stage::Closed;
            return Some(ProcessEvent::Closed);
        }
        state.register(self.number, cx.waker());
        None
    }

    fn output(&mut self, stream: OutputStream, piece: Piece) -> ProcessEvent {
        let place = order::of_mut(&mut self.position, stream);
        let at = *place;
        let missing = |to| {
            ProcessEvent::Gap(Gap {
                stream,
                from: at,
                to,
            })
        };
        let data = match piece {
            Piece::Missing(to) => {
                *place = to;
                return missing(to);
            }
            Piece::Data(data) => data,
            Piece::Stored(stored) => match stored.read() {
                Some(data) => data,
                None => {
                    *place = stored.end(at);
                    return missing(*place);
                }
            },
        };
        *place += data.len() as u64;
        match stream {
            OutputStream::Stdout => ProcessEvent::Stdout { at, data },
            OutputStream::Stderr => ProcessEvent::Stderr { at, data },
        }
    }

    /// Waits until it has been quiet long enough.
    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<ProcessEvent> {
        let Some(quiet) = &mut self.quiet else {
            return Poll::Pending;
        };
        loop {
            let (total, last_output) = {
                let state = self.recording.state();
                let total = state.totals();
                (total.stdout + total.stderr, state.last_output)
            };
            if quiet.reported == Some(total) {
                return Poll::Pending;
            }
            // A time too long for the clock never comes.
            let Some(end) = last_output.max(quiet.since).checked_add(quiet.time) else {
                return Poll::Pending;
            };
            if quiet.timer.deadline() != end {
                quiet.timer.as_mut().reset(end);
            }
            ready!(quiet.timer.as_mut().poll(cx));
            if self.recording.state().last_output <= last_output {
                quiet.reported = Some(total);
                let input = self.probe.waits_for_input();
                return Poll::Ready(ProcessEvent::Quiet { input });
            }
        }
    }
}

impl Stream for Follower {
    type Item = Result<ProcessEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match this.stage {
            Stage::New => {
                this.stage = Stage::Running;
                let pid = this.recording.pid();
                return Poll::Ready(Some(Ok(ProcessEvent::Started { pid })));
            }
            Stage::Closed => return Poll::Ready(None),
            Stage::Running | Stage::Exited => {}
        }
        // A follower with gigabytes to catch up on lets others run in between.
        let progress = ready!(tokio::task::coop::poll_proceed(cx));
        if let Until::Waiting(timer) = &mut this.until
            && timer.as_mut().poll(cx).is_ready()
        {
            this.until = Until::Due(this.recording.totals());
        }
        let event = match this.step(cx) {
            Some(event) => event,
            None => match this.poll_quiet(cx) {
                Poll::Ready(event) => event,
                Poll::Pending => return Poll::Pending,
            },
        };
        progress.made_progress();
        Poll::Ready(Some(Ok(event)))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.recording.state().unregister(self.number);
    }
}

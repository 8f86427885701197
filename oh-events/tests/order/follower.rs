//! A subscription that is polled by hand, lost and taken up again.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use oh_core::{Action, Event, EventBody, EventId, Source};
use oh_events::{Cursor, EventStream, Filter, Subscription};

/// Whether a task was woken.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Which events a follower wants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    All,
    OfUser,
    WithThree,
}

impl Wanted {
    fn filter(self) -> Filter {
        match self {
            Self::All => Filter::new(),
            Self::OfUser => Filter::new().source(Source::User),
            Self::WithThree => Filter::new().text("3"),
        }
    }

    fn wants(self, event: &Event) -> bool {
        match self {
            Self::All => true,
            Self::OfUser => event.source == Source::User,
            Self::WithThree => text(event).contains('3'),
        }
    }
}

pub(crate) fn text(event: &Event) -> &str {
    match &event.body {
        EventBody::Action(Action::Message(message)) => &message.content,
        other => panic!("no message: {other:?}"),
    }
}

pub(crate) struct Follower {
    subscription: Subscription,
    wanted: Wanted,
    start: u64,
    seen: Vec<Arc<Event>>,
    /// Set while it waits; the flag says whether it was woken since.
    waiting: Option<Arc<Flag>>,
    ended: bool,
}

impl Follower {
    pub(crate) fn new(stream: &EventStream, cursor: Cursor, wanted: Wanted) -> Self {
        let subscription = stream.subscribe(cursor).filter(wanted.filter());
        Self {
            start: subscription.position().0,
            subscription,
            wanted,
            seen: Vec::new(),
            waiting: None,
            ended: false,
        }
    }

    /// Goes away, and comes back to where it was.
    pub(crate) fn reconnect(&mut self, stream: &EventStream) {
        let place = Cursor::From(self.subscription.position());
        self.subscription = stream.subscribe(place).filter(self.wanted.filter());
        self.waiting = None;
    }

    /// Polls at most so often; whether it has to wait, or ended.
    pub(crate) fn poll(&mut self, count: usize) -> bool {
        for _ in 0..count {
            let flag = Arc::new(Flag::default());
            let waker = Waker::from(Arc::clone(&flag));
            let next = pin!(self.subscription.next());
            self.waiting = None;
            match next.poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(Ok(event))) => self.seen.push(event),
                // The store failed: the same place is tried again.
                Poll::Ready(Some(Err(_))) => {}
                Poll::Ready(None) => {
                    self.ended = true;
                    return true;
                }
                Poll::Pending => {
                    self.waiting = Some(flag);
                    return true;
                }
            }
        }
        false
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Waits although nothing that was published is left to look at, or was woken.
    pub(crate) fn waits_rightly(&self, next: u64) -> bool {
        let sleeps = self
            .waiting
            .as_ref()
            .is_some_and(|flag| !flag.0.load(Ordering::SeqCst));
        !sleeps || self.subscription.position() >= EventId(next)
    }

    /// It saw what it wanted of the log, each event once and in order, and nothing else.
    pub(crate) fn check(&self, log: &[Arc<Event>]) {
        let ids = |events: &[Arc<Event>]| events.iter().map(|event| event.id.0).collect::<Vec<_>>();
        let start = usize::try_from(self.start).unwrap().min(log.len());
        let expected: Vec<_> = log[start..]
            .iter()
            .filter(|event| self.wanted.wants(event))
            .cloned()
            .collect();
        assert_eq!(
            ids(&self.seen),
            ids(&expected),
            "{:?} from {}",
            self.wanted,
            self.start
        );
        assert!(self.seen == expected);
    }
}

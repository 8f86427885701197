//! Whether a sync was asked for, so that many appends ask for one.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the append that asks for a sync, cleared by the sync that begins.
///
/// It orders no memory: what was written is behind a lock of the log. The append notes it after it
/// gave the lock back, and the sync clears it before it takes the lock; so a flag that an append
/// finds set belongs to a sync that has yet to look.
#[derive(Debug)]
pub(super) struct SyncDue(AtomicBool);

impl SyncDue {
    pub(super) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Notes that something was written. Whether the caller must ask for a sync: no one has since
    /// the last one began.
    pub(super) fn note(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// A sync begins, or the one that was asked for will not come.
    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    use super::SyncDue;

    struct Model {
        due: SyncDue,
        written: Mutex<u32>,
        requests: Mutex<u32>,
        asked: Condvar,
    }

    impl Model {
        fn append(&self) {
            *self.written.lock().unwrap() += 1;
            if self.due.note() {
                *self.requests.lock().unwrap() += 1;
                self.asked.notify_one();
            }
        }

        /// Waits for a request and serves it; returns what it found written.
        fn sync(&self) -> u32 {
            let mut requests = self.requests.lock().unwrap();
            while *requests == 0 {
                requests = self.asked.wait(requests).unwrap();
            }
            *requests -= 1;
            drop(requests);
            self.due.clear();
            *self.written.lock().unwrap()
        }
    }

    /// Were a request lost, the thread that syncs would wait for ever, which ends the model.
    #[test]
    fn everything_written_is_synced_without_a_request_for_each() {
        loom::model(|| {
            let model = Arc::new(Model {
                due: SyncDue::new(),
                written: Mutex::new(0),
                requests: Mutex::new(0),
                asked: Condvar::new(),
            });
            let appenders: Vec<_> = (0..2)
                .map(|_| {
                    let model = Arc::clone(&model);
                    thread::spawn(move || model.append())
                })
                .collect();
            while model.sync() < 2 {}
            for appender in appenders {
                appender.join().unwrap();
            }
        });
    }
}

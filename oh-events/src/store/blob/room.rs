//! How many bytes the blobs of a session may take.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(crate) struct Room {
    limit_bytes: u64,
    used_bytes: AtomicU64,
}

impl Room {
    pub(crate) fn new(limit_bytes: u64, used_bytes: u64) -> Self {
        Self {
            limit_bytes,
            used_bytes: AtomicU64::new(used_bytes),
        }
    }

    /// As much room in all, of which this is used.
    pub(crate) fn with_used(&self, used_bytes: u64) -> Self {
        Self::new(self.limit_bytes, used_bytes)
    }

    /// Takes room for up to `wanted` bytes and returns for how many there was any.
    pub(crate) fn take(&self, wanted: usize) -> usize {
        let mut granted = 0;
        // Relaxed: a counter that orders nothing else.
        let _ = self
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let free = self.limit_bytes.saturating_sub(used);
                granted = usize::try_from(free).unwrap_or(usize::MAX).min(wanted);
                Some(used.saturating_add(granted as u64))
            });
        granted
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        // What was there at opening is not counted to the byte.
        let _ = self
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(used.saturating_sub(bytes))
            });
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::Room;

    #[test]
    fn blobs_that_are_written_at_once_take_no_more_room_than_there_is() {
        loom::model(|| {
            let room = Arc::new(Room::new(10, 2));
            let writer = {
                let room = Arc::clone(&room);
                thread::spawn(move || {
                    let taken = room.take(5);
                    room.give_back(taken as u64);
                    room.take(3)
                })
            };
            let taken = room.take(6) + room.take(6);
            let other = writer.join().unwrap();
            assert!(taken + other <= 8, "{taken} and {other}");
            assert_eq!(room.take(100), 8 - taken - other, "nothing is lost either");
        });
    }
}

//! In which order the bytes of two streams arrived.

use std::collections::VecDeque;

use oh_core::{OutputStream, Position};

/// Run-length index of the order of stdout and stderr, of bounded size.
///
/// A run is a stretch of one stream; it is known by its number, which never changes while the run
/// stands. When there are more runs than the limit, the older half is merged into one run for each
/// stream: there the order across the two streams is lost, the order within each never.
#[derive(Debug)]
pub(super) struct Order {
    runs: VecDeque<Run>,
    /// Number of the first run in `runs`.
    first: u64,
    /// Runs below this number were merged into the first two.
    merged_below: u64,
    max_runs: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) stream: OutputStream,
    /// Position in the stream just after the run.
    pub(super) end: u64,
}

impl Order {
    /// 65,536 runs of 16 bytes: 1 MiB.
    pub(super) const MAX_RUNS: usize = 64 * 1024;

    pub(super) fn new(max_runs: usize) -> Self {
        Self {
            runs: VecDeque::new(),
            first: 0,
            merged_below: 0,
            max_runs: max_runs.max(4),
        }
    }

    /// Notes that the stream now reaches to `end`.
    pub(super) fn push(&mut self, stream: OutputStream, end: u64) {
        match self.runs.back_mut() {
            Some(last) if last.stream == stream => last.end = end,
            _ => self.runs.push_back(Run { stream, end }),
        }
        if self.runs.len() > self.max_runs {
            self.merge_older_half();
        }
    }

    fn merge_older_half(&mut self) {
        let count = self.runs.len() / 2;
        let mut reached = Position::default();
        for run in self.runs.drain(..count) {
            *of_mut(&mut reached, run.stream) = run.end;
        }
        for stream in [OutputStream::Stderr, OutputStream::Stdout] {
            let end = of(reached, stream);
            self.runs.push_front(Run { stream, end });
        }
        self.merged_below = self.first + count as u64;
        self.first = self.merged_below - 2;
    }

    /// The first run from number `from` on with bytes after `position`, and its number.
    ///
    /// A reader that has all bytes of every run before `from` passes the number it got last.
    pub(super) fn next(&self, from: u64, position: Position) -> Option<(u64, Run)> {
        let from = if from < self.merged_below {
            self.first
        } else {
            from
        };
        let skip = usize::try_from(from - self.first).ok()?;
        self.runs
            .iter()
            .enumerate()
            .skip(skip)
            .find(|(_, run)| run.end > of(position, run.stream))
            .map(|(index, run)| (self.first + index as u64, *run))
    }
}

/// The part of a position that belongs to a stream.
pub(super) fn of(position: Position, stream: OutputStream) -> u64 {
    match stream {
        OutputStream::Stdout => position.stdout,
        OutputStream::Stderr => position.stderr,
    }
}

/// As [`of`], to be changed.
pub(super) fn of_mut(position: &mut Position, stream: OutputStream) -> &mut u64 {
    match stream {
        OutputStream::Stdout => &mut position.stdout,
        OutputStream::Stderr => &mut position.stderr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_runs_keep_the_order_within_each_stream_and_lose_no_byte() {
        let mut order = Order::new(8);
        let mut written = Position::default();
        let mut read = Position::default();
        let mut run = 0;
        for step in 0..100_u64 {
            let stream = if step % 2 == 0 {
                OutputStream::Stdout
            } else {
                OutputStream::Stderr
            };
            *of_mut(&mut written, stream) += step + 1;
            order.push(stream, of(written, stream));
            // A reader that falls behind and then takes a few runs at a time.
            if step % 9 == 8 {
                for _ in 0..5 {
                    let (number, next) = order.next(run, read).unwrap();
                    assert!(next.end > of(read, next.stream));
                    *of_mut(&mut read, next.stream) = next.end;
                    run = number;
                }
            }
        }
        while let Some((number, next)) = order.next(run, read) {
            *of_mut(&mut read, next.stream) = next.end;
            run = number;
        }
        assert_eq!(read, written);
        assert!(order.runs.len() <= 8);
    }
}

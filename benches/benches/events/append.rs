//! Appends, one after the other, until the last one is delivered.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use oh_benches::Samples;
use oh_core::Draft;
use oh_events::{Cursor, EventStream, MemoryStore, SegmentStore};
use tokio::runtime::Runtime as Tokio;
use tokio::sync::watch;

use super::{Scale, builder, one, print_rates, sample};

/// What the OpenHands V0 stream reaches: local store, one subscriber, in events a second.
const V0_LOCAL: f64 = 3541.0;

/// Where writer and follower run: on one thread by turns, or on two, which pass each event from
/// core to core.
const PLACES: [&str; 2] = ["one thread", "two threads"];

pub(super) fn segment(two_threads: &Tokio, scale: Scale) {
    let one_thread = one_thread();
    for (tokio, place) in [&one_thread, two_threads].into_iter().zip(PLACES) {
        let folder = tempfile::tempdir().unwrap();
        let store = SegmentStore::new(folder.path());
        let ours = compare(tokio, scale, &format!("append_segment, {place}"), |round| {
            tokio
                .block_on(builder(store.clone(), &format!("s{round}")).open())
                .unwrap()
        });
        let case = format!("append_segment, {place} / OpenHands V0");
        one(&case, "ratio", ours / V0_LOCAL);
    }
}

pub(super) fn memory(two_threads: &Tokio, scale: Scale) {
    let one_thread = one_thread();
    for (tokio, place) in [&one_thread, two_threads].into_iter().zip(PLACES) {
        compare(tokio, scale, &format!("append_memory, {place}"), |_| {
            tokio
                .block_on(builder(MemoryStore::new(), "s").open())
                .unwrap()
        });
    }
}

fn one_thread() -> Tokio {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Prints our rate beside the raw one, and returns ours.
fn compare(tokio: &Tokio, scale: Scale, case: &str, open: impl Fn(usize) -> EventStream) -> f64 {
    let count = scale.of(100_000, 20_000);
    let folder = tempfile::tempdir().unwrap();
    let mut raw = Samples::new(format!("{case} (raw: serialise and write)"), "events/s");
    let mut ours = Samples::new(case, "events/s");
    for round in 0..scale.of(11, 3) {
        let path = folder.path().join(round.to_string());
        let mut measure_raw = || {
            let time = raw_appends(&mut File::create(&path).unwrap(), count);
            std::fs::remove_file(&path).unwrap();
            raw.push(count as f64 / time.as_secs_f64());
        };
        let mut measure_ours = || {
            // The host of an agent appends in a task, beside its followers.
            let appends = tokio.spawn(delivered_appends(open(round), count));
            let time = tokio.block_on(appends).unwrap();
            ours.push(count as f64 / time.as_secs_f64());
        };
        if round.is_multiple_of(2) {
            measure_raw();
            measure_ours();
        } else {
            measure_ours();
            measure_raw();
        }
    }
    print_rates(&ours, &raw, &format!("{case} / raw"));
    ours.quantile(0.5)
}

/// One serialisation into a buffer that is used again, and one write, for each event.
fn raw_appends(file: &mut File, count: usize) -> Duration {
    let mut event = sample::raw();
    let mut line = Vec::with_capacity(1024);
    let start = Instant::now();
    for id in 0..count as u64 {
        event.id = id;
        line.clear();
        serde_json::to_writer(&mut line, &event).unwrap();
        line.push(b'\n');
        file.write_all(&line).unwrap();
    }
    start.elapsed()
}

/// Time from the first append until the subscriber has the last event. Making the drafts is not
/// counted: the host has its events.
async fn delivered_appends(stream: EventStream, count: usize) -> Duration {
    const BATCH: usize = 2_000;
    let (seen, mut watched) = watch::channel(0);
    let mut subscription = stream.subscribe(Cursor::Live);
    let follower = tokio::spawn(async move {
        let mut expected = 0;
        while let Some(event) = subscription.next().await {
            assert_eq!(event.unwrap().id.0, expected);
            expected += 1;
            if expected.is_multiple_of(BATCH as u64) {
                seen.send_replace(expected);
            }
        }
        expected
    });
    let mut time = Duration::ZERO;
    for batch in 1..=count / BATCH {
        let drafts: Vec<Draft> = (0..BATCH).map(|_| sample::draft()).collect();
        let start = Instant::now();
        for draft in drafts {
            stream.append_draft(draft).await.unwrap();
        }
        let all = (batch * BATCH) as u64;
        watched.wait_for(|seen| *seen >= all).await.unwrap();
        time += start.elapsed();
    }
    stream.close().await.unwrap();
    assert_eq!(follower.await.unwrap(), count as u64);
    time
}

/// What the last thousand appends cost against the first thousand of a long log.
pub(super) fn flat(tokio: &Tokio, scale: Scale) {
    const PIECE: usize = 1_000;
    let count = scale.of(1_000_000, 100_000);
    let folder = tempfile::tempdir().unwrap();
    let store = SegmentStore::new(folder.path());
    let mut first = Samples::new("append_flat: each of the first 1000", "us");
    let mut last = Samples::new(
        format!("append_flat: each of the last 1000 of {count}"),
        "us",
    );
    let (mut first_sum, mut last_sum) = (Samples::new("first", "ms"), Samples::new("last", "ms"));
    for round in 0..scale.of(5, 3) {
        tokio.block_on(async {
            let session = format!("s{round}");
            let stream = builder(store.clone(), &session).open().await.unwrap();
            // Allocator and caches are warm in both thousands.
            let warm = builder(MemoryStore::new(), "warm").open().await.unwrap();
            for _ in 0..PIECE {
                warm.append_draft(sample::draft()).await.unwrap();
            }
            first_sum.push_time(timed_appends(&stream, PIECE, &mut first).await);
            for _ in PIECE..count - PIECE {
                stream.append_draft(sample::draft()).await.unwrap();
            }
            last_sum.push_time(timed_appends(&stream, PIECE, &mut last).await);
            assert_eq!(stream.next().0, count as u64);
            stream.close().await.unwrap();
            std::fs::remove_dir_all(folder.path().join(session)).unwrap();
        });
    }
    first.print();
    last.print();
    let ratio = last_sum.quantile(0.5) / first_sum.quantile(0.5);
    one(
        "append_flat: last 1000 / first 1000",
        "ratio of medians of sums",
        ratio,
    );
    let ratio = last.quantile(0.5) / first.quantile(0.5);
    one(
        "append_flat: last / first",
        "ratio of medians of appends",
        ratio,
    );
}

async fn timed_appends(stream: &EventStream, count: usize, each: &mut Samples) -> Duration {
    let drafts: Vec<Draft> = (0..count).map(|_| sample::draft()).collect();
    let mut sum = Duration::ZERO;
    for draft in drafts {
        let start = Instant::now();
        stream.append_draft(draft).await.unwrap();
        let time = start.elapsed();
        each.push_time(time);
        sum += time;
    }
    sum
}

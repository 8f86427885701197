//! One subscriber of a thousand is stopped for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use oh_benches::{Samples, own_memory_bytes};
use oh_events::{Cursor, EventStream, SegmentStore, Subscription};
use tokio::runtime::Runtime as Tokio;
use tokio::sync::Notify;

use super::{Scale, builder, one, sample};

const SUBSCRIBERS: usize = 1_000;

/// Appends after which the live subscribers are waited for, so that they stay live.
const PACE: u64 = 16;

/// 999 live subscribers and one that is never read, beside 1,000 live ones.
pub(super) fn stopped_subscriber(tokio: &Tokio, scale: Scale) {
    // More than stays in memory, so that the stopped one falls behind.
    let count = scale.of(4_000, 2_000);
    let folder = tempfile::tempdir().unwrap();
    let mut p99 = [
        Samples::new("stopped_subscriber: p99 of appends, 1000 live", "us"),
        Samples::new(
            "stopped_subscriber: p99 of appends, 999 live and one stopped",
            "us",
        ),
    ];
    let mut ratios = Samples::new(
        "stopped_subscriber: p99 / p99 of 1000 live",
        "ratio of a round",
    );
    let mut growth = Samples::new(
        "stopped_subscriber: growth of memory in the second half",
        "MB",
    );
    let mut lost = 0;
    for round in 0..scale.of(10, 2) {
        let turns = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        let mut of_round = [0.0; 2];
        for stopped in turns {
            let store = SegmentStore::new(folder.path());
            let name = format!("{round}-{stopped}");
            let stream = tokio.block_on(builder(store, &name).open()).unwrap();
            let seen = tokio.block_on(appends(stream, count as u64, stopped));
            of_round[stopped] = seen.times.quantile(0.99);
            p99[stopped].push(of_round[stopped]);
            lost += seen.lost;
            if stopped == 1 {
                growth.push(seen.growth_bytes as f64 / 1e6);
            }
            std::fs::remove_dir_all(folder.path().join(name)).unwrap();
        }
        ratios.push(of_round[1] / of_round[0]);
    }
    p99.iter().for_each(Samples::print);
    ratios.print();
    growth.print();
    one("stopped_subscriber: events lost", "events", lost as f64);
}

struct Seen {
    times: Samples,
    growth_bytes: i64,
    lost: u64,
}

/// Appends beside followers that are waited for now and then, and `stopped` ones that are not
/// read before the end.
async fn appends(stream: EventStream, count: u64, stopped: usize) -> Seen {
    let live = SUBSCRIBERS - stopped;
    let progress = Arc::new((AtomicU64::new(0), Notify::new()));
    let not_read: Vec<_> = (0..stopped)
        .map(|_| stream.subscribe(Cursor::Live))
        .collect();
    let followers: Vec<_> = (0..live)
        .map(|_| {
            let (subscription, progress) = (stream.subscribe(Cursor::Live), Arc::clone(&progress));
            tokio::spawn(follow(subscription, move |seen| {
                if seen.is_multiple_of(PACE) {
                    progress.0.fetch_add(1, Ordering::Relaxed);
                    progress.1.notify_one();
                }
            }))
        })
        .collect();
    let mut times = Samples::new("append", "us");
    let mut half = 0;
    for appended in 1..=count {
        let draft = sample::draft();
        let start = Instant::now();
        stream.append_draft(draft).await.unwrap();
        times.push_time(start.elapsed());
        if appended.is_multiple_of(PACE) {
            let all = appended / PACE * live as u64;
            while progress.0.load(Ordering::Relaxed) < all {
                progress.1.notified().await;
            }
        }
        if appended == count / 2 {
            half = own_memory_bytes("VmRSS").unwrap();
        }
    }
    let growth_bytes = own_memory_bytes("VmRSS").unwrap() as i64 - half as i64;
    stream.close().await.unwrap();
    let mut delivered = 0;
    for follower in followers {
        delivered += follower.await.unwrap();
    }
    for subscription in not_read {
        delivered += follow(subscription, |_| {}).await;
    }
    let lost = count * SUBSCRIBERS as u64 - delivered;
    Seen {
        times,
        growth_bytes,
        lost,
    }
}

/// Reads to the end; each event comes once and in order.
async fn follow(mut subscription: Subscription, mut seen: impl FnMut(u64)) -> u64 {
    let mut expected = 0;
    while let Some(event) = subscription.next().await {
        assert_eq!(event.unwrap().id.0, expected);
        expected += 1;
        seen(expected);
    }
    expected
}

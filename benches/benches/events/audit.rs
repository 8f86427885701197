//! What a hash chain costs an append.

use std::time::{Duration, Instant};

use oh_benches::Samples;
use oh_core::secret::Secret;
use oh_events::{Audit, EventStream, SegmentStore};
use tokio::runtime::Runtime as Tokio;

use super::{Scale, builder, one, sample};

/// Appends to the segment log without a chain, with one, and with one under a key.
pub(super) fn cost(tokio: &Tokio, scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    let count = scale.of(50_000, 10_000);
    let mut each = ["without a chain", "SHA-256", "HMAC-SHA-256"]
        .map(|name| Samples::new(format!("append_audited: {name}"), "us"));
    for round in 0..scale.of(9, 3) {
        let mut turns = [0, 1, 2];
        turns.rotate_left(round % 3);
        for at in turns {
            let name = format!("{round}-{at}");
            let builder = builder(SegmentStore::new(folder.path()), &name);
            let builder = match at {
                0 => builder,
                1 => builder.audit(Audit::new()),
                _ => builder.audit(Audit::keyed(Secret::new("0123456789abcdef")).unwrap()),
            };
            let stream = tokio.block_on(builder.open()).unwrap();
            let time = tokio.block_on(appends(&stream, count));
            each[at].push(time.as_secs_f64() * 1e6 / count as f64);
            tokio.block_on(stream.close()).unwrap();
            std::fs::remove_dir_all(folder.path().join(name)).unwrap();
        }
    }
    each.iter().for_each(Samples::print);
    for at in [1, 2] {
        let cost = each[at].quantile(0.5) - each[0].quantile(0.5);
        let name = ["", "SHA-256", "HMAC-SHA-256"][at];
        one(&format!("append_audited: cost of {name}"), "us", cost);
    }
}

async fn appends(stream: &EventStream, count: usize) -> Duration {
    let drafts: Vec<_> = (0..count).map(|_| sample::draft()).collect();
    let start = Instant::now();
    for draft in drafts {
        stream.append_draft(draft).await.unwrap();
    }
    start.elapsed()
}

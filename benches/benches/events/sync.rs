//! Appends that are on disk when they return.

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use oh_benches::Samples;
use oh_events::{Durability, SegmentStore};
use tokio::runtime::Runtime as Tokio;

use super::{Scale, builder, one, print_rates, sample};

const TASKS: usize = 64;

/// 64 tasks that append under group commit, beside one write and one sync for each event.
pub(super) fn group_commit(tokio: &Tokio, scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    let (alone, each_task) = (scale.of(300, 100), scale.of(300, 100));
    let mut raw = Samples::new("group_commit (raw: write and sync each)", "events/s");
    let mut each = Samples::new("group_commit: one task, Durability::Each", "events/s");
    let mut ours = Samples::new("group_commit: 64 tasks, Durability::Group", "events/s");
    for round in 0..scale.of(9, 3) {
        let mut measures: [&mut dyn FnMut(); 3] = [
            &mut || raw.push(raw_syncs(&folder.path().join("raw"), alone)),
            &mut || each.push(tokio.block_on(appends(&folder, Durability::Each, 1, alone))),
            &mut || {
                ours.push(tokio.block_on(appends(&folder, Durability::Group, TASKS, each_task)));
            },
        ];
        measures.rotate_left(round % 3);
        measures.iter_mut().for_each(|measure| measure());
    }
    each.print();
    print_rates(&ours, &raw, "group_commit / raw");
    let ratio = ours.quantile(0.5) / each.quantile(0.5);
    one("group_commit / Durability::Each", "ratio of medians", ratio);
}

fn raw_syncs(path: &std::path::Path, count: usize) -> f64 {
    let mut file = File::create(path).unwrap();
    let mut event = sample::raw();
    let start = Instant::now();
    for id in 0..count as u64 {
        event.id = id;
        let mut line = serde_json::to_vec(&event).unwrap();
        line.push(b'\n');
        file.write_all(&line).unwrap();
        file.sync_data().unwrap();
    }
    count as f64 / start.elapsed().as_secs_f64()
}

async fn appends(
    folder: &tempfile::TempDir,
    durability: Durability,
    tasks: usize,
    each: usize,
) -> f64 {
    let store = SegmentStore::new(folder.path());
    let stream = builder(store, "s")
        .durability(durability)
        .open()
        .await
        .unwrap();
    let before = stream.next().0;
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let stream = stream.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    stream.append_draft(sample::draft()).await.unwrap();
                }
            })
        })
        .collect();
    let count = tasks.len() * each;
    for task in tasks {
        task.await.unwrap();
    }
    let time = start.elapsed();
    assert_eq!(stream.next().0 - before, count as u64);
    stream.close().await.unwrap();
    count as f64 / time.as_secs_f64()
}

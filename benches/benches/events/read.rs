//! Opening and reading logs that are there.

use std::io::{BufRead, BufReader};
use std::path::Path;

use oh_benches::{Pair, Samples, timed};
use oh_core::EventBody;
use oh_core::SessionId;
use oh_events::{EventViewer, Query, SegmentStore};
use tokio::runtime::Runtime as Tokio;

use super::sample::RawEvent;
use super::{Scale, builder, one, sample};

/// Writes a session of so many events.
pub(super) async fn fill(folder: &Path, session: &str, count: usize) {
    let store = SegmentStore::new(folder);
    let stream = builder(store, session).open().await.unwrap();
    for _ in 0..count {
        stream.append_draft(sample::draft()).await.unwrap();
    }
    stream.close().await.unwrap();
}

/// Opening for writing and reading the last 100 events, in a long log and in a short one.
pub(super) fn open_tail(tokio: &Tokio, scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [1_000, scale.of(100_000, 20_000)];
    for count in sizes {
        tokio.block_on(fill(folder.path(), &count.to_string(), count));
    }
    let mut samples = sizes.map(|count| Samples::new(format!("open_tail: {count} events"), "us"));
    let look = |count: usize| {
        tokio.block_on(async {
            let store = SegmentStore::new(folder.path());
            let stream = builder(store, &count.to_string()).open().await.unwrap();
            let last = stream.read(Query::latest(100)).await.unwrap();
            assert_eq!((last.len(), last[0].id.0), (100, count as u64 - 1));
            stream
        })
    };
    for round in 0..scale.of(200, 40) {
        let turns = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for at in turns {
            let (stream, time) = timed(|| look(sizes[at]));
            samples[at].push_time(time);
            tokio.block_on(stream.close()).unwrap();
        }
    }
    let [short, long] = samples;
    short.print();
    long.print();
    let ratio = long.quantile(0.5) / short.quantile(0.5);
    one("open_tail: long / short", "ratio of medians", ratio);
}

/// Reading a whole log as typed values, beside parsing the same bytes from the same files: into
/// a plain struct of serde, and into a tree.
pub(super) fn read_all(tokio: &Tokio, scale: Scale) {
    let count = scale.of(100_000, 20_000);
    let folder = tempfile::tempdir().unwrap();
    tokio.block_on(fill(folder.path(), "s", count));
    let store = SegmentStore::new(folder.path());
    let session = SessionId::new("s").unwrap();
    let viewer = tokio.block_on(EventViewer::open(&store, &session)).unwrap();
    let ours = || {
        let mut contents = 0;
        tokio.block_on(async {
            let mut events = viewer.events(Query::default());
            while let Some(event) = events.next().await {
                if let EventBody::Observation(observation) = &event.unwrap().body {
                    contents += observation.content().len();
                }
            }
        });
        contents
    };
    let typed = || {
        parse_lines(&folder, |json| {
            let event: RawEvent = serde_json::from_slice(json).unwrap();
            event.content.len()
        })
    };
    let tree = || {
        parse_lines(&folder, |json| {
            let event: serde_json::Value = serde_json::from_slice(json).unwrap();
            event["content"].as_str().unwrap().len()
        })
    };
    let expected = ours();
    assert!(expected > count);
    let mut pair = Pair::new("read_all", "ms");
    let mut trees = Samples::new("read_all (raw, into a tree)", "ms");
    for round in 0..scale.of(15, 5) {
        let mut measures: [&mut dyn FnMut(); 3] = [
            &mut || push(&mut pair.raw, typed, expected),
            &mut || push(&mut pair.ours, ours, expected),
            &mut || push(&mut trees, tree, expected),
        ];
        measures.rotate_left(round % 3);
        measures.iter_mut().for_each(|measure| measure());
    }
    pair.print();
    trees.print();
    let ratio = pair.ours.quantile(0.5) / trees.quantile(0.5);
    one("read_all / raw, into a tree", "ratio of medians", ratio);
    let rate = count as f64 / pair.ours.quantile(0.5) * 1e3;
    one("read_all: rate", "events/s", rate);
}

fn push(samples: &mut Samples, read: impl Fn() -> usize, expected: usize) {
    let (contents, time) = timed(read);
    assert_eq!(contents, expected);
    samples.push_time(time);
}

/// Every line of the segments without its header of 18 bytes.
fn parse_lines(folder: &tempfile::TempDir, parse: impl Fn(&[u8]) -> usize) -> usize {
    let mut paths: Vec<_> = folder
        .path()
        .join("s")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    let mut contents = 0;
    let mut line = Vec::new();
    for path in paths {
        let mut file = BufReader::with_capacity(64 * 1024, std::fs::File::open(path).unwrap());
        while file.read_until(b'\n', &mut line).unwrap() > 0 {
            contents += parse(&line[18..line.len() - 1]);
            line.clear();
        }
    }
    contents
}

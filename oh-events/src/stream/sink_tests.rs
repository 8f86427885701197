//! One sink for more than one command, and a sink that is dropped.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use oh_core::action::RunAction;
use oh_core::secret::Edge;
use oh_core::{CaptureLimit, OutputStream, SessionId, Source};

use super::{EventStream, Live};
use crate::store::blob::MemoryBlobStore;
use crate::{EventStore, MemoryStore, SegmentStore};

async fn open(store: impl EventStore + 'static) -> EventStream {
    let builder = EventStream::builder(store, SessionId::new("s").unwrap());
    builder.open().await.unwrap()
}

fn bytes(len: usize) -> Bytes {
    Bytes::from(vec![b'y'; len])
}

#[tokio::test]
async fn live_positions_go_on_when_an_action_looks_at_a_second_command() {
    let stream = open(MemoryStore::new()).await;
    let action = RunAction::new("ls");
    let action = stream.append(Source::Agent, action).await.unwrap();
    let mut live = stream.deltas();
    let mut sink = stream.output_sink(action, CaptureLimit::each_bytes(8));
    sink.push(OutputStream::Stdout, Bytes::from_static(b"first"))
        .await;
    let first = sink.finish_command(Edge::Whole).await;
    sink.push(OutputStream::Stdout, Bytes::from_static(b"second"))
        .await;
    let second = sink.finish_command(Edge::Whole).await;
    sink.push(OutputStream::Stdout, Bytes::from_static(b"third"))
        .await;
    let third = sink.finish(Edge::Whole).await;
    for (result, text) in [(first, "first"), (second, "second"), (third, "third")] {
        assert_eq!(result.stdout.captured.to_bytes().unwrap(), text);
    }
    let mut at = 0;
    while let Some(Some(Live::Delta(delta))) = live.next().now_or_never() {
        assert_eq!(delta.at, at);
        at += delta.data.len() as u64;
    }
    assert_eq!(at, "firstsecondthird".len() as u64);
}

/// Fills the room with a sink that is dropped, and then with one that is finished.
async fn the_room_is_free_again(stream: &EventStream, room: usize) {
    let action = RunAction::new("yes");
    let action = stream.append(Source::Agent, action).await.unwrap();
    let limit = CaptureLimit::each_bytes(8);
    let mut dropped = stream.output_sink(action, limit);
    dropped.push(OutputStream::Stdout, bytes(room)).await;
    drop(dropped);
    loop {
        let mut sink = stream.output_sink(action, limit);
        sink.push(OutputStream::Stdout, bytes(room)).await;
        let blob = sink.finish(Edge::Whole).await.stdout.blob.unwrap();
        if blob.complete {
            assert_eq!(blob.len, room as u64);
            return;
        }
        // What the dropped one used is given back off this thread.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_sink_that_is_dropped_leaves_no_blob_and_gives_its_room_back() {
    const ROOM: usize = 600_000;
    let folder = tempfile::tempdir().unwrap();
    let files = open(SegmentStore::new(folder.path()).blob_bytes(ROOM as u64)).await;
    let memory = open(MemoryStore::new()).await;
    let room_of_memory = MemoryBlobStore::DEFAULT_BYTES as usize;
    for (stream, room) in [(files, ROOM), (memory, room_of_memory)] {
        let free_again = the_room_is_free_again(&stream, room);
        let waited = tokio::time::timeout(Duration::from_secs(60), free_again).await;
        waited.expect("the room of a dropped sink stays taken");
    }
    let blobs = folder.path().join("s").join("blobs");
    let sizes = blobs.read_dir().unwrap().map(|entry| {
        let entry = entry.unwrap();
        entry.metadata().unwrap().len()
    });
    let used: u64 = sizes.sum();
    assert_eq!(used, ROOM as u64);
}

//! The stores of this crate pass every check of the conformance suite.

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;

use async_trait::async_trait;
use oh_core::{Error, Result};
use oh_events::conformance::{self, Options, Report, Storage, StoreHarness};
use oh_events::{Durability, EventStore, MemoryStore, OpenHandsStore, SegmentStore};
use tempfile::TempDir;

/// Room for the blobs of a session that a check can fill.
const BLOB_BYTES: u64 = 1024 * 1024;

async fn run(harness: &dyn StoreHarness, options: Options) -> Report {
    // Shown by `cargo test -- --nocapture`, and when the test hangs.
    let mut options = options.parallel(4).on_check(|check| println!("{check}"));
    // For work on one family: `OH_CONFORMANCE=blobs:: cargo test --test conformance`.
    if let Ok(text) = std::env::var("OH_CONFORMANCE") {
        options = options.only(text);
    }
    let report = conformance::run(harness, &options).await;
    println!("{}", report.to_string().lines().last().unwrap_or_default());
    report
}

fn folder() -> Result<TempDir> {
    tempfile::tempdir().map_err(|error| Error::io("make folder", error))
}

#[derive(Debug)]
struct Memory;

/// Processes do not share memory: every handle is a clone of one store.
#[derive(Debug)]
struct InMemory(MemoryStore);

#[async_trait]
impl StoreHarness for Memory {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        Ok(Box::new(InMemory(MemoryStore::new())))
    }
}

#[async_trait]
impl Storage for InMemory {
    async fn open(&self) -> Result<Arc<dyn EventStore>> {
        Ok(Arc::new(self.0.clone()))
    }
}

#[derive(Debug)]
struct Segments {
    segment_bytes: u64,
}

#[derive(Debug)]
struct InFolder {
    folder: TempDir,
    segment_bytes: u64,
}

#[async_trait]
impl StoreHarness for Segments {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        Ok(Box::new(InFolder {
            folder: folder()?,
            segment_bytes: self.segment_bytes,
        }))
    }
}

#[async_trait]
impl Storage for InFolder {
    async fn open(&self) -> Result<Arc<dyn EventStore>> {
        let store = SegmentStore::new(self.folder.path())
            .segment_bytes(self.segment_bytes)
            .blob_bytes(BLOB_BYTES);
        Ok(Arc::new(store))
    }

    fn blob_bytes(&self) -> Option<u64> {
        Some(BLOB_BYTES)
    }
}

#[derive(Debug)]
struct OpenHands {
    user: Option<&'static str>,
}

#[derive(Debug)]
struct InV0Folder {
    folder: TempDir,
    user: Option<&'static str>,
}

#[async_trait]
impl StoreHarness for OpenHands {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        let (folder, user) = (folder()?, self.user);
        Ok(Box::new(InV0Folder { folder, user }))
    }
}

#[async_trait]
impl Storage for InV0Folder {
    async fn open(&self) -> Result<Arc<dyn EventStore>> {
        let mut store = OpenHandsStore::new(self.folder.path()).blob_bytes(BLOB_BYTES);
        if let Some(user) = self.user {
            store = store.user(user)?;
        }
        Ok(Arc::new(store))
    }

    fn blob_bytes(&self) -> Option<u64> {
        Some(BLOB_BYTES)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openhands_store_conforms() {
    let report = run(&OpenHands { user: None }, Options::default()).await;
    assert!(report.is_green(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openhands_store_conforms_for_a_user_when_appends_are_synced() {
    let harness = OpenHands {
        user: Some("someone@example.org"),
    };
    let options = Options::default().durability(Durability::Group);
    let report = run(&harness, options).await;
    assert!(report.is_green(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_conforms() {
    let report = run(&Memory, Options::default()).await;
    assert!(report.is_green(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_segment_store_conforms() {
    let harness = Segments {
        segment_bytes: 64 * 1024 * 1024,
    };
    let report = run(&harness, Options::default()).await;
    assert!(report.is_green(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_segment_store_conforms_with_a_file_for_every_few_events() {
    let report = run(
        &Segments {
            segment_bytes: 1000,
        },
        Options::default(),
    )
    .await;
    assert!(report.is_green(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_segment_store_conforms_when_appends_are_synced() {
    let harness = Segments {
        segment_bytes: 64 * 1024 * 1024,
    };
    let options = Options::default().durability(Durability::Group);
    let report = run(&harness, options).await;
    assert!(report.is_green(), "{report}");
}

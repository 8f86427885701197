//! Logs in a directory and on a server that speaks the protocol of S3.

#![cfg(all(feature = "object-store", feature = "conformance"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[cfg(feature = "s3")]
mod moto;
mod race;
#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use oh_core::{Error, Result, SessionId};
use oh_events::conformance::{self, Options, Report, Storage, StoreHarness};
use oh_events::store::object::ObjectEventStore;
use oh_events::{EventStore, Writer};
use tempfile::TempDir;

/// Room for the blobs of a session that a check can fill.
const BLOB_BYTES: u64 = 1024 * 1024;

async fn run(harness: &dyn StoreHarness, options: Options) -> Report {
    let mut options = options.parallel(4).on_check(|check| println!("{check}"));
    // For work on one family: `OH_CONFORMANCE=blobs:: cargo test --test object_store`.
    if let Ok(text) = std::env::var("OH_CONFORMANCE") {
        options = options.only(text);
    }
    let report = conformance::run(harness, &options).await;
    println!("{}", report.to_string().lines().last().unwrap_or_default());
    report
}

/// A storage that stores are made for.
#[derive(Debug)]
struct Place<P> {
    place: P,
    make: fn(&P) -> Result<ObjectEventStore>,
}

#[async_trait]
impl<P: std::fmt::Debug + Send + Sync> Storage for Place<P> {
    async fn open(&self) -> Result<Arc<dyn EventStore>> {
        Ok(Arc::new((self.make)(&self.place)?.blob_bytes(BLOB_BYTES)))
    }

    fn blob_bytes(&self) -> Option<u64> {
        Some(BLOB_BYTES)
    }

    async fn expire_writer(&self, session: &SessionId) -> Result<()> {
        // Another process took the log, and gave it back.
        let store = (self.make)(&self.place)?;
        let log = store.take_over(session, Writer::new("another")).await?;
        log.close().await
    }
}

#[derive(Debug)]
struct Folders {
    make: fn(&TempDir) -> Result<ObjectEventStore>,
}

#[async_trait]
impl StoreHarness for Folders {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        let place = tempfile::tempdir().map_err(|error| Error::io("make folder", error))?;
        let make = self.make;
        Ok(Box::new(Place { place, make }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_a_directory_conform() {
    let harness = Folders {
        make: |folder| ObjectEventStore::local(folder.path()),
    };
    let report = run(&harness, Options::default()).await;
    assert!(report.is_green(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_a_directory_conform_when_every_few_appends_are_merged() {
    let harness = Folders {
        make: |folder| {
            let store = ObjectEventStore::local(folder.path())?;
            Ok(store
                .merge_appends(2)
                .merged_bytes(2000)
                .look_every(Duration::from_millis(5)))
        },
    };
    let report = run(&harness, Options::default()).await;
    assert!(report.is_green(), "{report}");
}

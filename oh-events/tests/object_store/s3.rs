//! The same on S3.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use oh_core::{ErrorKind, EventId, Result, SessionId};
use oh_events::conformance::{Options, Storage, StoreHarness};
use oh_events::store::object::{AmazonS3Builder, ObjectEventStore};
use oh_events::{Encoded, EventStore, ReadRange, Writer};

use crate::moto::Moto;
use crate::{Place, run};

const BUCKET: &str = "sessions";

fn builder(url: &str) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(url)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(BUCKET)
        .with_access_key_id("the-key-id")
        .with_secret_access_key("the-secret-key")
}

#[derive(Debug)]
struct Folder {
    url: String,
    name: String,
}

impl Folder {
    fn store(&self) -> Result<ObjectEventStore> {
        let store = ObjectEventStore::s3(builder(&self.url))?;
        Ok(store
            .below(&self.name)
            .look_every(Duration::from_millis(50)))
    }
}

#[derive(Debug)]
struct Folders {
    url: String,
    made: AtomicUsize,
}

#[async_trait]
impl StoreHarness for Folders {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let place = Folder {
            url: self.url.clone(),
            name: format!("tests/{number}"),
        };
        let make = Folder::store;
        Ok(Box::new(Place { place, make }))
    }
}

fn server() -> Option<Moto> {
    let moto = Moto::start()?;
    moto.bucket(BUCKET);
    Some(moto)
}

fn event(id: u64) -> Encoded {
    let json = format!(r#"{{"id":{id},"source":"user","action":"message"}}"#);
    Encoded::new(EventId(id), json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_on_s3_conform() {
    let Some(moto) = server() else { return };
    let harness = Folders {
        url: moto.url.clone(),
        made: AtomicUsize::new(0),
    };
    let options = Options::default().guard(Duration::from_secs(180));
    let report = run(&harness, options).await;
    assert!(report.is_green(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3_a_log_that_was_taken_over_is_closed_to_its_former_writer() {
    let Some(moto) = server() else { return };
    let folder = Folder {
        url: moto.url.clone(),
        name: "race".to_owned(),
    };
    let session = SessionId::new("one").unwrap();
    let first = folder.store().unwrap();
    let first = first.open(&session, Writer::new("first")).await.unwrap();
    first
        .append(EventId(0), first.epoch(), &[event(0)])
        .await
        .unwrap();
    let second = folder.store().unwrap();
    let error = second.open(&session, Writer::new("second")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
    let second = second
        .take_over(&session, Writer::new("second"))
        .await
        .unwrap();
    let error = first
        .append(EventId(1), first.epoch(), &[event(1)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    second
        .append(EventId(1), second.epoch(), &[event(1)])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_objects_than_a_page_of_a_listing_holds_are_all_found() {
    let Some(moto) = server() else { return };
    let folder = Folder {
        url: moto.url.clone(),
        name: "many".to_owned(),
    };
    let session = SessionId::new("one").unwrap();
    let unmerged = || folder.store().unwrap().merge_appends(usize::MAX);
    let log = unmerged()
        .open(&session, Writer::new("test"))
        .await
        .unwrap();
    let events = 1_050;
    let begin = Instant::now();
    for id in 0..events {
        log.append(EventId(id), log.epoch(), &[event(id)])
            .await
            .unwrap();
    }
    println!("append: {:?} each", begin.elapsed() / events as u32);
    drop(log);
    let viewer = unmerged().view(&session).await.unwrap();
    assert_eq!(viewer.next(), EventId(events));
    let last = ReadRange::new(EventId(events - 10), EventId(u64::MAX));
    let last = viewer.read(last).await.unwrap();
    assert_eq!(last, (events - 10..events).map(event).collect::<Vec<_>>());

    // Merged, they are read with few calls; removed, nothing is left.
    let store = folder.store().unwrap();
    let log = store
        .take_over(&session, Writer::new("test"))
        .await
        .unwrap();
    log.close().await.unwrap();
    let viewer = store.view(&session).await.unwrap();
    let mut next = 0;
    while next < events {
        let page = viewer
            .read(ReadRange::new(EventId(next), EventId(u64::MAX)))
            .await
            .unwrap();
        for found in page {
            assert_eq!(found, event(next));
            next += 1;
        }
    }
    store.remove(&session).await.unwrap();
    assert_eq!(
        store.view(&session).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_in_no_error_and_no_debug_text() {
    // Nothing listens on port 1.
    let store = ObjectEventStore::s3(builder("http://127.0.0.1:1")).unwrap();
    let session = SessionId::new("one").unwrap();
    let error = store.view(&session).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    let texts = [
        format!("{store:?}"),
        format!("{store:#?}"),
        format!("{error:?}"),
        format!("{error:#?}"),
    ];
    let shared: Arc<dyn EventStore> = Arc::new(store);
    for text in texts.into_iter().chain([format!("{shared:?}")]) {
        assert!(!text.contains("the-secret-key"), "{text}");
        assert!(!text.contains("the-key-id"), "{text}");
    }
}

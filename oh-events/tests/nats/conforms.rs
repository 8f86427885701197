//! The checks that every store has to pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_nats::jetstream::Context;
use async_trait::async_trait;
use oh_core::{Error, Result, SessionId};
use oh_events::EventStore;
use oh_events::conformance::{self, Options, Storage, StoreHarness};
use serde_json::{Value, json};

use crate::server::Server;

#[derive(Debug)]
struct Prefixes {
    server: Arc<Server>,
    next: AtomicU32,
}

/// A prefix that nothing else uses.
#[derive(Debug)]
struct Prefix {
    server: Arc<Server>,
    prefix: String,
}

const BLOB_BYTES: u64 = 2 * 1024 * 1024;

#[async_trait]
impl StoreHarness for Prefixes {
    async fn storage(&self) -> Result<Box<dyn Storage>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Prefix {
            server: Arc::clone(&self.server),
            prefix: format!("check_{number}"),
        }))
    }
}

#[async_trait]
impl Storage for Prefix {
    async fn open(&self) -> Result<Arc<dyn EventStore>> {
        let store = self.server.store().await;
        let store = store.prefix(&self.prefix).blob_bytes(BLOB_BYTES);
        Ok(Arc::new(store))
    }

    fn blob_bytes(&self) -> Option<u64> {
        Some(BLOB_BYTES)
    }

    async fn expire_writer(&self, session: &SessionId) -> Result<()> {
        let context = self.server.context().await;
        end_lease(&context, &self.prefix, session)
            .await
            .map_err(|error| Error::unsupported("end lease").with_source(error))
    }
}

/// Writes the record of a session again with a lease that is over at once.
pub(crate) async fn end_lease(
    context: &Context,
    prefix: &str,
    session: &SessionId,
) -> Result<(), async_nats::Error> {
    let stream = context.get_stream(format!("{prefix}-sessions")).await?;
    let subject = format!("{prefix}.sessions.{}", session.as_str().replace('.', "~"));
    let message = stream.get_last_raw_message_by_subject(&subject).await?;
    let mut record: Value = serde_json::from_slice(&message.payload)?;
    record["lease_ms"] = json!(0);
    let record = serde_json::to_vec(&record)?;
    context.publish(subject, record.into()).await?.await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_keeps_sessions_as_every_store_does() {
    let Some(server) = Server::new().await else {
        return;
    };
    let harness = Prefixes {
        server: Arc::new(server),
        next: AtomicU32::default(),
    };
    // Shown by `cargo test -- --nocapture`, and when the test hangs.
    let mut options = Options::default()
        .parallel(4)
        .on_check(|check| println!("{check}"));
    if let Ok(text) = std::env::var("OH_CONFORMANCE") {
        options = options.only(text);
    }
    let report = conformance::run(&harness, &options).await;
    assert!(report.is_green(), "{report}");
}

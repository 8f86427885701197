//! Publishing what a writer left in the log that did not live to publish it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use oh_core::{Error, EventId, Result};

use crate::store::ReadRange;

use super::append::Core;

impl Core {
    /// Notes that a write was dropped in the middle. The log may hold its events.
    pub(super) fn note_interrupted(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether a write was dropped in the middle, and nothing was done about it yet.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// In the writer's turn: publishes what the log holds of a write that was dropped. Without
    /// that the log and its followers would not agree which id comes next.
    pub(super) async fn catch_up(&self) -> Result<()> {
        // Stores may need a runtime to read. Without one the log refuses what does not fit.
        let can_read = tokio::runtime::Handle::try_current().is_ok();
        if !can_read || !self.is_interrupted() {
            return Ok(());
        }
        // What is published is as durable as the log promises.
        let end = self.log.sync().await?;
        while EventId(self.hub.next()) < end {
            let range = ReadRange::new(EventId(self.hub.next()), end);
            let page = self.hub.reader.read(range).await?;
            if page.is_empty() {
                break;
            }
            for encoded in page {
                let event = Arc::new(encoded.decode().map_err(Error::from)?);
                if let Some(chain) = &self.chain {
                    chain.advance_over(&encoded);
                }
                self.hub.publish([(event, encoded.json().len())]);
            }
        }
        self.interrupted.store(false, Ordering::Relaxed);
        Ok(())
    }
}

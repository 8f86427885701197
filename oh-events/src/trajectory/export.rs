//! From a log to a file.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use oh_core::secret::Masker;
use oh_core::{Event, EventBody, Result, codec};

use crate::stream::Events;

use super::browser;

/// Whether the pictures that a browser made go into an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Screenshots {
    /// They do not.
    #[default]
    LeftOut,
    /// They do.
    Kept,
}

/// What goes into an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOptions {
    /// Whether pictures do.
    pub screenshots: Screenshots,
}

impl ExportOptions {
    /// Sets what becomes of [`screenshots`](Self::screenshots).
    #[must_use]
    pub fn screenshots(mut self, screenshots: Screenshots) -> Self {
        self.screenshots = screenshots;
        self
    }
}

/// The pieces of a file that holds events as OpenHands writes a trajectory: a JSON array with an
/// event per line. Written one after the other they are the file; no more than a page of the log
/// is in memory.
///
/// Events are masked once more as they leave, with the secrets that are known by then: one that
/// became known after an event was written is in the log, and not in the file. What a browser
/// shows in great detail is left out, as OpenHands does.
///
/// Events keep their ids. Blobs are not in the file; events name them. OpenHands leaves hidden
/// events out: [`Filter::visible`](crate::Filter::visible) does so here.
#[must_use = "an export is read from the log when it is polled"]
pub struct Export {
    events: Events,
    masker: Box<dyn Fn() -> Masker + Send + Sync>,
    options: ExportOptions,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Inside,
    End,
}

impl Export {
    pub(crate) fn new(
        events: Events,
        masker: impl Fn() -> Masker + Send + Sync + 'static,
        options: ExportOptions,
    ) -> Self {
        Self {
            events,
            masker: Box::new(masker),
            options,
            at: At::Start,
        }
    }

    /// The next piece of the file; `None` at its end. The same as [`Stream::poll_next`].
    ///
    /// # Errors
    /// [`Corrupt`](oh_core::ErrorKind::Corrupt) for events that cannot be read: who goes on gets
    /// a file without them. The kinds of the store.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    fn line(&self, event: &Event) -> String {
        let masker = (self.masker)();
        let mut event = Cow::Borrowed(event);
        if !masker.is_empty() {
            event.to_mut().visit_text_mut(&mut |text| {
                if let Cow::Owned(masked) = masker.mask(text) {
                    *text = masked;
                }
            });
        }
        let json = codec::encode_event(&event);
        match event.body {
            EventBody::Observation(_) => browser::strip(json, self.options.screenshots),
            _ => json,
        }
    }
}

impl Stream for Export {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.at == At::End {
            return Poll::Ready(None);
        }
        let event: Option<Result<Arc<Event>>> =
            ready!(Pin::new(&mut this.events).poll_next(context));
        let piece = match (event, this.at) {
            (Some(Err(error)), _) => return Poll::Ready(Some(Err(error))),
            (Some(Ok(event)), At::Start) => format!("[\n{}", this.line(&event)),
            (Some(Ok(event)), _) => format!(",\n{}", this.line(&event)),
            (None, At::Start) => "[]\n".to_owned(),
            (None, _) => "\n]\n".to_owned(),
        };
        let is_over = piece.ends_with("]\n");
        this.at = if is_over { At::End } else { At::Inside };
        Poll::Ready(Some(Ok(piece.into())))
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("events", &self.events)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

//! An answer of Chat Completions as it arrives.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Instant, Sleep};

use crate::delta::Delta;
use crate::dialect::chat::{ChatDecoder, Decoded};
use crate::error::{Error, ErrorKind, Result};
use crate::http::sse::SseParser;
use crate::http::{Answer, HttpClient};

type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// Deltas of an answer. Dropping it closes the request.
pub(crate) struct AnswerStream {
    http: HttpClient,
    first: Option<Bytes>,
    body: Body,
    idle: Pin<Box<Sleep>>,
    form: Form,
    decoder: ChatDecoder,
    ready: VecDeque<Delta>,
    /// An error that comes after what is ready.
    failed: Option<Error>,
    is_over: bool,
}

/// How the body is to be read.
enum Form {
    Events(SseParser),
    /// Servers that know no streams answer as a whole.
    Whole {
        body: Vec<u8>,
        max_bytes: usize,
    },
}

impl AnswerStream {
    pub(crate) fn new(http: HttpClient, answer: Answer, max_bytes: usize) -> Self {
        let idle = Box::pin(tokio::time::sleep(http.idle_timeout()));
        let form = match answer.is_json {
            true => Form::Whole {
                body: Vec::new(),
                max_bytes,
            },
            false => Form::Events(SseParser::new(max_bytes)),
        };
        Self {
            http,
            first: answer.first,
            body: Box::pin(answer.rest.bytes_stream()),
            idle,
            form,
            decoder: ChatDecoder::default(),
            ready: VecDeque::new(),
            failed: None,
            is_over: false,
        }
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Ok(Some(first)));
        }
        if let Poll::Ready(piece) = self.body.as_mut().poll_next(context) {
            let idle = self.http.idle_timeout();
            self.idle.as_mut().reset(Instant::now() + idle);
            return Poll::Ready(match piece.transpose() {
                Ok(piece) => Ok(piece),
                Err(error) => Err(Error::new(ErrorKind::Interrupted, "the answer broke off")
                    .with_source(self.http.transport(error))),
            });
        }
        ready!(self.idle.as_mut().poll(context));
        let seconds = self.http.idle_timeout().as_secs_f32();
        let message = format!("the answer broke off: nothing came for {seconds} seconds");
        Poll::Ready(Err(Error::new(ErrorKind::Timeout, message)))
    }

    /// Takes a piece of the body; `None` at its end.
    fn take(&mut self, piece: Option<Bytes>) -> Result<()> {
        let is_end = piece.is_none();
        let piece = piece.unwrap_or_default();
        match &mut self.form {
            Form::Whole { body, max_bytes } => {
                if body.len() + piece.len() > *max_bytes {
                    let message = format!("the answer is larger than {max_bytes} bytes");
                    return Err(Error::new(ErrorKind::Decode, message));
                }
                body.extend_from_slice(&piece);
                if is_end {
                    let decoded = self.decoder.take(body, &mut self.ready);
                    heed(decoded, body, &self.http)?;
                }
            }
            Form::Events(parser) => {
                if !is_end {
                    parser.push(piece);
                }
                loop {
                    let event = if is_end {
                        parser.finish()
                    } else {
                        parser.next()
                    };
                    let event = event.map_err(|error| {
                        Error::new(ErrorKind::Decode, error.to_string()).with_source(error)
                    })?;
                    let Some(event) = event else { break };
                    let decoded = self.decoder.take(event.data, &mut self.ready);
                    if heed(decoded, event.data, &self.http)? == Goes::Over {
                        self.is_over = true;
                        break;
                    }
                }
            }
        }
        if is_end || self.is_over {
            self.is_over = true;
            let finish = self.decoder.finish().ok_or_else(|| {
                Error::new(
                    ErrorKind::Interrupted,
                    "the answer ended without saying why: it may be cut",
                )
            })?;
            self.ready.push_back(finish);
        }
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Goes {
    On,
    Over,
}

fn heed(
    decoded: Result<Decoded, serde_json::Error>,
    data: &[u8],
    http: &HttpClient,
) -> Result<Goes> {
    match decoded {
        Ok(Decoded::Deltas) => Ok(Goes::On),
        Ok(Decoded::Done) => Ok(Goes::Over),
        Ok(Decoded::Refused(error)) => Err(http.reported(&error)),
        Err(error) => {
            let message = format!(
                "the answer is no chat completion: {}; is the base URL that of an \
                 OpenAI-compatible API?",
                http.excerpt(data)
            );
            Err(Error::new(ErrorKind::Decode, message).with_source(error))
        }
    }
}

impl Stream for AnswerStream {
    type Item = Result<Delta>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(delta) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(delta)));
            }
            if this.is_over {
                return Poll::Ready(this.failed.take().map(Err));
            }
            let taken = match ready!(this.poll_body(context)) {
                Ok(piece) => this.take(piece),
                Err(error) => Err(error),
            };
            if let Err(error) = taken {
                this.is_over = true;
                this.failed = Some(error);
            }
        }
    }
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStream").finish_non_exhaustive()
    }
}

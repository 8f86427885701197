//! One POST at a time: timeouts, retries, and what an answer that is none means.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use oh_core::secret::Masker;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::{Instant, timeout};

use crate::error::{Error, ErrorKind, Result};

use super::retry::{RetryNotice, RetryPolicy, retry_after};
use super::tls;

/// Bytes of an error page that are looked at.
const ERROR_PAGE_BYTES: usize = 64 * 1024;

/// Characters of an error page that are shown.
const EXCERPT_CHARS: usize = 300;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) first_byte: Duration,
    pub(crate) idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(300),
            idle: Duration::from_secs(120),
        }
    }
}

pub(crate) type OnRetry = Arc<dyn Fn(&RetryNotice<'_>) + Send + Sync>;

/// Sends requests to one provider.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client,
    timeouts: Timeouts,
    retry: RetryPolicy,
    on_retry: Option<OnRetry>,
    /// Hides the key in what a server says.
    masker: Masker,
}

/// An answer that has begun.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) is_json: bool,
    /// The first bytes of the body; `None` if it is empty.
    pub(crate) first: Option<Bytes>,
    pub(crate) rest: Response,
}

impl HttpClient {
    /// Uses the caller's client, or makes one that follows no redirects.
    pub(crate) fn new(
        client: Option<Client>,
        timeouts: Timeouts,
        retry: RetryPolicy,
        on_retry: Option<OnRetry>,
        masker: Masker,
    ) -> Result<Self> {
        let client = match client {
            Some(client) => client,
            None => Client::builder()
                .tls_backend_preconfigured(tls::config()?)
                .connect_timeout(timeouts.connect)
                .tcp_nodelay(true)
                // A key must not go where no one sent it.
                .redirect(Policy::none())
                .build()
                .map_err(|error| {
                    Error::new(ErrorKind::Transport, "the HTTP client could not be set up")
                        .with_source(error)
                })?,
        };
        Ok(Self {
            client,
            timeouts,
            retry,
            on_retry,
            masker,
        })
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.timeouts.idle
    }

    /// Posts JSON, again if that may help, until the first bytes of an answer are there.
    pub(crate) async fn post(&self, url: &Url, headers: &HeaderMap, body: Bytes) -> Result<Answer> {
        let start = Instant::now();
        let mut attempt = 1;
        loop {
            let error = match self.attempt(url, headers, body.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let random = random_share();
            let Some(wait) = self.retry.wait(attempt, &error, start.elapsed(), random) else {
                return Err(error);
            };
            tracing::info!(attempt, ?wait, %error, "the model is asked again");
            if let Some(on_retry) = &self.on_retry {
                on_retry(&RetryNotice::new(
                    attempt,
                    self.retry.attempts,
                    wait,
                    &error,
                ));
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, url: &Url, headers: &HeaderMap, body: Bytes) -> Result<Answer> {
        let request = self
            .client
            .post(url.clone())
            .headers(headers.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
        let begin = async {
            let mut response = request
                .send()
                .await
                .map_err(|error| self.transport(error))?;
            if !response.status().is_success() {
                return Err(self.refusal(response).await);
            }
            let first = response
                .chunk()
                .await
                .map_err(|error| self.transport(error))?;
            Ok(Answer {
                is_json: is_json(&response),
                first,
                rest: response,
            })
        };
        match timeout(self.timeouts.first_byte, begin).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "the server sent nothing for {} seconds",
                    self.timeouts.first_byte.as_secs_f32()
                ),
            )),
        }
    }

    /// What a failed connection means. The address is left out, as it may hold a key.
    pub(crate) fn transport(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        let (kind, message) = if error.is_timeout() {
            let message = "the connection to the model's server timed out; check the base URL";
            (ErrorKind::Timeout, message)
        } else if error.is_connect() {
            let message = "the model's server cannot be reached; check the base URL and that the \
                           server runs";
            (ErrorKind::Transport, message)
        } else if error.is_builder() || error.is_request() && error.is_redirect() {
            (ErrorKind::BadRequest, "the request could not be made")
        } else {
            (
                ErrorKind::Transport,
                "the connection to the model's server broke",
            )
        };
        Error::new(kind, message).with_source(error)
    }

    /// Reads an answer that is none.
    async fn refusal(&self, mut response: Response) -> Error {
        let status = response.status();
        let wait = asked_wait(response.headers());
        let location = response
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok())
            .map(|text| self.masker.mask(text).into_owned());
        let mut page = Vec::new();
        while page.len() < ERROR_PAGE_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => page.extend_from_slice(&chunk),
                _ => break,
            }
        }
        page.truncate(ERROR_PAGE_BYTES);
        let page = String::from_utf8_lossy(&page);
        refusal(status, wait, location.as_deref(), &self.masker.mask(&page))
    }

    /// An error that a server reports inside of an answer, under the key `error`.
    pub(crate) fn reported(&self, error: &serde_json::Value) -> Error {
        let code = error.get("code").and_then(serde_json::Value::as_u64);
        let status = code
            .and_then(|code| u16::try_from(code).ok())
            .and_then(|code| StatusCode::from_u16(code).ok())
            .filter(|status| !status.is_success())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let page = serde_json::json!({ "error": error }).to_string();
        refusal(status, None, None, &self.masker.mask(&page))
    }

    /// Hides the key in a text of the server, and shortens it.
    pub(crate) fn excerpt(&self, bytes: &[u8]) -> String {
        excerpt(&self.masker.mask(&String::from_utf8_lossy(bytes)))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

fn is_json(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().starts_with("application/json"))
}

fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    retry_after(text("retry-after-ms"), text("retry-after"), now)
}

/// What a status and a page say, in the words of the one who can mend it.
fn refusal(
    status: StatusCode,
    retry_after: Option<Duration>,
    location: Option<&str>,
    page: &str,
) -> Error {
    let json: serde_json::Value = serde_json::from_str(page).unwrap_or_default();
    let said = ["/error/message", "/message", "/detail", "/error"]
        .iter()
        .find_map(|place| json.pointer(place)?.as_str())
        .map_or_else(|| excerpt(page), excerpt);
    let code = ["/error/code", "/error/type", "/code", "/type"]
        .iter()
        .filter_map(|place| json.pointer(place)?.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let lower = format!("{code} {said}").to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let number = status.as_u16();
    let (kind, hint) = match number {
        _ if says(&[
            "insufficient_quota",
            "out of credits",
            "exceededbudget",
            "billing_hard_limit",
        ]) =>
        {
            (ErrorKind::OutOfCredits, "the account has no credit left")
        }
        401 | 403 => (ErrorKind::Auth, "the key was refused; check it"),
        402 => (ErrorKind::OutOfCredits, "the account has no credit left"),
        _ if says(&[
            "context_length_exceeded",
            "context length",
            "maximum context",
            "prompt is too long",
        ]) =>
        {
            (
                ErrorKind::ContextTooLong,
                "the request is longer than the model can take",
            )
        }
        _ if number < 500 && says(&["content_policy", "content_filter", "contentpolicy"]) => (
            ErrorKind::ContentFiltered,
            "the provider refuses the content",
        ),
        300..=399 => (
            ErrorKind::BadRequest,
            "the server sends the request elsewhere, and it is not sent there; set the base URL",
        ),
        404 => (
            ErrorKind::BadRequest,
            "the server does not know the model or the address; check the model's name and the \
             base URL",
        ),
        405 => (
            ErrorKind::BadRequest,
            "the server takes no such request at this address; check the base URL",
        ),
        408 => (ErrorKind::Timeout, "the server gave up on the request"),
        413 => (
            ErrorKind::ContextTooLong,
            "the request is too large for the server",
        ),
        409 | 425 => (
            ErrorKind::Overloaded { retry_after },
            "the server asks to try again",
        ),
        429 => (ErrorKind::RateLimited { retry_after }, "too many requests"),
        500.. => (
            ErrorKind::Overloaded { retry_after },
            "the server is out of order or overloaded",
        ),
        _ => (ErrorKind::BadRequest, "the server refuses the request"),
    };
    let mut message = format!("{hint} (status {number}");
    if let Some(location) = location.filter(|_| status.is_redirection()) {
        message.push_str(&format!(", to {}", excerpt(location)));
    }
    if !said.is_empty() {
        message.push_str(&format!(": {said}"));
    }
    message.push(')');
    Error::new(kind, message)
}

/// The beginning of a text, in one line.
fn excerpt(text: &str) -> String {
    let mut line: String = text
        .split_whitespace()
        .flat_map(|word| [word, " "])
        .flat_map(str::chars)
        .filter(|letter| !letter.is_control())
        .take(EXCERPT_CHARS)
        .collect();
    line.truncate(line.trim_end().len());
    line
}

/// A number of 0 to 1 that differs from call to call; good enough for spreading waits.
fn random_share() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

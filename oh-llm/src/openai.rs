//! A client of OpenAI's Chat Completions and of the many servers that speak it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::secret::{Masker, Secret};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde_json::{Map, Value};

use crate::accumulate::Accumulator;
use crate::answer::AnswerStream;
use crate::dialect::chat::{self, Delivery, MaxTokensField, Spelling};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{HttpClient, RetryNotice, RetryPolicy, Timeouts};
use crate::model::{ChatModel, CompletionStream, ModelId};
use crate::request::ChatRequest;
use crate::response::Completion;

/// Largest event of a stream, and largest whole answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A model behind an OpenAI-compatible server: OpenAI itself, vLLM, Ollama, llama.cpp, LM Studio,
/// DeepSeek, Mistral, Groq, OpenRouter, LiteLLM's proxy. Cheap to clone; clones share connections.
///
/// ```no_run
/// use oh_llm::OpenAiChat;
/// # fn key() -> oh_core::secret::Secret { "sk-...".into() }
/// let model = OpenAiChat::builder("https://api.openai.com/v1", "gpt-4o").key(key()).build()?;
/// # let _ = model;
/// # Ok::<(), oh_llm::Error>(())
/// ```
#[derive(Clone)]
pub struct OpenAiChat(Arc<Inner>);

struct Inner {
    id: ModelId,
    url: Url,
    headers: HeaderMap,
    spelling: Spelling,
    http: HttpClient,
}

impl OpenAiChat {
    /// Describes a client. The base URL is what `/chat/completions` is put behind, as a rule it
    /// ends with `/v1`. The model is named as the server spells it.
    pub fn builder(base_url: impl Into<String>, model: impl Into<String>) -> OpenAiChatBuilder {
        OpenAiChatBuilder {
            base_url: base_url.into(),
            model: model.into(),
            key: None,
            headers: Vec::new(),
            client: None,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            on_retry: None,
            max_tokens: None,
            extra: Map::new(),
        }
    }

    async fn send(&self, request: &ChatRequest, delivery: Delivery) -> Result<AnswerStream> {
        let Inner { http, url, .. } = &*self.0;
        let body = chat::encode(request, &self.0.spelling, delivery);
        let answer = http.post(url, &self.0.headers, Bytes::from(body)).await?;
        Ok(AnswerStream::new(http.clone(), answer, MAX_ANSWER_BYTES))
    }
}

#[async_trait]
impl ChatModel for OpenAiChat {
    fn id(&self) -> &ModelId {
        &self.0.id
    }

    async fn stream(&self, request: &ChatRequest) -> Result<CompletionStream> {
        Ok(Box::pin(self.send(request, Delivery::Stream).await?))
    }

    async fn complete(&self, request: &ChatRequest) -> Result<Completion> {
        let answer = self.send(request, Delivery::Whole).await?;
        Accumulator::gather(self.0.id.clone(), Box::pin(answer)).await
    }
}

impl fmt::Debug for OpenAiChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiChat")
            .field("model", &self.0.id)
            .field("host", &self.0.url.host_str())
            .finish_non_exhaustive()
    }
}

/// Options of an [`OpenAiChat`]. Nothing is read from the environment but what a proxy of the
/// system says, and that only without a [`client`](Self::client).
#[must_use = "a client is made by `build`"]
pub struct OpenAiChatBuilder {
    base_url: String,
    model: String,
    key: Option<Secret>,
    headers: Vec<(String, Secret)>,
    client: Option<Client>,
    timeouts: Timeouts,
    retry: RetryPolicy,
    on_retry: Option<crate::http::OnRetry>,
    max_tokens: Option<MaxTokensField>,
    extra: Map<String, Value>,
}

impl OpenAiChatBuilder {
    /// Sets the key, sent as a bearer token; without one, none is sent.
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sends a header with each request (`api-key` for Azure, say). Its value is treated as a
    /// secret.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Uses a client of the host: its proxy, its certificates, its connections, its connect
    /// timeout, and its rule for redirects, which may send the request to other hosts.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Sets how long connecting may take; 10 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.connect = timeout;
        self
    }

    /// Sets how long the first byte of an answer may take; 5 min by default. An answer that does
    /// not stream begins when it is whole.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.first_byte = timeout;
        self
    }

    /// Sets how long an answer may pause; 2 min by default. A server's comments count as bytes.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.idle = timeout;
        self
    }

    /// Sets when a request is sent again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Is called before each wait for another attempt.
    pub fn on_retry(mut self, notice: impl Fn(&RetryNotice<'_>) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Arc::new(notice));
        self
    }

    /// Sets the name of the field that limits the answer; by default
    /// [`MaxCompletionTokens`](MaxTokensField::MaxCompletionTokens) for `api.openai.com` and
    /// [`MaxTokens`](MaxTokensField::MaxTokens) for others.
    pub fn max_tokens_field(mut self, field: MaxTokensField) -> Self {
        self.max_tokens = Some(field);
        self
    }

    /// Adds a field to each request, in place of the one that would be sent.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BadRequest`](ErrorKind::BadRequest) for an address, model, key or header that cannot be
    /// used.
    pub fn build(self) -> Result<OpenAiChat> {
        let url = endpoint(&self.base_url)?;
        if self.model.trim().is_empty() {
            return Err(bad("the name of the model is empty"));
        }
        let (headers, masker) = self.secrets()?;
        let is_openai = url.host_str() == Some("api.openai.com");
        let spelling = Spelling {
            model: self.model.clone(),
            max_tokens: self.max_tokens.unwrap_or(match is_openai {
                true => MaxTokensField::MaxCompletionTokens,
                false => MaxTokensField::MaxTokens,
            }),
            extra: self.extra,
        };
        let http = HttpClient::new(
            self.client,
            self.timeouts,
            self.retry,
            self.on_retry,
            masker,
        )?;
        Ok(OpenAiChat(Arc::new(Inner {
            id: ModelId::new(self.model),
            url,
            headers,
            spelling,
            http,
        })))
    }

    fn secrets(&self) -> Result<(HeaderMap, Masker)> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("text/event-stream, application/json"),
        );
        let mut secrets = Vec::new();
        if let Some(key) = &self.key {
            let value = sensitive(&format!("Bearer {}", key.expose()))?;
            headers.insert(AUTHORIZATION, value);
            secrets.push(("key".to_owned(), key.clone()));
        }
        for (name, value) in &self.headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| bad(format!("{name:?} is no name of a header")))?;
            headers.insert(header, sensitive(value.expose())?);
            secrets.push((name.clone(), value.clone()));
        }
        // What is shorter can be no secret, and would hide words.
        secrets.retain(|(_, secret)| secret.expose().len() >= 4);
        let masker = Masker::new(secrets).map_err(|error| bad(error.to_string()))?;
        Ok((headers, masker))
    }
}

impl fmt::Debug for OpenAiChatBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiChatBuilder")
            .field("model", &self.model)
            .field("key", &self.key)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadRequest, message)
}

fn sensitive(value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value.trim())
        .map_err(|_| bad("the key holds characters that no header may hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts the path behind the base URL, before its query.
fn endpoint(base_url: &str) -> Result<Url> {
    let mut url = Url::parse(base_url.trim())
        .map_err(|error| bad(format!("the base URL is none: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad(
            "the base URL begins with http:// or https:// and a host",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("the base URL holds a user name; give the key as such"));
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path);
    let path = format!("{path}/chat/completions");
    url.set_path(&path);
    Ok(url)
}

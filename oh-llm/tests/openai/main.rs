//! The client of Chat Completions against a server that plays every kind of answer.
#![cfg(feature = "openai")]
// Clippy's exception for tests does not reach the functions that tests share.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use oh_core::CallId;
use oh_core::message::{Content, Message, Role};
use oh_core::tool::{ToolCall, ToolResult, ToolSpec};
use oh_llm::{
    ChatModel, ChatRequest, Completion, Delta, ErrorKind, FinishReason, OpenAiChat,
    OpenAiChatBuilder, RetryPolicy,
};
use serde_json::json;
use server::{Reply, Server, answer, events, stream};

const KEY: &str = "sk-very-secret-0123456789";

fn client(server: &Server) -> OpenAiChatBuilder {
    OpenAiChat::builder(&server.base_url, "test-model")
        .key(KEY)
        .retry(RetryPolicy::never())
}

fn request() -> ChatRequest {
    ChatRequest::new(vec![Message::user("hi")])
}

/// Text, reasoning, two tool calls in pieces, usage after the reason, as OpenAI and vLLM send them.
const CHUNKS: [&str; 9] = [
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"Grüße 😀"}}]}"#,
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"execute_bash","arguments":""}}]}}]}"#,
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"command\":"}}]}}]}"#,
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"ls\"}"}}]}}]}"#,
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","function":{"name":"finish","arguments":"{}"}}]}}]}"#,
    r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    r#"{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#,
];

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Grüße 😀","reasoning_content":"hm","tool_calls":[{"id":"call_a","type":"function","function":{"name":"execute_bash","arguments":"{\"command\":\"ls\"}"}},{"id":"call_b","type":"function","function":{"name":"finish","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#;

fn check(completion: &Completion) {
    assert_eq!(completion.id, "chatcmpl-1");
    assert_eq!(completion.text(), "Grüße 😀");
    assert_eq!(completion.finish, FinishReason::ToolCalls);
    let calls: Vec<&ToolCall> = completion.tool_calls().collect();
    let expected = [
        ToolCall::new(CallId::new("call_a"), "execute_bash", r#"{"command":"ls"}"#),
        ToolCall::new(CallId::new("call_b"), "finish", "{}"),
    ];
    assert_eq!(calls, expected.iter().collect::<Vec<_>>());
    let usage = completion.usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (10, 7));
    assert_eq!((usage.cache_read_tokens, usage.reasoning_tokens), (4, 2));
}

async fn gather(model: &OpenAiChat) -> oh_llm::Result<Completion> {
    let mut deltas = model.stream(&request()).await?;
    let mut accumulator = oh_llm::Accumulator::new(model.id().clone());
    while let Some(delta) = deltas.next().await {
        accumulator.push(delta?);
    }
    accumulator.finish()
}

#[tokio::test]
async fn a_streamed_answer_is_the_same_wherever_it_is_split() {
    let body = stream(&format!("{}data: [DONE]\n\n", events(&CHUNKS)));
    let head = body.len() - events(&CHUNKS).len() - 14;
    // At every 7th byte, which meets every place of a letter and of a line end in some chunk.
    let cuts: Vec<usize> = (head..body.len()).step_by(7).collect();
    let replies = cuts
        .iter()
        .map(|cut| Reply::Send(vec![body[..*cut].to_vec(), body[*cut..].to_vec()]))
        .chain([Reply::Send(body.chunks(1).map(<[u8]>::to_vec).collect())])
        .collect();
    let server = Server::start(replies).await;
    let model = client(&server).build().unwrap();
    for _ in 0..=cuts.len() {
        check(&gather(&model).await.unwrap());
    }
}

#[tokio::test]
async fn a_whole_answer_is_the_same_as_a_streamed_one() {
    let json = "content-type: application/json\r\n";
    let whole = || Reply::Send(vec![answer(200, json, WHOLE)]);
    let server = Server::start(vec![whole(), whole()]).await;
    let model = client(&server).build().unwrap();
    check(&model.complete(&request()).await.unwrap());
    assert!(server.body(0).get("stream").is_none());
    // A server that knows no streams.
    check(&gather(&model).await.unwrap());
    assert_eq!(server.body(1)["stream"], true);
}

#[tokio::test]
async fn servers_that_are_careless_with_tool_calls_are_understood() {
    let finish = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let call = |call: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{call}]}}}}]}}"#);
    let cases = [
        // No index; id and name in each piece; arguments as an object; none at all.
        vec![
            call(r#"{"id":"a","function":{"name":"run","arguments":"{\"x\""}}"#),
            call(r#"{"id":"a","function":{"name":"run","arguments":":1}"}}"#),
            call(r#"{"id":"b","function":{"name":"look","arguments":{"y": 2}}}"#),
        ],
        vec![
            call(r#"{"index":0,"id":"a","function":{"name":"run","arguments":"{\"x\""}}"#),
            call(r#"{"index":0,"id":"","function":{"name":null,"arguments":":1}"}}"#),
            call(r#"{"index":1,"id":"b","function":{"name":"look","arguments":null}}"#),
            call(r#"{"index":1,"function":{"arguments":"{\"y\": 2}"}}"#),
        ],
    ];
    for case in cases {
        let mut chunks: Vec<&str> = case.iter().map(String::as_str).collect();
        chunks.push(finish);
        let server = Server::start(vec![Reply::Send(vec![stream(&events(&chunks))])]).await;
        let completion = gather(&client(&server).build().unwrap()).await.unwrap();
        let calls: Vec<_> = completion
            .tool_calls()
            .map(|call| {
                (
                    call.id.as_str(),
                    call.name.as_str(),
                    call.arguments.as_str(),
                )
            })
            .collect();
        assert_eq!(
            calls,
            [("a", "run", r#"{"x":1}"#), ("b", "look", r#"{"y": 2}"#)]
        );
        assert_eq!(completion.finish, FinishReason::ToolCalls);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_what_came_and_says_so() {
    let begun = stream(&events(&CHUNKS[..3]));
    let half = stream(&format!(
        "{}data: {{\"choices\":[{{\"del",
        events(&CHUNKS[..3])
    ));
    let replies = vec![
        Reply::Send(vec![begun.clone()]),
        Reply::Send(vec![half]),
        Reply::Stall(vec![begun]),
    ];
    let server = Server::start(replies).await;
    let model = client(&server)
        .idle_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    for expected in [
        ErrorKind::Interrupted,
        ErrorKind::Decode,
        ErrorKind::Timeout,
    ] {
        let mut deltas = model.stream(&request()).await.unwrap();
        let mut text = String::new();
        let error = loop {
            match deltas.next().await.unwrap() {
                Ok(Delta::Text(more)) => text.push_str(&more),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(text, "Grüße 😀");
        assert_eq!(*error.kind(), expected, "{error}");
        assert!(deltas.next().await.is_none());
    }
}

#[tokio::test]
async fn dropping_an_answer_closes_its_connection() {
    let begun = stream(&events(&CHUNKS[..3]));
    let mut server = Server::start(vec![Reply::Stall(vec![begun])]).await;
    let mut deltas = client(&server)
        .build()
        .unwrap()
        .stream(&request())
        .await
        .unwrap();
    deltas.next().await.unwrap().unwrap();
    drop(deltas);
    server.closed(1).await;
}

#[tokio::test]
async fn a_request_is_sent_again_only_before_its_answer_has_begun() {
    let busy = |status, headers: &str| Reply::Send(vec![answer(status, headers, "{}")]);
    let done = || stream(&format!("{}data: [DONE]\n\n", events(&CHUNKS)));
    let replies = vec![
        busy(429, "retry-after: 0\r\n"),
        busy(503, ""),
        Reply::HangUp,
        // The head of an answer is no answer yet.
        Reply::Send(vec![
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec(),
        ]),
        Reply::Send(vec![done()]),
        Reply::Send(vec![stream(&events(&CHUNKS[..3]))]),
    ];
    let mut server = Server::start(replies).await;
    let notices = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&notices);
    let model = client(&server)
        .retry(RetryPolicy::default().first_wait(Duration::from_millis(1)))
        .on_retry(move |notice| seen.lock().unwrap().push(notice.error.kind().clone()))
        .build()
        .unwrap();
    check(&gather(&model).await.unwrap());
    let rate_limited = ErrorKind::RateLimited {
        retry_after: Some(Duration::ZERO),
    };
    let expected = [
        rate_limited,
        ErrorKind::Overloaded { retry_after: None },
        ErrorKind::Transport,
        ErrorKind::Transport,
    ];
    assert_eq!(*notices.lock().unwrap(), expected);
    assert_eq!(
        *gather(&model).await.unwrap_err().kind(),
        ErrorKind::Interrupted
    );
    server.closed(6).await;
    assert_eq!(
        (server.requests().len(), notices.lock().unwrap().len()),
        (6, 4)
    );
}

#[tokio::test]
async fn refusals_say_what_to_change_and_never_show_the_key() {
    let json = "content-type: application/json\r\n";
    let said = |message: &str, code: &str| {
        json!({"error": {"message": message, "type": "x", "code": code}}).to_string()
    };
    let page = "<html><title>502 Bad Gateway</title></html>";
    let cases = [
        (
            answer(401, json, &said(&format!("bad key {KEY}"), "k")),
            ErrorKind::Auth,
            "key",
        ),
        (
            answer(404, json, &said("no model x", "n")),
            ErrorKind::BadRequest,
            "model's name",
        ),
        (
            answer(429, json, &said("You exceeded", "insufficient_quota")),
            ErrorKind::OutOfCredits,
            "credit",
        ),
        (
            answer(400, json, &said("too many", "context_length_exceeded")),
            ErrorKind::ContextTooLong,
            "longer",
        ),
        (
            answer(400, json, &said("no", "content_policy_violation")),
            ErrorKind::ContentFiltered,
            "refuses",
        ),
        (
            answer(502, "content-type: text/html\r\n", page),
            ErrorKind::Overloaded { retry_after: None },
            "502 Bad Gateway",
        ),
        (
            answer(307, "location: http://elsewhere.example/x\r\n", ""),
            ErrorKind::BadRequest,
            "elsewhere.example",
        ),
        (
            answer(200, "content-type: text/html\r\n", page),
            ErrorKind::Interrupted,
            "cut",
        ),
        (
            answer(200, json, page),
            ErrorKind::Decode,
            "OpenAI-compatible",
        ),
        (
            stream(&events(&[&said(&format!("no {KEY}"), "rate_limit")])),
            ErrorKind::Overloaded { retry_after: None },
            "no",
        ),
    ];
    for (reply, kind, words) in cases {
        let server = Server::start(vec![Reply::Send(vec![reply])]).await;
        let model = client(&server).build().unwrap();
        let error = gather(&model).await.unwrap_err();
        let text = format!("{error} {error:?} {model:?} {:?}", client(&server));
        assert_eq!(*error.kind(), kind, "{text}");
        assert!(text.contains(words), "{text}");
        assert!(!text.contains(KEY), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_as_such() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", free.local_addr().unwrap());
    drop(free);
    let model = OpenAiChat::builder(url, "m")
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    let error = model.complete(&request()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Transport);
    assert!(error.to_string().contains("cannot be reached"));
}

#[test]
fn what_cannot_be_a_client_is_refused_at_once() {
    let cases = [
        ("localhost:8000/v1", "m", "key-0123", "http://"),
        ("not a url", "m", "key-0123", "base URL"),
        ("http://user:pw@host/v1", "m", "key-0123", "user name"),
        ("http://host/v1", " ", "key-0123", "name of the model"),
        ("http://host/v1", "m", "key\nwith-line", "characters"),
    ];
    for (url, model, key, words) in cases {
        let error = OpenAiChat::builder(url, model)
            .key(key)
            .build()
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::BadRequest);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!format!("{error:?}").contains(key), "{error:?}");
    }
}

#[tokio::test]
async fn a_conversation_is_sent_as_servers_want_it() {
    let server = Server::start(vec![Reply::Send(vec![answer(
        200,
        "content-type: application/json\r\n",
        WHOLE,
    )])])
    .await;
    let call = ToolCall::new(CallId::new("c1"), "look", "");
    let mut result = ToolResult::text(&call, "seen");
    result
        .content
        .push(Content::Image("data:image/png;base64,AA==".into()));
    let messages = vec![
        Message::system("be brief"),
        Message::new(
            Role::User,
            vec!["what?".into(), Content::Image("http://x/y.png".into())],
        ),
        Message::new(Role::Assistant, vec![Content::ToolCall(call)]),
        Message::tool(result),
        Message::user("and now?"),
    ];
    let tool = ToolSpec::new("look", "looks", json!({"type": "object"}));
    let request = ChatRequest::new(messages)
        .tools([tool])
        .max_tokens(50)
        .temperature(0.5)
        .stop("END")
        .seed(7);
    let model = client(&server).extra("temperature", 0.25).build().unwrap();
    model.complete(&request).await.unwrap();

    let head = server.requests()[0].to_lowercase();
    assert!(
        head.starts_with("post /v1/chat/completions http/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains(&format!("authorization: bearer {}", KEY.to_lowercase())));
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    assert_eq!(
        server.body(0),
        json!({
            "model": "test-model",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [text("what?"), image("http://x/y.png")]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "c1", "content": "seen"},
                {"role": "user", "content": [
                    text("pictures of the results above:"),
                    image("data:image/png;base64,AA=="),
                ]},
                {"role": "user", "content": "and now?"},
            ],
            "tools": [{"type": "function", "function": {
                "name": "look", "description": "looks", "parameters": {"type": "object"},
            }}],
            "tool_choice": "auto",
            "max_tokens": 50,
            "temperature": 0.25,
            "stop": ["END"],
            "seed": 7,
        })
    );
}

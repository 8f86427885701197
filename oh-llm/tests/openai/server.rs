//! A server that plays a script over real sockets: each connection gets the next reply.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a connection does once it has read its request.
pub(crate) enum Reply {
    /// Sends these pieces, each in a write of its own, and closes.
    Send(Vec<Vec<u8>>),
    /// Sends the pieces and then nothing, until the client closes.
    Stall(Vec<Vec<u8>>),
    /// Closes without a word.
    HangUp,
}

pub(crate) struct Server {
    pub(crate) base_url: String,
    requests: Arc<Mutex<Vec<String>>>,
    closed: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let (closed, closed_seen) = watch::channel(0);
        let task = tokio::spawn(async move {
            for reply in replies {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read_request(&mut socket).await;
                seen.lock().unwrap().push(request);
                play(&mut socket, reply).await;
                closed.send_modify(|count| *count += 1);
            }
        });
        Self {
            base_url: format!("http://{address}/v1"),
            requests,
            closed: closed_seen,
            task,
        }
    }

    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The body of a request.
    pub(crate) fn body(&self, number: usize) -> serde_json::Value {
        let request = self.requests()[number].clone();
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// Waits until this many connections are over.
    pub(crate) async fn closed(&mut self, count: usize) {
        self.closed
            .wait_for(|closed| *closed >= count)
            .await
            .unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        assert!(
            socket.read_buf(&mut request).await.unwrap() > 0,
            "cut request"
        );
    }
}

async fn play(socket: &mut TcpStream, reply: Reply) {
    socket.set_nodelay(true).unwrap();
    let (pieces, stalls) = match reply {
        Reply::Send(pieces) => (pieces, false),
        Reply::Stall(pieces) => (pieces, true),
        Reply::HangUp => (Vec::new(), false),
    };
    for piece in pieces {
        // The client may have closed.
        if socket.write_all(&piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    if stalls {
        let mut rest = Vec::new();
        let gone = tokio::time::timeout(Duration::from_secs(30), socket.read_to_end(&mut rest));
        gone.await.expect("the client closes its connection").ok();
    } else {
        let _ = socket.shutdown().await;
    }
}

/// A streamed answer as one text.
pub(crate) fn stream(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    [head.as_bytes(), body.as_bytes()].concat()
}

/// An answer with a status, headers and a body.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// Events of Chat Completions, one for each JSON text.
pub(crate) fn events(chunks: &[&str]) -> String {
    chunks
        .iter()
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect()
}

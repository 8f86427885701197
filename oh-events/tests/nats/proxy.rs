//! A connection that can lose what the server answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Forwards connections to a port of this machine.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    cut: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicBool::new(false));
        let cuts = Arc::clone(&cut);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(forward(from_client, to_server, None));
                tokio::spawn(forward(from_server, to_client, Some(Arc::clone(&cuts))));
            }
        });
        Self { port, cut, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Loses the next thing that the server says, and the connection with it.
    pub(crate) fn lose_next_answer(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Whether an answer was lost since.
    pub(crate) fn has_lost_it(&self) -> bool {
        !self.cut.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Option<Arc<AtomicBool>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if cut
            .as_ref()
            .is_some_and(|cut| cut.swap(false, Ordering::SeqCst))
        {
            break;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}

//! A real nats-server, started on a free port of this machine.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions};
use futures::StreamExt;
use oh_core::SessionId;
use oh_events::store::NatsStore;
use tempfile::TempDir;

/// A server and its storage. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    folder: TempDir,
    config: PathBuf,
    process: Option<Child>,
}

impl Server {
    /// Starts a server with a limit of its messages; `None`, with a word about it, where the
    /// program is not installed.
    pub(crate) async fn with_max_payload(bytes: usize) -> Option<Self> {
        if !is_installed() {
            let missing = "nats-server is not installed; on Debian, `apt-get install nats-server`";
            let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!is_ci, "{missing}");
            println!("skipped, because {missing}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("nats.conf");
        std::fs::write(&config, format!("max_payload: {bytes}\n")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut server = Self {
            port,
            folder,
            config,
            process: None,
        };
        server.start().await;
        Some(server)
    }

    pub(crate) async fn new() -> Option<Self> {
        Self::with_max_payload(1024 * 1024).await
    }

    /// Starts the process on the storage that is there, and waits until it answers.
    pub(crate) async fn start(&mut self) {
        self.run(&["-js", "-sd", "jetstream"]).await;
    }

    /// Starts the process without its streams, as it is while it reads them.
    pub(crate) async fn start_without_streams(&mut self) {
        self.run(&[]).await;
    }

    async fn run(&mut self, options: &[&str]) {
        let process = Command::new("nats-server")
            .current_dir(self.folder.path())
            .args(["-a", "127.0.0.1", "-p"])
            .arg(self.port.to_string())
            .args(options)
            .arg("-c")
            .arg(&self.config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        // It listens once its streams are there.
        self.connect().await;
    }

    /// Kills the process, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Client {
        connect(self.port).await
    }

    pub(crate) async fn context(&self) -> Context {
        jetstream::new(self.connect().await)
    }

    /// A store on a connection of its own.
    pub(crate) async fn store(&self) -> NatsStore {
        NatsStore::new(self.context().await).request_timeout(Duration::from_millis(500))
    }

    /// Name of the stream that holds the events of a session.
    pub(crate) async fn events_stream(&self, session: &SessionId) -> String {
        let mut names = self.context().await.stream_names();
        let prefix = format!("oh-events-{session}-");
        while let Some(name) = names.next().await {
            let name = name.unwrap();
            if name.starts_with(&prefix) {
                return name;
            }
        }
        panic!("no stream of {session}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Connects as soon as something listens.
pub(crate) async fn connect(port: u16) -> Client {
    loop {
        let connected = ConnectOptions::new()
            .reconnect_delay_callback(|_| Duration::from_millis(20))
            .connect(format!("127.0.0.1:{port}"))
            .await;
        match connected {
            Ok(client) => return client,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

fn is_installed() -> bool {
    Command::new("nats-server")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

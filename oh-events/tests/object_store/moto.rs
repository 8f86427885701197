//! A server that speaks the protocol of S3: `moto`, installed by `tests/python/install-moto`.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// A running server, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Moto {
    server: Child,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
}

fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("OH_MOTO") {
        return folder.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(
        || Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    cache.join("oh-ci/moto")
}

impl Moto {
    /// Starts a server on a free port. `None`, with a word about it, if it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let folder = folder();
        if !folder.join("complete").exists() {
            let missing = "moto is not installed; run `bash tests/python/install-moto`";
            let is_ci = env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!is_ci, "{missing}");
            println!("skipped, because {missing}");
            return None;
        }
        // The shell joins its two outputs and becomes the server.
        let mut server = Command::new("sh")
            .args(["-c", "exec \"$0\" -H 127.0.0.1 -p 0 2>&1"])
            .arg(folder.join("bin/moto_server"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let mut said = String::new();
        let url = loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap() == 0 {
                panic!("moto ended: {said}");
            }
            if let Some((_, url)) = line.split_once("Running on ") {
                break url.trim().to_owned();
            }
            said.push_str(&line);
        };
        // It reports each request, and stops once no one reads that.
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Some(Self { server, url })
    }

    /// Makes a bucket.
    pub(crate) fn bucket(&self, name: &str) {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(address).unwrap();
        let request = format!(
            "PUT /{name} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

//! The process that is killed: it writes until then, and says what was acknowledged.

use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Command, Stdio};

use bytes::Bytes;
use oh_core::action::MessageAction;
use oh_core::{Draft, EventId, SessionId, Source, Timestamp, codec};
use oh_events::store::blob::BlobStore;
use oh_events::{Encoded, EventStore, EventStream, Snapshot, Writer};

use crate::plan::{Chance, Plan, Work};

const APPENDERS: u64 = 3;

/// The appender whose events are large.
const LARGE: u64 = 9;

pub(crate) fn session() -> SessionId {
    SessionId::new("crash").unwrap()
}

/// Names an event, and fills it to a size that follows from its name: now and then a large one,
/// in the middle of whose write a process can die.
pub(crate) fn text(nonce: u64, appender: u64, number: u64) -> String {
    let size = match (number * 7 + appender) % 23 {
        _ if appender == LARGE => 250_000,
        0 => 40_000,
        n => n as usize * 60,
    };
    name(nonce, appender, number) + &"x".repeat(size)
}

/// What a snapshot of the events before an id holds.
pub(crate) fn folded(next: u64) -> String {
    format!("folded/{next}/{}", "y".repeat(next as usize * 97 % 40_000))
}

/// What a blob of this number holds.
pub(crate) fn blob_text(number: u64) -> String {
    format!("blob {number} ").repeat(1 + number as usize * 31 % 900)
}

pub(crate) fn write_until_killed(plan: &Plan) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        match plan.work {
            Work::Stream => write_stream(plan).await,
            Work::Log => write_log(plan).await,
            Work::Large => write_large(plan).await,
        }
    });
}

fn acknowledge(id: EventId, appender: u64, number: u64) {
    println!("ack {id} {appender} {number}");
}

async fn write_stream(plan: &Plan) {
    let stream = EventStream::builder(plan.store(), session())
        .durability(plan.policy.durability())
        .open()
        .await
        .unwrap();
    let appenders = (0..APPENDERS).map(|appender| {
        let (stream, nonce) = (stream.clone(), plan.nonce);
        async move {
            for number in 0.. {
                let mut content = text(nonce, appender, number);
                if appender == 0 && number % 3 == 0 {
                    content = write_blob(&*stream.blobs().unwrap(), number).await + &content;
                }
                let message = MessageAction::new(content);
                let id = stream.append(Source::Agent, message).await.unwrap();
                acknowledge(id, appender, number);
                tokio::task::yield_now().await;
            }
        }
    });
    futures::future::join_all(appenders).await;
}

async fn write_log(plan: &Plan) {
    let writer = Writer::new("child").durability(plan.policy.durability());
    let log = plan.store().open(&session(), writer).await.unwrap();
    let mut chance = Chance::new(plan.nonce, 0);
    let mut number = 0;
    loop {
        let count = if log_takes_batches(plan) {
            1 + chance.below(4)
        } else {
            1
        };
        let first = log.next();
        let mut batch = Vec::new();
        for at in 0..count {
            let mut content = text(plan.nonce, 0, number + at);
            if chance.one_in(4) {
                content = write_blob(&*log.blobs().unwrap(), number).await + &content;
            }
            let id = EventId(first.0 + at);
            let draft = Draft::new(Source::Agent, MessageAction::new(content));
            let event = draft.into_event(id, Timestamp::from_micros(0));
            batch.push(Encoded::new(id, codec::encode_event(&event)).unwrap());
        }
        log.append(first, log.epoch(), &batch).await.unwrap();
        for event in &batch {
            acknowledge(event.id(), 0, number);
            number += 1;
        }
        if chance.one_in(5) {
            let next = log.next();
            let snapshot = Snapshot::new(next, folded(next.0));
            log.save_snapshot(&snapshot).await.unwrap();
        }
    }
}

async fn write_large(plan: &Plan) {
    let writer = Writer::new("child").durability(plan.policy.durability());
    let log = plan.store().open(&session(), writer).await.unwrap();
    let message = MessageAction::new(text(plan.nonce, LARGE, 0));
    let event =
        Draft::new(Source::Agent, message).into_event(EventId(0), Timestamp::from_micros(0));
    let first = codec::encode_event(&event);
    let mut number = 0;
    loop {
        // Made ahead: making them takes longer than writing them.
        let events: Vec<_> = (0..5)
            .map(|at| {
                let id = EventId(log.next().0 + at);
                let json = first
                    .replacen("\"id\":0", &format!("\"id\":{id}"), 1)
                    .replace(
                        &name(plan.nonce, LARGE, 0),
                        &name(plan.nonce, LARGE, number + at),
                    );
                Encoded::new(id, json).unwrap()
            })
            .collect();
        for event in events {
            let id = event.id();
            log.append(id, log.epoch(), &[event]).await.unwrap();
            acknowledge(id, LARGE, number);
            number += 1;
        }
    }
}

fn name(nonce: u64, appender: u64, number: u64) -> String {
    format!("{nonce}/{appender}/{number}/")
}

/// With a sync for each event a batch is one event.
fn log_takes_batches(plan: &Plan) -> bool {
    plan.policy.durability() != oh_events::Durability::Each
}

/// Writes a blob and names it, as the beginning of an event.
async fn write_blob(blobs: &dyn BlobStore, number: u64) -> String {
    let mut blob = blobs.create().await.unwrap();
    for piece in blob_text(number).as_bytes().chunks(2_000) {
        blob.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let blob = blob.finish().await.unwrap();
    format!("[{} {number}]", blob.id)
}

/// The process as the one that kills it sees it.
pub(crate) struct Child {
    process: std::process::Child,
    output: Lines<BufReader<ChildStdout>>,
    acks: Vec<Ack>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    pub(crate) id: u64,
    pub(crate) appender: u64,
    pub(crate) number: u64,
}

impl Child {
    pub(crate) fn start(plan: &Plan) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_writes_until_it_is_killed", "--nocapture"])
            .envs([plan.variable()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            output,
            acks: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until so many events were acknowledged.
    pub(crate) fn acknowledged(&mut self, count: usize) {
        while self.acks.len() < count {
            let line = self.output.next().expect("the child lives").unwrap();
            self.acks.extend(ack(&line));
        }
    }

    /// Kills it, and returns what it had acknowledged.
    pub(crate) fn kill(mut self) -> Vec<Ack> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // What it had still written to the pipe; the last line can be cut.
        let mut rest: Vec<String> = self.output.map(Result::unwrap).collect();
        rest.pop();
        self.acks.extend(rest.iter().filter_map(|line| ack(line)));
        self.acks
    }
}

fn ack(line: &str) -> Option<Ack> {
    // The harness prints lines of its own, also before the first one on the same line.
    let (_, line) = line.split_once("ack ")?;
    let mut numbers = line.split(' ').map(str::parse);
    Some(Ack {
        id: numbers.next()?.ok()?,
        appender: numbers.next()?.ok()?,
        number: numbers.next()?.ok()?,
    })
}

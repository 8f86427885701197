//! Follows an event log from its first event: what happened, when, and what it answers.
//!
//! `cargo run --example event_viewer -- DIRECTORY SESSION` shows a log that was written before
//! (the quickstart prints its directory; its session is `quickstart`). Without arguments it writes
//! a log, and follows it while it is written.
#![allow(clippy::print_stdout)]

use oh_events::{Cursor, EventStream, EventViewer, Query, SegmentStore};
use oh_runtime::action::{MessageAction, RunAction};
use oh_runtime::event::Event;
use oh_runtime::observation::RunObservation;
use oh_runtime::{EventBody, Exit, Observation, Result, SessionId, Source, escape_for_terminal};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [directory, session] => show_stored(directory, SessionId::new(session)?).await,
        [] => follow_live().await,
        _ => {
            println!("usage: event_viewer [DIRECTORY SESSION]");
            Ok(())
        }
    }
}

/// Opens a log for reading; its writer may be at work in another process.
async fn show_stored(directory: &str, session: SessionId) -> Result<()> {
    let viewer = EventViewer::open(&SegmentStore::new(directory), &session).await?;
    let mut events = viewer.events(Query::default());
    while let Some(event) = events.next().await {
        show(&*event?);
    }
    Ok(())
}

/// A subscription first replays what is there and then follows, without a gap between the two.
async fn follow_live() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("oh-event-viewer-{}", std::process::id()));
    let session = SessionId::new("sample")?;
    let stream = EventStream::builder(SegmentStore::new(&directory), session)
        .open()
        .await?;
    stream
        .append(Source::User, MessageAction::new("what time is it?"))
        .await?;
    let mut events = stream.subscribe(Cursor::Start);
    let follower: tokio::task::JoinHandle<Result<()>> = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            show(&*event?);
        }
        Ok(())
    });
    let action = stream
        .append(Source::Agent, RunAction::new("date +%H:%M"))
        .await?;
    let answer = RunObservation::ended("12:00", "date +%H:%M", Exit::Code(0));
    stream.reply(action, answer).await?;
    stream
        .append(Source::Agent, MessageAction::new("It is noon."))
        .await?;
    stream.close().await?;
    follower.await.unwrap_or(Ok(()))?;
    println!("the log: {}", directory.display());
    Ok(())
}

fn show(event: &Event) {
    let cause = event
        .cause
        .map_or_else(String::new, |cause| format!(" answers #{cause}"));
    let text = match &event.body {
        EventBody::Action(action) => {
            message_of(event).unwrap_or_else(|| oh_runtime::codec::encode_action(action))
        }
        EventBody::Observation(Observation::AgentStateChanged(change)) => {
            change.agent_state.clone()
        }
        EventBody::Observation(observation) => observation.content().to_owned(),
        EventBody::Status(change) => change.status.to_string(),
        EventBody::Note(note) => note.text.clone(),
        _ => String::new(),
    };
    let line = text.lines().next().unwrap_or_default();
    let shown: String = escape_for_terminal(line.as_bytes())
        .chars()
        .take(100)
        .collect();
    println!(
        "#{} {} {:?} {}{cause}: {shown}",
        event.id,
        event.time,
        event.source,
        event.body.kind()
    );
}

/// The sentence about an action that stands in its JSON.
fn message_of(event: &Event) -> Option<String> {
    let json = oh_runtime::codec::event_to_value(event);
    let message = json.get("message")?.as_str()?;
    (!message.is_empty()).then(|| message.to_owned())
}

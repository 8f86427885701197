//! A session as a timeline: what happened, when, what it answers and how long that took.
//!
//! `cargo run --example event_viewer -- DIR` shows the log that lies in `DIR`: the directory of a
//! `SegmentStore`, or of one session in it; `DIR SESSION` chooses one of several. `--follow` goes on
//! with what a live session writes, `--hidden` shows hidden events too. Without arguments it writes
//! a log, and follows it meanwhile. Colours are left out where `NO_COLOR` is set or no terminal is
//! there.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::{ExitCode, exit};

use oh_events::timeline::{Outcome, Timeline};
use oh_events::{Cursor, EventStore, EventStream, EventViewer, SegmentStore, Subscription};
use oh_runtime::action::{MessageAction, RunAction};
use oh_runtime::observation::RunObservation;
use oh_runtime::{Error, ErrorKind, Exit, Result, SessionId, Source, escape_for_terminal};

const USAGE: &str = "usage: event_viewer [--follow] [--hidden] [DIR [SESSION]]";

#[tokio::main]
async fn main() -> ExitCode {
    let (flags, places): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with('-'));
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    if has("--help") {
        write("0", USAGE);
        return ExitCode::SUCCESS;
    }
    let is_known = |flag: &String| ["--follow", "--hidden"].contains(&flag.as_str());
    let shown = match places.as_slice() {
        _ if !flags.iter().all(is_known) => Err(wrong("there is no such option")),
        [] if !has("--follow") => sample(has("--hidden")).await,
        [dir] => show(Path::new(dir), None, &has).await,
        [dir, session] => show(Path::new(dir), Some(session), &has).await,
        _ => Err(wrong("name a directory, and perhaps a session in it")),
    };
    let Err(error) = shown else {
        return ExitCode::SUCCESS;
    };
    let text = format!("{error}\n{USAGE}\n");
    let _ = std::io::stderr().write_all(escape_for_terminal(text.as_bytes()).as_bytes());
    ExitCode::from(2)
}

fn wrong(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "event_viewer").with_detail(detail.into())
}

/// Opens a log for reading; its writer may be at work in another process.
async fn show(dir: &Path, session: Option<&String>, has: &dyn Fn(&str) -> bool) -> Result<()> {
    let (store, session) = find(dir, session).await?;
    let viewer = match EventViewer::open(&store, &session).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let place = dir.display();
            return Err(wrong(format!("there is no session {session} in {place}")));
        }
        opened => opened?,
    };
    let events = viewer.subscribe(Cursor::Start);
    match has("--follow") {
        true => print(events, has("--hidden")).await,
        false => print(events.to(viewer.next()), has("--hidden")).await,
    }
}

async fn find(dir: &Path, session: Option<&String>) -> Result<(SegmentStore, SessionId)> {
    let (store, place) = (SegmentStore::new(dir), dir.display());
    if let Some(session) = session {
        return Ok((store, SessionId::new(session)?));
    }
    let sessions = store.sessions(None, 50).await?;
    if let [one] = sessions.as_slice() {
        return Ok((store, one.clone()));
    }
    if !sessions.is_empty() {
        let names: Vec<&str> = sessions.iter().map(SessionId::as_str).collect();
        let names = names.join(", ");
        return Err(wrong(format!(
            "{place} has several sessions; name one of {names}"
        )));
    }
    // The directory may be that of a session.
    if let Ok(whole) = dir.canonicalize()
        && let (Some(parent), Some(name)) = (whole.parent(), whole.file_name())
        && let Ok(session) = SessionId::new(name.to_string_lossy())
    {
        let store = SegmentStore::new(parent);
        if store.view(&session).await.is_ok() {
            return Ok((store, session));
        }
    }
    Err(wrong(format!("there is no session in {place}")))
}

/// A subscription first replays what is there and then follows, without a gap between the two.
async fn sample(hidden: bool) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("oh-event-viewer-{}", std::process::id()));
    let session = SessionId::new("sample")?;
    let stream = EventStream::builder(SegmentStore::new(&dir), session)
        .open()
        .await?;
    let question = MessageAction::new("what time is it?");
    stream.append(Source::User, question).await?;
    let follower = tokio::spawn(print(stream.subscribe(Cursor::Start), hidden));
    let action = RunAction::new("date +%H:%M");
    let action = stream.append(Source::Agent, action).await?;
    let answer = RunObservation::ended("12:00", "date +%H:%M", Exit::Code(0));
    stream.reply(action, answer).await?;
    let words = MessageAction::new("It is noon.");
    stream.append(Source::Agent, words).await?;
    stream.close().await?;
    follower.await.unwrap_or(Ok(()))?;
    write("0", &format!("the log: {}", dir.display()));
    Ok(())
}

async fn print(mut events: Subscription, hidden: bool) -> Result<()> {
    let mut timeline = Timeline::default();
    while let Some(event) = events.next().await {
        let entry = match event {
            Ok(event) => timeline.entry(&event),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                // The next event is the first behind the damage.
                write("31", &escape_for_terminal(error.to_string().as_bytes()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let colour = match entry.source {
            _ if entry.outcome == Outcome::Failed => "31",
            _ if entry.hidden => "2",
            Source::User => "32",
            Source::Agent => "36",
            _ => "0",
        };
        if hidden || !entry.hidden {
            write(colour, &entry.to_string());
        }
    }
    Ok(())
}

/// Writes an entry, its first line in a colour. Ends quietly when no one reads on.
fn write(colour: &str, text: &str) {
    let mut out = std::io::stdout();
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (first, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
    let text = match wanted && out.is_terminal() {
        true => format!("\x1b[{colour}m{first}\x1b[0m{rest}\n"),
        false => format!("{text}\n"),
    };
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        exit(0);
    }
}

//! An event stream on the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use oh_core::action::MessageAction;
use oh_core::{Action, AgentState, AgentTrigger, ErrorKind, Event, EventBody, EventId, Source};

use crate::conformance::check::{Check, Family, check};
use crate::conformance::expect::{Checked, End, ensure, expect_eq, expect_kind};
use crate::conformance::trial::{Trial, session};
use crate::store::EventStore;
use crate::stream::{Cursor, EventStream, EventViewer, Query, Subscription};

const FAMILY: Family = Family::Stream;

pub(super) const CHECKS: &[Check] = &[
    check!(a_stream_appended_to_by_many_is_followed_without_a_gap),
    check!(a_stream_goes_on_after_it_was_closed),
    check!(a_follower_that_fell_behind_catches_up_from_the_store),
    check!(a_viewer_from_elsewhere_follows),
    check!(a_closed_stream_takes_nothing_and_can_be_read),
];

const TASKS: usize = 8;
const EACH: usize = 15;

async fn open(trial: &Trial, store: &Arc<dyn EventStore>) -> Checked<EventStream> {
    let builder = EventStream::builder(Arc::clone(store), session("stream")?)
        // Far fewer than there will be: the rest comes from the store.
        .ring_events(16)
        .durability(trial.durability());
    Ok(builder.open().await?)
}

/// Appends from many tasks at once, and returns the ids that were acknowledged with their texts.
async fn append_from_many(stream: &EventStream) -> Checked<BTreeSet<(u64, String)>> {
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let stream = stream.clone();
        tasks.push(tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..EACH {
                let text = format!("{task}/{number}");
                let message = MessageAction::new(text.clone());
                let id = stream.append(Source::Agent, message).await?;
                acknowledged.push((id.0, text));
            }
            Ok(acknowledged)
        }));
    }
    let mut all = BTreeSet::new();
    for task in tasks {
        let done: oh_core::Result<Vec<_>> = task
            .await
            .map_err(|error| End::failed(format!("appending panicked: {error}")))?;
        all.extend(done?);
    }
    Ok(all)
}

fn text(event: &Event) -> String {
    match &event.body {
        EventBody::Action(Action::Message(message)) => message.content.clone(),
        body => body.kind().to_owned(),
    }
}

/// Takes this many events, whose ids follow one another.
async fn take(
    events: &mut Subscription,
    from: u64,
    count: usize,
) -> Checked<BTreeSet<(u64, String)>> {
    let mut taken = BTreeSet::new();
    for id in (from..).take(count) {
        let Some(event) = events.next().await else {
            return Err(End::failed(format!("the subscription ended before {id}")));
        };
        let event = event?;
        expect_eq("the id of the next event", event.id, EventId(id))?;
        taken.insert((id, text(&event)));
    }
    Ok(taken)
}

async fn a_stream_appended_to_by_many_is_followed_without_a_gap(trial: &Trial) -> Checked {
    let stream = open(trial, trial.store()).await?;
    let mut live = stream.subscribe(Cursor::Start);
    let follower = tokio::spawn(async move { take(&mut live, 0, TASKS * EACH).await });
    let acknowledged = append_from_many(&stream).await?;
    let ids: BTreeSet<u64> = acknowledged.iter().map(|(id, _)| *id).collect();
    expect_eq("the number of ids", ids.len(), TASKS * EACH)?;
    let followed = follower
        .await
        .map_err(|error| End::failed(format!("following panicked: {error}")))??;
    ensure!(
        followed == acknowledged,
        "a follower saw other events than those that were acknowledged"
    );
    let mut late = stream.subscribe(Cursor::Start);
    let replayed = take(&mut late, 0, TASKS * EACH).await?;
    ensure!(
        replayed == acknowledged,
        "a replay differs from what was live"
    );
    Ok(stream.close().await?)
}

async fn a_stream_goes_on_after_it_was_closed(trial: &Trial) -> Checked {
    let stream = open(trial, trial.store()).await?;
    append_from_many(&stream).await?;
    stream.set_state(AgentTrigger::UserMessage).await?;
    let before = stream.read(Query::default()).await?;
    stream.close().await?;
    drop(stream);
    let other = trial.other().await?;
    let stream = open(trial, &other).await?;
    expect_eq("the agent's state", stream.state(), AgentState::Running)?;
    let after = stream.read(Query::default()).await?;
    ensure!(
        before == after,
        "the events differ after opening again: {} and {}",
        before.len(),
        after.len()
    );
    let next = stream.next();
    let id = stream
        .append(Source::User, MessageAction::new("further"))
        .await?;
    expect_eq("the id of the next event", id, next)?;
    let mut events = stream.subscribe(Cursor::From(id));
    take(&mut events, id.0, 1).await?;
    Ok(stream.close().await?)
}

async fn a_follower_that_fell_behind_catches_up_from_the_store(trial: &Trial) -> Checked {
    let stream = open(trial, trial.store()).await?;
    let mut slow = stream.subscribe(Cursor::Start);
    stream
        .append(Source::User, MessageAction::new("first"))
        .await?;
    take(&mut slow, 0, 1).await?;
    let acknowledged = append_from_many(&stream).await?;
    let caught_up = take(&mut slow, 1, TASKS * EACH).await?;
    ensure!(
        caught_up == acknowledged,
        "a slow follower saw other events than those that were acknowledged"
    );
    let latest = stream.read(Query::latest(20)).await?;
    let ids: Vec<u64> = latest.iter().map(|event| event.id.0).collect();
    let last = (TASKS * EACH) as u64;
    let wanted: Vec<u64> = (0..20).map(|back| last - back).collect();
    expect_eq("the ids of the latest 20", ids, wanted)?;
    Ok(stream.close().await?)
}

async fn a_viewer_from_elsewhere_follows(trial: &Trial) -> Checked {
    let stream = open(trial, trial.store()).await?;
    let id = stream
        .append(Source::User, MessageAction::new("first"))
        .await?;
    let other = trial.other().await?;
    let reader = other.view(stream.session()).await?;
    if let Err(error) = reader.wait_past(id).await
        && error.kind() == ErrorKind::Unsupported
    {
        return Err(End::unsupported("the store cannot follow a log"));
    }
    let viewer = EventViewer::open(&other, stream.session()).await?;
    let mut events = viewer.subscribe(Cursor::Start);
    take(&mut events, 0, 1).await?;
    let follower = tokio::spawn(async move { take(&mut events, 1, TASKS * EACH).await });
    let acknowledged = append_from_many(&stream).await?;
    let followed = follower
        .await
        .map_err(|error| End::failed(format!("following panicked: {error}")))??;
    ensure!(
        followed == acknowledged,
        "a viewer saw other events than those that were acknowledged"
    );
    Ok(stream.close().await?)
}

async fn a_closed_stream_takes_nothing_and_can_be_read(trial: &Trial) -> Checked {
    let stream = open(trial, trial.store()).await?;
    let acknowledged = append_from_many(&stream).await?;
    stream.close().await?;
    let appended = stream
        .append(Source::User, MessageAction::new("late"))
        .await;
    expect_kind("appending to a closed stream", appended, ErrorKind::Gone)?;
    let found = stream.read(Query::default()).await?;
    let found: BTreeSet<_> = found
        .iter()
        .map(|event| (event.id.0, text(event)))
        .collect();
    ensure!(
        found == acknowledged,
        "a closed stream holds other events than those that were acknowledged"
    );
    Ok(())
}

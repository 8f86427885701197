//! The main job: a task goes in, a model asks for tool calls, the local runtime runs them in a
//! fresh workspace, every step is an event in a durable log.
//!
//! `cargo run --example quickstart` plays a script, so it needs no key and no network. With
//! `OH_LLM_BASE_URL`, `OH_LLM_MODEL` and, where it is wanted, `OH_LLM_API_KEY` it is a small agent
//! on any OpenAI-compatible server: `cargo run --example quickstart -- "task"`.
#![allow(clippy::print_stdout)]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use oh_events::{EventStream, Live, Query, SegmentStore};
use oh_llm::{ChatModel, ChatRequest, OpenAiChat, Script, ScriptedModel, Transcript};
use oh_runtime::action::MessageAction;
use oh_runtime::event::Draft;
use oh_runtime::message::Message;
use oh_runtime::observation::FailureObservation;
use oh_runtime::tool::{ToolSpec, builtin_spec};
use oh_runtime::{
    Action, AgentState, AgentTrigger, ErrorKind, Executor, LocalRuntime, Observation, Runtime,
    RuntimeExt, SessionId, Source, TerminalEscaper,
};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const TASK: &str = "write a Python script that prints the squares of 1 to 10, and run it";
const INSTRUCTIONS: &str = "You work in a sandbox. Use the tools; call finish when you are done.";
const MAX_STEPS: usize = 20;

#[tokio::main]
async fn main() -> Result<()> {
    let task = std::env::args().nth(1).unwrap_or_else(|| TASK.to_owned());
    let place = std::env::temp_dir().join(format!("oh-quickstart-{}", std::process::id()));
    std::fs::create_dir_all(place.join("workspace"))?;

    // Where actions run, where events are kept, and who turns the one into the other.
    let runtime = Arc::new(
        LocalRuntime::builder(place.join("workspace"))
            .start()
            .await?,
    );
    let session = SessionId::new("quickstart")?;
    let stream = EventStream::builder(SegmentStore::new(place.join("log")), session)
        .open()
        .await?;
    let executor = tokio::spawn(
        Executor::builder(stream.clone(), runtime.clone())
            .build()?
            .run(),
    );
    let live = tokio::spawn(show_live(stream.clone()));

    let model = choose_model(&runtime, &task).await?;
    println!("task: {task}\nmodel: {}\n", model.id());

    stream.set_state(AgentTrigger::Loaded).await?;
    stream
        .append(Source::User, MessageAction::new(task))
        .await?;
    stream.set_state(AgentTrigger::UserMessage).await?;
    let outcome = control(&stream, &*model).await;
    if outcome.is_err() && stream.state() == AgentState::Running {
        stream.set_state(AgentTrigger::Fail).await?;
    }

    println!("\nstate: {}", stream.state());
    let log = place.join("log");
    println!("event log: {}", log.display());
    println!(
        "  cargo run --example event_viewer -- {} quickstart",
        log.display()
    );
    println!("workspace: {}", place.join("workspace").display());
    stream.close().await?;
    executor.await??;
    live.await?;
    runtime.close().await?;
    outcome
}

/// The controller: asks the model, appends its actions, waits for their observations.
async fn control(stream: &EventStream, model: &dyn ChatModel) -> Result<()> {
    for _ in 0..MAX_STEPS {
        let thinking = Instant::now();
        let events = stream.read(Query::default()).await?;
        let mut messages = vec![Message::system(INSTRUCTIONS)];
        messages.extend(Transcript::from_events(events.iter().map(|event| &**event)));
        let completion = model
            .complete(&ChatRequest::new(messages).tools(tools()))
            .await
            .map_err(|error| advice(&error))?;
        println!("model ({:.1?}): {}", thinking.elapsed(), completion.text());

        for call in completion.tool_calls() {
            let metadata = completion.tool_metadata(call);
            let action = match Action::from_tool_call(call) {
                Ok(action) => action,
                Err(error) => {
                    // What was wrong goes back to the model as the result of its call.
                    let failure =
                        FailureObservation::new(error.to_string(), ErrorKind::InvalidInput);
                    let draft = Draft::new(Source::Environment, Observation::from(failure));
                    stream.append_draft(draft.tool(metadata)).await?;
                    continue;
                }
            };
            if let Action::Finish(finish) = &action {
                println!("finished: {}", finish.final_thought);
                stream
                    .append_draft(Draft::new(Source::Agent, action).tool(metadata))
                    .await?;
                stream.set_state(AgentTrigger::Finish).await?;
                return Ok(());
            }
            let start = Instant::now();
            println!("action: {} {}", call.name, call.arguments);
            let draft = Draft::new(Source::Agent, action).tool(metadata);
            let id = stream.append_draft(draft).await?;
            let answer = stream.reply_to(id).await?;
            if let Some(observation) = answer.body.as_observation() {
                let said = match observation {
                    Observation::Run(run) => run.metadata.suffix.trim(),
                    other => other.content().lines().next().unwrap_or_default(),
                };
                let took = start.elapsed();
                println!("{} ({took:.1?}): {said}", observation.kind());
            }
        }
        if completion.tool_calls().next().is_none() {
            stream
                .append(Source::Agent, MessageAction::new(completion.text()))
                .await?;
            stream.set_state(AgentTrigger::AwaitInput).await?;
            return Ok(());
        }
    }
    Err(format!("not finished after {MAX_STEPS} steps").into())
}

fn tools() -> Vec<ToolSpec> {
    ["execute_bash", "str_replace_editor", "think", "finish"]
        .into_iter()
        .filter_map(|name| builtin_spec(name).cloned())
        .collect()
}

/// Shows output of commands while they run; a terminal must not act on what they print.
async fn show_live(stream: EventStream) {
    let mut deltas = stream.deltas();
    let mut escaper = TerminalEscaper::new();
    while let Some(item) = deltas.next().await {
        match item {
            Live::Delta(delta) => print!("{}", escaper.push(&delta.data)),
            Live::Lost { bytes, .. } => print!("[{bytes} bytes were not shown]"),
            _ => {}
        }
        let _ = std::io::stdout().flush();
    }
}

/// The model that the environment names, or the script.
async fn choose_model(runtime: &LocalRuntime, task: &str) -> Result<Box<dyn ChatModel>> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (url, model) = (variable("OH_LLM_BASE_URL"), variable("OH_LLM_MODEL"));
    if let (Some(url), Some(model)) = (&url, &model) {
        let mut builder = OpenAiChat::builder(url, model).on_retry(|notice| {
            println!("{}; trying again in {:.1?}", notice.error, notice.wait);
        });
        if let Some(key) = variable("OH_LLM_API_KEY") {
            builder = builder.key(key);
        }
        return Ok(Box::new(builder.build().map_err(|error| advice(&error))?));
    }
    if url.is_some() || model.is_some() {
        let missing = "set both OH_LLM_BASE_URL and OH_LLM_MODEL for a real model (and \
                       OH_LLM_API_KEY if it wants a key), or none of them for the script";
        return Err(missing.into());
    }
    if task != TASK {
        let unknown = "the scripted model knows one task only: run the example without one, or \
                       set OH_LLM_BASE_URL and OH_LLM_MODEL for a real model";
        return Err(unknown.into());
    }
    scripted_model(runtime).await
}

/// What to change, by the names that were set here.
fn advice(error: &oh_llm::Error) -> String {
    match error.kind() {
        oh_llm::ErrorKind::Auth => format!("{error}: look at OH_LLM_API_KEY"),
        oh_llm::ErrorKind::BadRequest | oh_llm::ErrorKind::Decode => {
            format!("{error}: look at OH_LLM_BASE_URL and OH_LLM_MODEL")
        }
        oh_llm::ErrorKind::Transport => format!("{error}: look at OH_LLM_BASE_URL"),
        _ => error.to_string(),
    }
}

/// Plays the script in Python, or in sh where there is no Python.
async fn scripted_model(runtime: &LocalRuntime) -> Result<Box<dyn ChatModel>> {
    let has_python = runtime.shell("command -v python3").await?.is_success();
    let name = if has_python {
        "squares_python.json"
    } else {
        "squares_sh.json"
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name);
    let script = std::fs::read_to_string(&path)?;
    Ok(Box::new(ScriptedModel::new(Script::from_json(&script)?)))
}

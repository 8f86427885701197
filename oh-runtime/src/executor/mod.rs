//! From action events to observation events: the part of an agent that executes.
//!
//! An [`Executor`] follows an event stream. For each action it checks permissions, limits and
//! policy, carries it out on a runtime, and appends one observation that names the action as its
//! cause. It calls no model and never decides what comes next: that is the host's controller.
//!
//! ```no_run
//! use std::sync::Arc;
//! use oh_events::{EventStream, MemoryStore};
//! use oh_runtime::action::RunAction;
//! use oh_runtime::{Executor, LocalRuntime, SessionId, Source};
//!
//! # async fn example() -> oh_runtime::Result<()> {
//! let session = SessionId::new("example")?;
//! let stream = EventStream::builder(MemoryStore::new(), session).open().await?;
//! let runtime = Arc::new(LocalRuntime::builder(".").start().await?);
//! let executor = Executor::builder(stream.clone(), runtime).build()?;
//! let running = tokio::spawn(executor.run());
//!
//! let action = stream.append(Source::Agent, RunAction::new("cargo test")).await?;
//! let answer = stream.reply_to(action).await?;
//! println!("{}", answer.body.as_observation().map_or("", |o| o.content()));
//!
//! stream.close().await?;
//! # running.await.ok();
//! # Ok(())
//! # }
//! ```

mod approval;
mod builder;
mod end;
mod hold;
mod limits;
mod recover;
mod run;
mod tap;

pub use builder::{Executor, ExecutorBuilder};
pub use limits::{ActionLimits, Permissions};

//! From action events to observation events: the part of an agent that executes.
//!
//! An [`Executor`] follows an event stream. For each action it checks permissions, limits and
//! policy, carries it out on a runtime, and appends one observation that names the action as its
//! cause. It calls no model and never decides what comes next: that is the host's controller.
//!
//! # Approval
//!
//! Where the policy asks, the executor appends a question
//! ([`ConfirmAction`](crate::action::ConfirmAction) of step
//! [`Question`](crate::action::ConfirmStep::Question), which names the action and holds the words)
//! and waits. A person answers with an event of
//! [`Source::User`](crate::Source::User): the same kind, naming the same action, with step
//! [`Approved`](crate::action::ConfirmStep::Approved) or
//! [`Refused`](crate::action::ConfirmStep::Refused). An agent's own answer does not count.
//!
//! ```no_run
//! # use oh_runtime::action::{ConfirmAction, ConfirmStep};
//! # use oh_runtime::events::EventStream;
//! # async fn answer(stream: &EventStream, action: oh_runtime::EventId) -> oh_runtime::Result<()> {
//! let answer = ConfirmAction::new(action, ConfirmStep::Approved);
//! stream.append(oh_runtime::Source::User, answer).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Example
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
mod masked;
mod recover;
mod run;
mod tap;

pub use builder::{Executor, ExecutorBuilder};
pub use limits::{ActionLimits, Permissions};

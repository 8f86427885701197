//! How an executor is set up.

use std::sync::Arc;

use oh_core::execute::{DispatchOptions, Dispatcher};
use oh_core::policy::{AllowAll, Policy};
use oh_core::{Result, Runtime};
use oh_events::{Claim, EventStream};

use super::limits::{ActionLimits, Permissions};

/// Executes the actions of one event stream on one runtime.
///
/// A stream has at most one executor; it is free again when the executor is dropped.
///
/// It carries out what the log holds, in which secrets are masked: an action that spells one out
/// is refused, since a shell would read the mask as redirections. Give secrets to commands
/// by [`set_env`](crate::Runtime::set_env) and let the command name the variable.
#[derive(Debug)]
pub struct Executor {
    pub(super) stream: EventStream,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) policy: Arc<dyn Policy>,
    pub(super) permissions: Permissions,
    pub(super) limits: ActionLimits,
    pub(super) dispatcher: Dispatcher,
    pub(super) claim: Claim,
}

impl Executor {
    /// Sets up an executor that allows everything.
    pub fn builder(stream: EventStream, runtime: Arc<dyn Runtime>) -> ExecutorBuilder {
        ExecutorBuilder {
            stream,
            runtime,
            policy: Arc::new(AllowAll),
            permissions: Permissions::all(),
            limits: ActionLimits::default(),
            dispatch: DispatchOptions::default(),
        }
    }
}

/// Sets up an [`Executor`].
#[derive(Debug)]
pub struct ExecutorBuilder {
    stream: EventStream,
    runtime: Arc<dyn Runtime>,
    policy: Arc<dyn Policy>,
    permissions: Permissions,
    limits: ActionLimits,
    dispatch: DispatchOptions,
}

impl ExecutorBuilder {
    /// Sets who decides about actions. Default: [`AllowAll`].
    #[must_use]
    pub fn policy(mut self, policy: impl Policy + 'static) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Sets the kinds of actions that are carried out. Default: all.
    #[must_use]
    pub fn permissions(mut self, permissions: Permissions) -> Self {
        self.permissions = permissions;
        self
    }

    /// Sets upper bounds of what an action may ask for.
    #[must_use]
    pub fn limits(mut self, limits: ActionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how actions are carried out where they leave it open.
    #[must_use]
    pub fn dispatch(mut self, options: DispatchOptions) -> Self {
        self.dispatch = options;
        self
    }

    /// Takes the stream.
    ///
    /// # Errors
    /// [`Conflict`](oh_core::ErrorKind::Conflict) if the stream has an executor already.
    pub fn build(self) -> Result<Executor> {
        let claim = self.stream.claim("executor")?;
        Ok(Executor {
            stream: self.stream,
            runtime: self.runtime,
            policy: self.policy,
            permissions: self.permissions,
            limits: self.limits,
            dispatcher: Dispatcher::new(self.dispatch),
            claim,
        })
    }
}

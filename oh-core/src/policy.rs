//! Who decides whether an action may be executed.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::action::{Action, SecurityRisk};
use crate::event::Source;
use crate::runtime::{Descriptor, Isolation};

/// Decides whether an action may be executed.
///
/// It is asked after the action was decoded and before anything is done. What it answers is data:
/// a denial becomes an observation, a question an event that the user answers.
#[async_trait]
pub trait Policy: Debug + Send + Sync {
    /// Decides about one action.
    ///
    /// A policy that cannot decide (a service that it asks does not answer) says so as
    /// [`Decision::Ask`] or [`Decision::Deny`].
    ///
    /// # Cancel safety
    /// A decision has no effect of its own: dropping the future leaves nothing behind.
    async fn decide(&self, action: &Action, context: &PolicyContext) -> Decision;
}

/// What a [`Policy`] says about an action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It is executed.
    Allow,
    /// It is not executed.
    Deny {
        /// Why, for the model: it can try something else.
        reason: String,
    },
    /// The user decides.
    Ask {
        /// What to ask the user.
        question: String,
    },
}

/// Where an action comes from and where it would be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyContext {
    /// Kind of the runtime, such as `local`.
    pub runtime_kind: String,
    /// What stands between the action and the host.
    pub isolation: Isolation,
    /// Who wants the action.
    pub source: Source,
}

impl PolicyContext {
    /// Describes an action of this source in the runtime of this descriptor.
    pub fn new(descriptor: &Descriptor, source: Source) -> Self {
        Self {
            runtime_kind: descriptor.kind.clone(),
            isolation: descriptor.isolation,
            source,
        }
    }
}

/// Allows everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

#[async_trait]
impl Policy for AllowAll {
    async fn decide(&self, _action: &Action, _context: &PolicyContext) -> Decision {
        Decision::Allow
    }
}

/// Denies everything that goes to a runtime; the agent can still talk, think and finish.
#[derive(Clone, Copy, Debug, Default)]
pub struct DenyAll;

#[async_trait]
impl Policy for DenyAll {
    async fn decide(&self, action: &Action, _context: &PolicyContext) -> Decision {
        if action.is_runnable() {
            Decision::Deny {
                reason: format!("the policy allows no {} action here", action.kind()),
            }
        } else {
            Decision::Allow
        }
    }
}

/// Asks the user from a certain risk on.
///
/// It looks at every kind that goes to a runtime (OpenHands V0 leaves out writes, browsing and
/// tools) and at all sources but the user. The risk is what the action states, which is the
/// model's own word unless an analyzer has set it.
#[derive(Clone, Copy, Debug)]
pub struct RiskPolicy {
    ask_from: SecurityRisk,
    unknown: UnknownRisk,
}

/// What a [`RiskPolicy`] does about an action whose risk nobody has stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownRisk {
    /// Asks the user.
    #[default]
    Ask,
    /// Allows it: an analyzer looks at actions and is trusted to speak up.
    Allow,
}

impl RiskPolicy {
    /// Asks from this risk on, and about actions of unknown risk.
    pub fn new(ask_from: SecurityRisk) -> Self {
        Self {
            ask_from,
            unknown: UnknownRisk::Ask,
        }
    }

    /// Sets what is done about actions of unknown risk.
    #[must_use]
    pub fn unknown(mut self, unknown: UnknownRisk) -> Self {
        self.unknown = unknown;
        self
    }

    fn asks(&self, risk: SecurityRisk) -> bool {
        match risk {
            SecurityRisk::Unknown => self.unknown == UnknownRisk::Ask,
            stated => stated >= self.ask_from,
        }
    }
}

impl Default for RiskPolicy {
    fn default() -> Self {
        Self::new(SecurityRisk::High)
    }
}

#[async_trait]
impl Policy for RiskPolicy {
    async fn decide(&self, action: &Action, context: &PolicyContext) -> Decision {
        let risk = action.security_risk();
        if !action.is_runnable() || context.source == Source::User || !self.asks(risk) {
            return Decision::Allow;
        }
        let risk = match risk {
            SecurityRisk::Unknown => "of unknown risk",
            SecurityRisk::Low => "of low risk",
            SecurityRisk::Medium => "of medium risk",
            SecurityRisk::High => "of high risk",
        };
        Decision::Ask {
            question: format!("allow this {} action, which is {risk}?", action.kind()),
        }
    }
}

#[async_trait]
impl<P: Policy + ?Sized> Policy for Arc<P> {
    async fn decide(&self, action: &Action, context: &PolicyContext) -> Decision {
        (**self).decide(action, context).await
    }
}

#[async_trait]
impl<P: Policy + ?Sized> Policy for Box<P> {
    async fn decide(&self, action: &Action, context: &PolicyContext) -> Decision {
        (**self).decide(action, context).await
    }
}

#[cfg(test)]
mod tests;

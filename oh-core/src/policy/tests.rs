use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{AllowAll, Decision, DenyAll, Policy, PolicyContext, RiskPolicy, UnknownRisk};
use crate::RuntimeId;
use crate::action::{Action, CallToolAction, MessageAction, RunAction, SecurityRisk, WriteAction};
use crate::event::Source;
use crate::runtime::{Descriptor, SandboxPath};

/// The policies here wait for nothing.
fn decided(policy: &dyn Policy, action: &Action, source: Source) -> Decision {
    let workspace = SandboxPath::new("/workspace").unwrap();
    let descriptor = Descriptor::new("local", RuntimeId::new("r"), workspace);
    let context = PolicyContext::new(&descriptor, source);
    let mut decision = pin!(policy.decide(action, &context));
    match decision
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(decision) => decision,
        Poll::Pending => panic!("a policy waited"),
    }
}

fn run(risk: SecurityRisk) -> Action {
    let mut action = RunAction::new("rm -rf build");
    action.security_risk = risk;
    Action::Run(action)
}

fn asks(policy: RiskPolicy, action: &Action) -> bool {
    matches!(
        decided(&policy, action, Source::Agent),
        Decision::Ask { .. }
    )
}

#[test]
fn the_simplest_policies_allow_and_deny_what_goes_to_a_runtime() {
    let action = run(SecurityRisk::High);
    assert_eq!(decided(&AllowAll, &action, Source::Agent), Decision::Allow);
    assert_eq!(
        decided(&DenyAll, &action, Source::Agent),
        Decision::Deny {
            reason: "the policy allows no run action here".into()
        }
    );
}

#[test]
fn an_agent_that_is_denied_everything_can_still_speak() {
    let message = Action::Message(MessageAction::new("I may not do this"));
    assert_eq!(decided(&DenyAll, &message, Source::Agent), Decision::Allow);
    assert!(!asks(RiskPolicy::new(SecurityRisk::Low), &message));
}

#[test]
fn a_user_is_asked_from_the_chosen_risk_on() {
    let policy = RiskPolicy::new(SecurityRisk::Medium);
    assert!(!asks(policy, &run(SecurityRisk::Low)));
    assert!(asks(policy, &run(SecurityRisk::Medium)));
    assert!(asks(policy, &run(SecurityRisk::High)));
}

#[test]
fn an_unknown_risk_is_asked_about_unless_an_analyzer_is_trusted() {
    let policy = RiskPolicy::default();
    assert!(asks(policy, &run(SecurityRisk::Unknown)));
    assert!(!asks(
        policy.unknown(UnknownRisk::Allow),
        &run(SecurityRisk::Unknown)
    ));
}

#[test]
fn writes_and_tools_are_asked_about_too() {
    let write = Action::Write(WriteAction::new("/etc/passwd", ""));
    let tool = Action::CallTool(CallToolAction::new("send_mail"));
    assert!(asks(RiskPolicy::default(), &write));
    assert!(asks(RiskPolicy::default(), &tool));
}

#[test]
fn a_user_is_not_asked_about_an_own_action() {
    let policy: Arc<dyn Policy> = Arc::new(RiskPolicy::default());
    let action = run(SecurityRisk::High);
    assert_eq!(decided(&policy, &action, Source::User), Decision::Allow);
}

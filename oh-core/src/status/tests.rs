use std::str::FromStr;

use proptest::prelude::*;

use super::machine::{Machine, next};
use super::{AgentState, AgentTrigger, RuntimeStatus, RuntimeTrigger};

fn walk<M: Machine + std::fmt::Debug>() -> Vec<M> {
    let mut reached = vec![M::INITIAL];
    let mut at = 0;
    while at < reached.len() {
        for row in M::TABLE {
            if row.from.contains(&reached[at]) && !reached.contains(&row.to) {
                reached.push(row.to);
            }
        }
        at += 1;
    }
    reached
}

fn every_pair_is_listed_once_or_refused_by_name<M: Machine + std::fmt::Debug>(
    triggers: &[M::Trigger],
) {
    for &state in M::STATES {
        for &trigger in triggers {
            let listed: Vec<M> = M::TABLE
                .iter()
                .filter(|row| row.trigger == trigger && row.from.contains(&state))
                .map(|row| row.to)
                .collect();
            match (next(state, trigger), listed.as_slice()) {
                (Ok(to), [only]) => assert_eq!(to, *only),
                (Err(refusal), []) => {
                    let text = refusal.to_string();
                    assert!(text.contains(state.name()), "{text}");
                    assert!(text.contains(M::trigger_name(trigger)), "{text}");
                    assert!(!refusal.possible.is_empty(), "{text}");
                    assert!(!refusal.possible.contains(&M::trigger_name(trigger)));
                }
                other => panic!("{state:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn every_state_of_an_agent_is_reachable() {
    assert_eq!(walk::<AgentState>().len(), AgentState::ALL.len());
}

#[test]
fn every_status_of_a_runtime_is_reachable() {
    assert_eq!(walk::<RuntimeStatus>().len(), RuntimeStatus::ALL.len());
}

#[test]
fn every_pair_of_agent_state_and_trigger_is_listed_or_refused_with_both_names() {
    every_pair_is_listed_once_or_refused_by_name::<AgentState>(AgentTrigger::ALL);
}

#[test]
fn every_pair_of_runtime_status_and_trigger_is_listed_or_refused_with_both_names() {
    every_pair_is_listed_once_or_refused_by_name::<RuntimeStatus>(RuntimeTrigger::ALL);
}

#[test]
fn a_message_and_a_resume_leave_every_final_state() {
    for state in [
        AgentState::Finished,
        AgentState::Stopped,
        AgentState::Rejected,
        AgentState::Error,
    ] {
        for trigger in [AgentTrigger::UserMessage, AgentTrigger::Resume] {
            assert_eq!(state.next(trigger), Ok(AgentState::Running));
        }
    }
}

#[test]
fn a_resume_does_not_answer_an_open_question_for_the_user() {
    let refusal = AgentState::AwaitingUserConfirmation
        .next(AgentTrigger::Resume)
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "agent state awaiting_user_confirmation does not accept resume, it accepts reload, \
         user_message, pause, stop, confirm, reject_by_user, fail"
    );
    let error = crate::Error::from(refusal);
    assert_eq!(error.kind(), crate::ErrorKind::Conflict);
}

#[test]
fn set_up_may_come_before_or_after_ready() {
    use RuntimeTrigger as T;
    let before = [
        T::Start,
        T::Started,
        T::SetUpWorkspace,
        T::SetUpGitHooks,
        T::BecomeReady,
    ];
    let after = [
        T::Start,
        T::Build,
        T::Started,
        T::BecomeReady,
        T::SetUpWorkspace,
        T::BecomeReady,
    ];
    for steps in [&before[..], &after[..]] {
        let end = steps
            .iter()
            .try_fold(RuntimeStatus::INITIAL, |status, step| status.next(*step));
        assert_eq!(end, Ok(RuntimeStatus::Ready));
    }
}

#[test]
fn a_stopped_runtime_does_not_become_ready_without_a_start() {
    assert!(
        RuntimeStatus::Stopped
            .next(RuntimeTrigger::BecomeReady)
            .is_err()
    );
}

#[test]
fn a_log_of_another_writer_opens_and_its_irregular_steps_are_marked() {
    let folded = AgentState::fold([
        AgentState::Running,
        AgentState::Running,
        AgentState::Finished,
        AgentState::UserConfirmed,
        AgentState::Stopped,
    ]);
    assert_eq!(folded.state, AgentState::Stopped);
    let marked: Vec<_> = folded
        .irregular
        .iter()
        .map(|step| (step.index, step.from, step.to))
        .collect();
    assert_eq!(
        marked,
        [(3, AgentState::Finished, AgentState::UserConfirmed)]
    );
}

#[test]
fn an_empty_log_is_in_the_initial_state() {
    assert_eq!(RuntimeStatus::fold([]).state, RuntimeStatus::Stopped);
}

#[test]
fn names_are_those_of_openhands_and_survive_text_and_json() {
    let agent = [
        "loading",
        "running",
        "awaiting_user_input",
        "paused",
        "stopped",
        "finished",
        "rejected",
        "error",
        "awaiting_user_confirmation",
        "user_confirmed",
        "user_rejected",
        "rate_limited",
    ];
    let runtime = [
        "STATUS$STOPPED",
        "STATUS$BUILDING_RUNTIME",
        "STATUS$STARTING_RUNTIME",
        "STATUS$RUNTIME_STARTED",
        "STATUS$SETTING_UP_WORKSPACE",
        "STATUS$SETTING_UP_GIT_HOOKS",
        "STATUS$READY",
        "STATUS$ERROR",
        "STATUS$ERROR_RUNTIME_DISCONNECTED",
        "STATUS$ERROR_LLM_AUTHENTICATION",
        "STATUS$ERROR_LLM_SERVICE_UNAVAILABLE",
        "STATUS$ERROR_LLM_INTERNAL_SERVER_ERROR",
        "STATUS$ERROR_LLM_OUT_OF_CREDITS",
        "STATUS$ERROR_LLM_CONTENT_POLICY_VIOLATION",
        "CHAT_INTERFACE$AGENT_RATE_LIMITED_STOPPED_MESSAGE",
        "STATUS$GIT_PROVIDER_AUTHENTICATION_ERROR",
        "STATUS$LLM_RETRY",
        "STATUS$ERROR_MEMORY",
    ];
    let written: Vec<_> = AgentState::ALL.iter().map(|state| state.as_str()).collect();
    assert_eq!(written, agent);
    let written: Vec<_> = RuntimeStatus::ALL
        .iter()
        .map(|status| status.as_str())
        .collect();
    assert_eq!(written, runtime);
    for state in AgentState::ALL {
        assert_eq!(AgentState::from_str(state.as_str()).unwrap(), *state);
        let json = serde_json::to_value(state).unwrap();
        assert_eq!(json, state.as_str());
        assert_eq!(serde_json::from_value::<AgentState>(json).unwrap(), *state);
    }
    for status in RuntimeStatus::ALL {
        assert_eq!(RuntimeStatus::from_str(status.as_str()).unwrap(), *status);
        let json = serde_json::to_value(status).unwrap();
        assert_eq!(json, status.as_str());
        assert_eq!(
            serde_json::from_value::<RuntimeStatus>(json).unwrap(),
            *status
        );
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let error = AgentState::from_str("sleeping").unwrap_err().to_string();
    assert!(
        error.contains("sleeping") && error.contains("rate_limited"),
        "{error}"
    );
}

#[test]
fn the_table_in_markdown_names_every_state_and_trigger() {
    let table = AgentState::transitions_markdown();
    assert!(table.contains("| any | `stop` | `stopped` |\n"), "{table}");
    for trigger in AgentTrigger::ALL {
        assert!(table.contains(trigger.as_str()), "{trigger}");
    }
    let table = RuntimeStatus::transitions_markdown();
    for status in RuntimeStatus::ALL {
        assert!(table.contains(status.as_str()), "{status}");
    }
}

proptest! {
    #[test]
    fn what_a_live_writer_recorded_folds_without_a_mark(
        triggers in prop::collection::vec(prop::sample::select(AgentTrigger::ALL), 0..60),
    ) {
        let mut state = AgentState::INITIAL;
        let mut recorded = Vec::new();
        for trigger in triggers {
            if let Ok(next) = state.next(trigger) {
                state = next;
                recorded.push(next);
            }
        }
        let folded = AgentState::fold(recorded);
        prop_assert_eq!(folded.state, state);
        prop_assert_eq!(folded.irregular, []);
    }

    #[test]
    fn a_fold_accepts_any_record_and_ends_in_its_last_state(
        recorded in prop::collection::vec(prop::sample::select(RuntimeStatus::ALL), 1..60),
    ) {
        let folded = RuntimeStatus::fold(recorded.iter().copied());
        prop_assert_eq!(Some(&folded.state), recorded.last());
    }
}

//! What hosts rely on when they turn a log into a conversation.
#![allow(missing_docs, clippy::unwrap_used)]

use oh_core::action::{Action, FinishAction, MessageAction, RunAction, SystemAction};
use oh_core::event::{Draft, Event, EventBody, Source, ToolCallMetadata};
use oh_core::message::{Content, Message, Role};
use oh_core::observation::{
    AgentStateChangedObservation, FailureObservation, Observation, RunObservation,
};
use oh_core::tool::{ToolCall, ToolResult};
use oh_core::{CallId, ErrorKind, EventId, Exit, Timestamp};
use oh_llm::{Accumulator, Completion, Delta, FinishReason, ModelId, Transcript};

fn completion(text: &str, calls: &[(&str, &str)]) -> Completion {
    let mut content = vec![Content::Text(text.to_owned())];
    content.extend(calls.iter().map(|(id, arguments)| {
        Content::ToolCall(ToolCall::new(CallId::new(*id), "execute_bash", *arguments))
    }));
    Completion::new(
        format!("r-{text}"),
        ModelId::new("m"),
        content,
        FinishReason::ToolCalls,
    )
}

struct Log(Vec<Event>);

impl Log {
    fn add(&mut self, draft: Draft) -> EventId {
        let id = EventId(self.0.len() as u64);
        self.0.push(draft.into_event(id, Timestamp::from_micros(0)));
        id
    }

    fn say(&mut self, source: Source, body: impl Into<EventBody>) -> EventId {
        self.add(Draft::new(source, body.into()))
    }

    fn call(&mut self, answer: &Completion, nth: usize, action: impl Into<Action>) -> EventId {
        let metadata = answer.tool_metadata(answer.tool_calls().nth(nth).unwrap());
        self.add(Draft::new(Source::Agent, EventBody::Action(action.into())).tool(metadata))
    }

    fn reply(&mut self, cause: EventId, observation: impl Into<Observation>) {
        let body = EventBody::Observation(observation.into());
        self.add(Draft::new(Source::Environment, body).cause(cause));
    }

    fn messages(&self) -> Vec<Message> {
        Transcript::from_events(&self.0)
    }
}

fn results(messages: &[Message]) -> Vec<&ToolResult> {
    let parts = messages.iter().flat_map(|message| &message.content);
    parts
        .filter_map(|part| match part {
            Content::ToolResult(result) => Some(result),
            _ => None,
        })
        .collect()
}

#[test]
fn calls_of_one_answer_stand_together_and_each_is_followed_by_its_result() {
    let mut log = Log(Vec::new());
    log.say(
        Source::Environment,
        Action::from(SystemAction::new("be brief")),
    );
    log.say(Source::User, Action::from(MessageAction::new("do it")));
    let answer = completion(
        "two things",
        &[("c1", "{\"command\":\"a\"}"), ("c2", "{\"command\":\"b\"}")],
    );
    let first = log.call(&answer, 0, RunAction::new("a"));
    log.reply(first, RunObservation::ended("out a", "a", Exit::Code(0)));
    log.say(
        Source::Environment,
        Observation::from(AgentStateChangedObservation::new("", "running")),
    );
    let second = log.call(&answer, 1, RunAction::new("b"));
    log.reply(second, RunObservation::ended("out b", "b", Exit::Code(3)));
    log.say(
        Source::Agent,
        Action::from(FinishAction::default().final_thought("done")),
    );

    let messages = log.messages();
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    use Role::{Assistant, System, Tool, User};
    assert_eq!(roles, [System, User, Assistant, Tool, Tool, Assistant]);
    let calls: Vec<_> = messages[2]
        .tool_calls()
        .map(|c| (c.id.as_str(), c.arguments.as_str()))
        .collect();
    assert_eq!(
        calls,
        [("c1", "{\"command\":\"a\"}"), ("c2", "{\"command\":\"b\"}")]
    );
    let results = results(&messages);
    assert_eq!(results[0].call.as_str(), "c1");
    let Content::Text(text) = &results[1].content[0] else {
        panic!("a text")
    };
    assert!(
        text.starts_with("out b") && text.contains("exit code 3"),
        "{text}"
    );
}

#[test]
fn a_call_without_a_result_gets_one_that_says_so() {
    let mut log = Log(Vec::new());
    let answer = completion("x", &[("c1", "{}")]);
    log.call(&answer, 0, RunAction::new("a"));
    let messages = log.messages();
    let results = results(&messages);
    assert!(results[0].is_error);
    assert_eq!(
        messages.len(),
        2,
        "a provider refuses a conversation with an open call"
    );
}

#[test]
fn a_failure_is_marked_as_an_error_and_hidden_events_are_left_out() {
    let mut log = Log(Vec::new());
    let answer = completion("x", &[("c1", "{}")]);
    let call = log.call(&answer, 0, RunAction::new("a"));
    log.reply(
        call,
        FailureObservation::new("not there", ErrorKind::NotFound),
    );
    log.add(
        Draft::new(
            Source::User,
            EventBody::Action(MessageAction::new("psst").into()),
        )
        .hidden(),
    );
    let messages = log.messages();
    assert!(results(&messages)[0].is_error);
    assert!(
        messages
            .iter()
            .all(|message| !message.text().contains("psst"))
    );
}

#[test]
fn a_call_that_could_not_be_decoded_is_answered_all_the_same() {
    let mut log = Log(Vec::new());
    let answer = completion("x", &[("c1", "oops")]);
    let metadata: ToolCallMetadata = answer.tool_metadata(answer.tool_calls().next().unwrap());
    let failure = FailureObservation::new("no JSON", ErrorKind::InvalidInput);
    let body = EventBody::Observation(failure.into());
    log.add(Draft::new(Source::Environment, body).tool(metadata));
    let messages = log.messages();
    assert_eq!(messages[0].tool_calls().next().unwrap().arguments, "oops");
    assert!(results(&messages)[0].is_error);
    assert_eq!(messages.len(), 2);
}

#[test]
fn what_the_user_runs_is_shown_to_the_model_as_the_users_words() {
    let mut log = Log(Vec::new());
    let run = log.say(Source::User, Action::from(RunAction::new("date")));
    log.reply(run, RunObservation::ended("today", "date", Exit::Code(0)));
    let messages = log.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].role, Role::User);
    assert!(messages[0].text().starts_with("today"));
}

#[test]
fn answers_of_a_server_that_gives_no_ids_are_kept_apart() {
    let mut log = Log(Vec::new());
    // The same call twice, as a model that polls sends it.
    for said in ["once", "twice"] {
        let mut answer = Accumulator::new(ModelId::new("m"));
        answer.push(Delta::Id(String::new()));
        answer.push(Delta::ToolCall {
            index: 0,
            id: Some(CallId::new("")),
            name: Some("execute_bash".to_owned()),
            arguments: "{}".to_owned(),
        });
        answer.push(Delta::Finish(FinishReason::ToolCalls));
        let answer = answer.finish().unwrap();
        let call = log.call(&answer, 0, RunAction::new("a"));
        log.reply(call, RunObservation::ended(said, "a", Exit::Code(0)));
    }
    let messages = log.messages();
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    use Role::{Assistant, Tool};
    assert_eq!(roles, [Assistant, Tool, Assistant, Tool]);
    let results = results(&messages);
    assert_ne!(results[0].call, results[1].call);
}

#[test]
fn a_log_whose_answers_have_empty_ids_keeps_them_apart() {
    let mut log = Log(Vec::new());
    for call in ["c1", "c2"] {
        let mut answer = completion("x", &[(call, "{}")]);
        answer.id = String::new();
        let action = log.call(&answer, 0, RunAction::new("a"));
        log.reply(action, RunObservation::ended("out", "a", Exit::Code(0)));
    }
    assert_eq!(log.messages().len(), 4);
}

#[test]
fn a_change_of_state_is_not_the_result_of_the_action_that_asked_for_it() {
    let mut log = Log(Vec::new());
    let answer = completion("x", &[("c1", "{}")]);
    let action = log.call(&answer, 0, RunAction::new("a"));
    log.reply(action, AgentStateChangedObservation::new("", "running"));
    log.reply(action, RunObservation::ended("out", "a", Exit::Code(0)));
    let messages = log.messages();
    let results = results(&messages);
    let text = results[0].content[0].as_text().unwrap();
    assert!(text.starts_with("out"), "{text}");
}

//! The key `oh`: our kinds in V0's clothes, and what V0 has no field for.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::action::{
    Action, ChangeAgentStateAction, ConfirmAction, ConfirmStep, FileAction, RunAction, RunOptions,
};
use crate::codec::DecodeError;
use crate::codec::fields::Fields;
use crate::event::{EventBody, Note, RawJson, RawObject, StatusChange};
use crate::observation::{
    ErrorObservation, FailureObservation, FileObservation, NullObservation, Observation,
    RunDetails, RunObservation,
};
use crate::status::AgentState;

/// The flag that V0 keeps inside of the body.
pub(crate) fn is_hidden(body: &EventBody) -> bool {
    match body {
        EventBody::Action(Action::Run(run)) => run.hidden,
        EventBody::Observation(Observation::Run(run)) => run.hidden,
        _ => false,
    }
}

/// Sets the flag that V0 keeps inside of the body, if the kind has one.
pub(crate) fn hide(body: &mut EventBody) {
    match body {
        EventBody::Action(Action::Run(run)) => run.hidden = true,
        EventBody::Observation(Observation::Run(run)) => run.hidden = true,
        _ => {}
    }
}

/// Finds the nearest V0 kind and what else has to be written under `oh`.
pub(crate) fn lower(body: &EventBody, hidden: bool) -> (Cow<'_, EventBody>, RawObject) {
    let mut oh = RawObject::default();
    let mut lowered = match body {
        EventBody::Action(action) => lower_action(action, &mut oh).map(EventBody::Action),
        EventBody::Observation(observation) => {
            lower_observation(observation, &mut oh).map(EventBody::Observation)
        }
        EventBody::Status(change) => {
            put(&mut oh, "kind", "status");
            put(&mut oh, "status", &change.status);
            Some(null(&change.detail))
        }
        EventBody::Note(note) => {
            put(&mut oh, "kind", "note");
            if let Some(data) = &note.data {
                oh.insert("data", data.clone());
            }
            Some(null(&note.text))
        }
    };
    if hidden && !is_hidden(body) {
        let has_flag = matches!(
            body,
            EventBody::Action(Action::Run(_)) | EventBody::Observation(Observation::Run(_))
        );
        if has_flag {
            let mut copy = body.clone();
            hide(&mut copy);
            lowered = Some(copy);
        } else {
            put(&mut oh, "hidden", &true);
        }
    }
    (lowered.map_or(Cow::Borrowed(body), Cow::Owned), oh)
}

fn null(content: &str) -> EventBody {
    EventBody::Observation(NullObservation::new(content).into())
}

fn lower_action(action: &Action, oh: &mut RawObject) -> Option<Action> {
    match action {
        Action::Run(run) => {
            if run.options != RunOptions::default() {
                *oh = set_fields(&run.options);
            }
            None
        }
        Action::File(file) => {
            put(oh, "kind", "file");
            put(oh, "operation", &file.operation);
            let mut run = RunAction::new(file.operation.command_line())
                .hidden(true)
                .thought(file.thought.as_str())
                .confirmation_state(file.confirmation_state)
                .security_risk(file.security_risk)
                .timeout(file.timeout);
            run.extra = file.extra.clone();
            Some(run.into())
        }
        Action::Confirm(confirm) => {
            put(oh, "kind", "confirm");
            put(oh, "action", &confirm.action);
            put(oh, "step", &confirm.step);
            let state = match confirm.step {
                ConfirmStep::Question => AgentState::AwaitingUserConfirmation,
                ConfirmStep::Approved => AgentState::UserConfirmed,
                ConfirmStep::Refused => AgentState::UserRejected,
            };
            let mut change =
                ChangeAgentStateAction::new(state.to_string()).thought(confirm.thought.as_str());
            change.extra = confirm.extra.clone();
            Some(change.into())
        }
        _ => None,
    }
}

fn lower_observation(observation: &Observation, oh: &mut RawObject) -> Option<Observation> {
    match observation {
        Observation::Run(run) => {
            if *run.details != RunDetails::default() {
                *oh = set_fields(&*run.details);
            }
            None
        }
        Observation::File(file) => {
            put(oh, "kind", "file");
            put(oh, "operation", &file.operation);
            if !file.result.is_null() {
                oh.insert("result", file.result.clone());
            }
            let mut run = RunObservation::new(file.content.as_str(), file.operation.command_line())
                .hidden(true);
            run.metadata.exit_code = 0;
            run.extra = file.extra.clone();
            Some(run.into())
        }
        Observation::Failure(failure) => {
            put(oh, "kind", "failure");
            put(oh, "error", &failure.error);
            let mut error = ErrorObservation::new(failure.content.as_str());
            error.error_id = failure.error_id();
            Some(error.into())
        }
        _ => None,
    }
}

fn put<T: Serialize + ?Sized>(oh: &mut RawObject, key: &str, value: &T) {
    if let Ok(value) = RawJson::encode(value) {
        oh.insert(key, value);
    }
}

/// The fields that say something.
fn set_fields(fields: &impl Serialize) -> RawObject {
    let mut object = RawJson::encode(fields)
        .and_then(|json| json.decode::<RawObject>())
        .unwrap_or_default();
    object.retain(|_, value| !matches!(value.as_str(), "null" | "{}"));
    object
}

/// Undoes [`lower`]: takes what it knows out of `oh` and returns whether the event is hidden.
///
/// What does not fit stays as it is: the V0 kind is right in any case.
pub(crate) fn raise(body: &mut EventBody, top: &mut Fields<'_>) -> bool {
    let Some(mut oh) = top
        .value("oh")
        .and_then(|json| json.decode::<RawObject>().ok())
    else {
        return is_hidden(body);
    };
    let Ok((raised, hidden)) = raise_body(body, &mut oh) else {
        return is_hidden(body);
    };
    if let Some(raised) = raised {
        *body = raised;
    }
    match RawJson::encode(&oh) {
        Ok(left) if !oh.is_empty() => top.insert("oh", left),
        _ => {
            top.remove("oh");
        }
    }
    if hidden {
        hide(body);
    }
    hidden || is_hidden(body)
}

type Raised = (Option<EventBody>, bool);

fn raise_body(body: &EventBody, oh: &mut RawObject) -> Result<Raised, DecodeError> {
    let hidden = oh.optional::<bool>("hidden")?.unwrap_or(false);
    let kind = oh
        .value("kind")
        .and_then(|kind| kind.decode::<String>().ok());
    let raised = match (kind.as_deref(), body) {
        (None, EventBody::Action(Action::Run(run))) => {
            let mut run = run.clone();
            run.options = take_fields(oh)?;
            Some(EventBody::Action(run.into()))
        }
        (None, EventBody::Observation(Observation::Run(run))) => {
            let mut run = run.clone();
            run.details = Box::new(take_fields(oh)?);
            Some(EventBody::Observation(run.into()))
        }
        (Some("file"), EventBody::Action(Action::Run(run))) => {
            let mut file =
                FileAction::new(oh.required::<crate::action::FileOperation>("operation")?)
                    .thought(run.thought.as_str())
                    .confirmation_state(run.confirmation_state)
                    .security_risk(run.security_risk)
                    .timeout(run.timeout);
            file.extra = run.extra.clone();
            Some(EventBody::Action(file.into()))
        }
        (Some("confirm"), EventBody::Action(Action::ChangeAgentState(change))) => {
            let action = oh.required::<crate::id::EventId>("action")?;
            let mut confirm = ConfirmAction::new(action, oh.required::<ConfirmStep>("step")?)
                .thought(change.thought.as_str());
            confirm.extra = change.extra.clone();
            Some(EventBody::Action(confirm.into()))
        }
        (Some("file"), EventBody::Observation(Observation::Run(run))) => {
            let operation = oh.required::<crate::action::FileOperation>("operation")?;
            let mut file = FileObservation::new(run.content.as_str(), operation)
                .result(oh.remove("result").unwrap_or_default());
            file.extra = run.extra.clone();
            Some(EventBody::Observation(file.into()))
        }
        (Some("failure"), EventBody::Observation(Observation::Error(error)))
            if error.extra.is_empty() =>
        {
            let kind = oh.required("error")?;
            let failure = FailureObservation::new(error.content.as_str(), kind);
            Some(EventBody::Observation(failure.into()))
        }
        (Some("status"), EventBody::Observation(Observation::Null(null)))
            if null.extra.is_empty() =>
        {
            let status = oh.required("status")?;
            Some(StatusChange::new(status, null.content.as_str()).into())
        }
        (Some("note"), EventBody::Observation(Observation::Null(null)))
            if null.extra.is_empty() =>
        {
            let mut note = Note::new(null.content.as_str());
            note.data = oh.remove("data");
            Some(note.into())
        }
        _ => return Ok((None, hidden)),
    };
    oh.remove("kind");
    Ok((raised, hidden))
}

/// Takes the fields of a struct out of `oh`; what it does not know stays there.
fn take_fields<T: DeserializeOwned + WithExtra>(oh: &mut RawObject) -> Result<T, DecodeError> {
    let mut fields: T = RawJson::encode(oh)?.decode()?;
    *oh = std::mem::take(fields.extra_mut());
    Ok(fields)
}

trait WithExtra {
    fn extra_mut(&mut self) -> &mut RawObject;
}

impl WithExtra for crate::action::RunOptions {
    fn extra_mut(&mut self) -> &mut RawObject {
        &mut self.extra
    }
}

impl WithExtra for crate::observation::RunDetails {
    fn extra_mut(&mut self) -> &mut RawObject {
        &mut self.extra
    }
}

//! Old spellings that logs may hold, turned into today's.

use serde_json::Value;

use crate::action::SecurityRisk;
use crate::codec::fields::{Field, Fields};
use crate::codec::{DecodeError, python};
use crate::event::{RawJson, RawObject};

/// Rewrites the arguments of an action; returns a timestamp that stood among them.
pub(crate) fn action(kind: &str, args: &mut Fields<'_>) -> Option<String> {
    args.remove("keep_prompt");
    args.remove("task_completed");
    for (old, new) in [
        ("is_confirmed", "confirmation_state"),
        ("images_urls", "image_urls"),
    ] {
        if let Some(value) = args.remove(old) {
            args.insert(new, value.into_json());
        }
    }
    if let Some(json) = args.remove("security_risk")
        && let Some(risk) = risk(&json)
    {
        args.insert("security_risk", risk);
    }
    if let Some(code) = args.remove("translated_ipython_code") {
        translated(&code, args);
    }
    // The editor takes the number as a text too.
    if kind == "edit"
        && let Some(line) = args
            .value("insert_line")
            .and_then(|line| line.decode::<String>().ok())
        && let Ok(number) = line.trim().parse::<i64>()
    {
        args.insert("insert_line", Value::from(number));
    }
    args.remove("timestamp").and_then(|time| time.decode().ok())
}

/// A risk by its number; names and anything else were never valid and are dropped.
#[allow(clippy::float_cmp, clippy::cast_precision_loss)]
fn risk(json: &Field<'_>) -> Option<RawJson> {
    let number: f64 = json.decode().ok()?;
    [-1, 0, 1, 2]
        .into_iter()
        .find(|level| *level as f64 == number)
        .and_then(SecurityRisk::from_level)
        .and_then(|risk| RawJson::encode(&risk).ok())
}

/// An editor call that was once recorded as the Python code that made it.
fn translated(code: &Field<'_>, args: &mut Fields<'_>) {
    let code = code.decode::<String>().unwrap_or_default();
    let call = code
        .trim()
        .strip_prefix("print(file_editor(**")
        .and_then(|rest| rest.strip_suffix("))"));
    let Some(entries) = call.and_then(python::dict) else {
        return;
    };
    for (key, value) in entries.iter() {
        args.insert(key, value.clone());
    }
    if args
        .value("command")
        .is_some_and(|c| c.as_str() == "\"view\"")
    {
        args.remove("command");
    }
}

/// Rewrites the extras of an observation.
pub(crate) fn observation(kind: &str, extras: &mut Fields<'_>) -> Result<(), DecodeError> {
    extras.remove("formatted_output_and_error");
    if kind != "run" {
        return Ok(());
    }
    let moved = [("exit_code", "exit_code"), ("command_id", "pid")]
        .map(|(old, new)| extras.remove(old).map(|value| (new, value)));
    if moved.iter().all(Option::is_none) {
        return Ok(());
    }
    let mut metadata = extras
        .optional::<RawObject>("metadata")
        .map_err(|error| error.at("extras"))?
        .unwrap_or_default();
    for (key, value) in moved.into_iter().flatten() {
        metadata.insert(key, value.into_json());
    }
    extras.insert("metadata", RawJson::encode(&metadata)?);
    Ok(())
}

//! Plain JSON schemas for models, and what they say about a value.

use schemars::JsonSchema;
use serde_json::{Map, Value};

/// The schema of a struct, without what models and providers stumble over: no references, no
/// `null` beside a type (an optional argument is left out), no number formats. Returns the docs
/// of the struct beside it.
pub(super) fn of<T: JsonSchema>() -> (String, Value) {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    let mut description = String::new();
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
        if let Some(Value::String(text)) = object.remove("description") {
            description = unwrapped(&text);
        }
        object
            .entry("properties")
            .or_insert_with(|| Map::new().into());
        object
            .entry("required")
            .or_insert_with(|| Value::Array(Vec::new()));
    }
    simplify(&mut schema);
    (description, schema)
}

/// Joins the lines of a doc comment.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.remove("format");
            object.remove("default");
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = unwrapped(text);
            }
            if let Some(Value::Array(options)) = object.get_mut("enum") {
                options.retain(|option| !option.is_null());
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(mut options)) = object.remove("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|name| name != "null"));
                if let Some(Value::Object(only)) = options.pop() {
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            object.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}

/// Says what a value had to be, if it is not.
pub(super) fn mismatch(schema: &Value, value: &Value) -> Option<String> {
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let fits = match schema.get("type").and_then(Value::as_str) {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("object") => value.is_object(),
        Some("array") => value.as_array().is_some_and(|items| {
            let count = items.len() as f64;
            number("minItems").is_none_or(|min| count >= min)
                && number("maxItems").is_none_or(|max| count <= max)
                && schema
                    .get("items")
                    .is_none_or(|schema| items.iter().all(|i| mismatch(schema, i).is_none()))
        }),
        _ => true,
    };
    let listed = schema
        .get("enum")
        .and_then(Value::as_array)
        .is_none_or(|options| options.contains(value));
    let in_range = value.as_f64().is_none_or(|n| {
        number("minimum").is_none_or(|min| n >= min) && number("maximum").is_none_or(|max| n <= max)
    });
    (!(fits && listed && in_range)).then(|| expected(schema))
}

/// Words for what a schema accepts.
pub(super) fn expected(schema: &Value) -> String {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        let options: Vec<String> = options.iter().map(Value::to_string).collect();
        return format!("one of {}", options.join(", "));
    }
    let range = match (schema.get("minimum"), schema.get("maximum")) {
        (Some(min), Some(max)) => format!(" from {min} to {max}"),
        (Some(min), None) => format!(" of {min} or more"),
        (None, Some(max)) => format!(" of at most {max}"),
        (None, None) => String::new(),
    };
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => "a string".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("integer") => format!("a whole number{range}"),
        Some("number") => format!("a number{range}"),
        Some("array") => {
            let count = schema
                .get("minItems")
                .map_or_else(String::new, |n| format!(" of {n}"));
            let items = schema
                .get("items")
                .map_or_else(|| "values".to_owned(), expected);
            format!("a list{count}, each {items}")
        }
        Some("object") => {
            let keys: Vec<&str> = schema
                .get("properties")
                .and_then(Value::as_object)
                .map(|properties| properties.keys().map(String::as_str).collect())
                .unwrap_or_default();
            format!("an object with {}", keys.join(", "))
        }
        _ => "another value".to_owned(),
    }
}

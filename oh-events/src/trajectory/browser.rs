//! What a browser shows and a trajectory leaves out.

use oh_core::{RawJson, RawObject};

use super::export::Screenshots;

/// Left out in any case.
const STATE: [&str; 7] = [
    "dom_object",
    "axtree_object",
    "active_page_index",
    "last_browser_action",
    "last_browser_action_error",
    "focused_element_bid",
    "extra_element_properties",
];

/// Left out unless they are asked for.
const PICTURES: [&str; 2] = ["screenshot", "set_of_marks"];

/// How deep keys are looked for.
const MAX_DEPTH: usize = 128;

/// Takes the keys out of the `extras` of an observation, at any depth.
pub(super) fn strip(event: String, screenshots: Screenshots) -> String {
    let is_named = |key: &&str| event.contains(&format!("\"{key}\""));
    let pictures = PICTURES
        .iter()
        .filter(|_| screenshots == Screenshots::LeftOut);
    let keys: Vec<&str> = STATE
        .iter()
        .chain(pictures)
        .copied()
        .filter(is_named)
        .collect();
    if keys.is_empty() {
        return event;
    }
    let Ok(mut top) = RawJson::parse(event.as_str()).and_then(|json| json.decode::<RawObject>())
    else {
        return event;
    };
    let Some(extras) = top.value("extras") else {
        return event;
    };
    let stripped = without(extras, &keys, 0);
    top.insert("extras", stripped);
    RawJson::encode(&top).map_or(event, |json| json.as_str().to_owned())
}

fn without(value: &RawJson, keys: &[&str], depth: usize) -> RawJson {
    if depth == MAX_DEPTH {
        return value.clone();
    }
    let stripped = match value.as_str().as_bytes().first() {
        Some(b'{') => value.decode::<RawObject>().and_then(|object| {
            let kept = object.iter().filter(|(key, _)| !keys.contains(key));
            let kept = kept.map(|(key, member)| (key.to_owned(), without(member, keys, depth + 1)));
            RawJson::encode(&kept.collect::<RawObject>())
        }),
        Some(b'[') => value.decode::<Vec<RawJson>>().and_then(|items| {
            let items: Vec<RawJson> = items
                .iter()
                .map(|item| without(item, keys, depth + 1))
                .collect();
            RawJson::encode(&items)
        }),
        _ => return value.clone(),
    };
    stripped.unwrap_or_else(|_| value.clone())
}

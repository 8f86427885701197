//! Files that OpenHands V0 itself wrote.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::action::Action;
use crate::codec::{decode_draft, decode_event, encode_draft, encode_event};
use crate::event::{Event, EventBody};
use crate::observation::Observation;

fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/openhands-v0");
    let mut files: Vec<_> = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn assert_typed(event: &Event, file: &Path) {
    let custom = matches!(
        event.body,
        EventBody::Action(Action::Custom(_)) | EventBody::Observation(Observation::Custom(_))
    );
    assert!(!custom, "{}: {:?}", file.display(), event.body);
    assert!(
        event.extra.is_empty(),
        "{}: {:?}",
        file.display(),
        event.extra
    );
}

#[test]
fn every_kind_that_v0_wrote_is_read_and_written_back_the_same() {
    for folder in ["actions", "observations"] {
        for file in files(folder) {
            let text = fs::read_to_string(&file).unwrap();
            let event = decode_event(&text).unwrap();
            assert_typed(&event, &file);
            let written = encode_event(&event);
            assert!(!written.contains('\n'));
            let mut ours: Value = serde_json::from_str(&written).unwrap();
            assert!(ours.as_object_mut().unwrap().remove("message").is_some());
            let theirs: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(ours, theirs, "{}", file.display());
        }
    }
}

#[test]
fn a_stored_conversation_is_written_back_the_same_with_its_messages() {
    let files = files("store/sessions/session-1/events");
    assert_eq!(files.len(), 60);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let event = decode_event(&text).unwrap();
        assert_typed(&event, &file);
        let written = encode_event(&event);
        let ours: Value = serde_json::from_str(&written).unwrap();
        let theirs: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(ours, theirs, "{}", file.display());
        assert_eq!(spelled(&written), spelled(&text), "order of keys");
    }
}

/// The keys of the top level and of `args` or `extras`, in order.
fn spelled(text: &str) -> Vec<String> {
    let top: crate::event::RawObject = serde_json::from_str(text).unwrap();
    let mut keys: Vec<String> = top.iter().map(|(key, _)| key.to_owned()).collect();
    for part in ["args", "extras"] {
        if let Some(fields) = top.value(part) {
            let fields: crate::event::RawObject = fields.decode().unwrap();
            keys.extend(fields.iter().map(|(key, _)| key.to_owned()));
        }
    }
    keys
}

#[test]
fn the_cache_pages_of_a_stored_conversation_hold_the_same_events() {
    for file in files("store/sessions/session-1/event_cache") {
        let text = fs::read_to_string(&file).unwrap();
        let page: Vec<Event> = serde_json::from_str(&text).unwrap();
        assert_eq!(page.len(), 25);
        for event in page {
            let single = file
                .with_file_name("../events")
                .join(format!("{}.json", event.id));
            let text = fs::read_to_string(single).unwrap();
            assert_eq!(decode_event(text).unwrap(), event);
        }
    }
}

#[test]
fn an_event_without_an_id_is_read_as_a_draft() {
    for file in files("actions") {
        let text = fs::read_to_string(&file).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value.as_object_mut().unwrap().remove("id");
        let draft = decode_draft(value.to_string()).unwrap();
        assert_eq!(decode_draft(encode_draft(&draft)).unwrap(), draft);
        assert!(decode_event(value.to_string()).is_err());
        value["id"] = (-1).into();
        assert_eq!(decode_draft(value.to_string()).unwrap(), draft);
    }
}

//! The seeds of the fuzz targets, and what the targets found, through the same checks.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../fuzz/checks/event_json.rs"]
mod event_json;
#[path = "../../fuzz/checks/log_reader.rs"]
mod log_reader;

use std::path::Path;

/// Gives each seed of a target to its check, and returns how many there are.
fn replay(target: &str, check: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target);
    let mut count = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let seed = std::fs::read(&path).unwrap();
        let checked = std::panic::catch_unwind(|| check(&seed));
        assert!(checked.is_ok(), "{}", path.display());
        count += 1;
    }
    count
}

#[test]
fn whatever_the_files_of_a_log_hold_is_an_event_or_damage_that_is_named() {
    assert!(replay("log_reader", log_reader::check) >= 20);
}

#[test]
fn event_json_that_is_read_is_written_and_read_back_as_the_same() {
    assert!(replay("event_json", event_json::check) >= 40);
}

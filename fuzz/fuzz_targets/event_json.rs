#![no_main]

#[path = "../checks/event_json.rs"]
mod event_json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| event_json::check(input));

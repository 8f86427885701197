#![no_main]

#[path = "../checks/log_reader.rs"]
mod log_reader;

libfuzzer_sys::fuzz_target!(|input: &[u8]| log_reader::check(input));

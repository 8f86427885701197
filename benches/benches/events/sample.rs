//! The event that is measured: the result of a command, about 500 bytes of JSON.

use oh_core::observation::RunObservation;
use oh_core::{Draft, Observation, Source, codec};
use serde::{Deserialize, Serialize};

const COMMAND: &str = "cargo test -p oh-events";
const CONTENT: &str =
    "running 7 tests\n.......\ntest result: ok. 7 passed; 0 failed; finished in 0.62 s\n";
const DIRECTORY: &str = "/workspace/project";

/// The event as an agent's host makes it.
pub(super) fn draft() -> Draft {
    let mut observation = RunObservation::new(CONTENT, COMMAND);
    observation.metadata.exit_code = 0;
    observation.metadata.pid = 4711;
    observation.metadata.username = Some("agent".to_owned());
    observation.metadata.hostname = Some("host".to_owned());
    observation.metadata.working_dir = Some(DIRECTORY.to_owned());
    Draft::new(Source::Agent, Observation::from(observation))
}

/// The same event as a plain struct of serde: the least that anyone pays for its JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RawEvent {
    pub(super) id: u64,
    pub(super) timestamp: String,
    pub(super) source: String,
    pub(super) message: String,
    pub(super) observation: String,
    pub(super) content: String,
    pub(super) extras: RawExtras,
    pub(super) success: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RawExtras {
    pub(super) command: String,
    pub(super) metadata: RawMetadata,
    pub(super) hidden: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RawMetadata {
    pub(super) exit_code: i64,
    pub(super) pid: i64,
    pub(super) username: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) working_dir: Option<String>,
    pub(super) py_interpreter_path: Option<String>,
    pub(super) prefix: String,
    pub(super) suffix: String,
}

/// The plain struct with the very values of the event; its JSON is the same, byte by byte.
pub(super) fn raw() -> RawEvent {
    let event = draft().into_event(
        oh_core::EventId(123_456),
        oh_core::Timestamp::from_micros(1_763_632_800_123_456),
    );
    let json = codec::encode_event(&event);
    let raw: RawEvent = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&raw).unwrap(), json);
    assert!((480..=530).contains(&json.len()), "{} bytes", json.len());
    raw
}

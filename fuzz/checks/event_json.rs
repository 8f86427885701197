//! What must hold for any bytes that are taken for the JSON of an event.

use oh_core::codec::{
    decode_action, decode_draft, decode_event, decode_observation, encode_draft, encode_event,
    event_from_value, event_to_value,
};

/// Reads the bytes as an event. What is read is written on one line, and is read back and written
/// again as the same.
pub(crate) fn check(input: &[u8]) {
    if let Ok(event) = decode_event(input) {
        let written = encode_event(&event);
        assert!(!written.contains('\n'), "one line: {written:?}");
        let again = match decode_event(&written) {
            Ok(again) => again,
            Err(error) => panic!("what was written is read: {error}\n{written}"),
        };
        assert_eq!(encode_event(&again), written, "writing is stable");
        assert_eq!(again, event, "nothing is lost: {written}");
        let tree = event_to_value(&event);
        assert!(event_from_value(&tree).is_ok(), "the tree is read: {tree}");
    }
    if let Ok(draft) = decode_draft(input) {
        let written = encode_draft(&draft);
        match decode_draft(&written) {
            Ok(again) => assert_eq!(again, draft, "nothing is lost: {written}"),
            Err(error) => panic!("what was written is read: {error}\n{written}"),
        }
    }
    // These two judge the fields as well; whatever they say, they say it without a panic.
    let _ = decode_action(input);
    let _ = decode_observation(input);
}

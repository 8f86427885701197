//! Which blobs an event names, without knowing what the event means.

/// Calls `visit` with every part of a text that can be the name of a blob.
pub(crate) fn visit(json: &[u8], visit: &mut dyn FnMut(&str)) {
    // Names are letters, digits and `-`, and hold a `-`, before which the others are skipped.
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    for word in json.split(|byte| !is_part(byte)) {
        if word.contains(&b'-')
            && let Ok(word) = std::str::from_utf8(word)
        {
            visit(word);
        }
    }
}

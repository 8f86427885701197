//! Every form in which a secret is looked for.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::secret::{base64, percent};

/// Below this a value occurs by chance, and masking it would destroy output.
pub(super) const MIN_BYTES: usize = 4;

/// From this on encoded forms are looked for too.
const MIN_ENCODED_BYTES: usize = 8;

/// From this on a line of a value of several lines is looked for by itself.
const MIN_LINE_BYTES: usize = 16;

/// Bytes to look for; overwritten when dropped.
pub(super) type Pattern = Zeroizing<Vec<u8>>;

/// The value without line ends at its end: files end with one, the places that use them do not.
pub(super) fn core(value: &str) -> &str {
    value.trim_end_matches(['\r', '\n'])
}

/// Forms of a value of at least [`MIN_BYTES`], each once, none empty.
pub(super) fn forms(value: &str) -> Vec<Pattern> {
    let value = core(value);
    let encoded = value.len() >= MIN_ENCODED_BYTES;
    let lf = Zeroizing::new(value.replace("\r\n", "\n"));
    // A terminal writes CRLF where a program writes LF.
    let crlf = Zeroizing::new(lf.replace('\n', "\r\n"));

    let mut forms: Vec<Pattern> = Vec::new();
    for text in [value, &lf, &crlf] {
        forms.push(text.as_bytes().to_vec().into());
        if encoded {
            forms.extend(json_forms(text));
        }
    }
    if encoded {
        for text in [value, &lf] {
            forms.extend(base64::forms(text.as_bytes()).into_iter().map(Pattern::new));
            forms.extend(
                percent::forms(text.as_bytes())
                    .into_iter()
                    .map(Pattern::new),
            );
        }
    }
    if lf.contains('\n') {
        // Listings with line numbers, differences and searches take a key apart by its lines.
        let lines = lf.lines().map(str::trim);
        let long = lines.filter(|line| line.len() >= MIN_LINE_BYTES);
        forms.extend(long.map(|line| Pattern::new(line.as_bytes().to_vec())));
    }
    forms.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
    forms.dedup_by(|a, b| a.as_slice() == b.as_slice());
    forms
}

/// Inside a JSON string: with the escapes that JSON demands, and with all of Unicode escaped.
fn json_forms(text: &str) -> Vec<Pattern> {
    let Ok(quoted) = serde_json::to_string(text).map(Zeroizing::new) else {
        return Vec::new();
    };
    let body = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&quoted);
    let mut ascii = String::with_capacity(body.len());
    for c in body.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    vec![body.as_bytes().to_vec().into(), ascii.into_bytes().into()]
}

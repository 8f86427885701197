//! How a value looks in a URL.

const HEX: [&[u8; 16]; 2] = [b"0123456789ABCDEF", b"0123456789abcdef"];

/// What encoders leave as it is, beside letters and digits; and how they write a space.
const ENCODERS: [(&[u8], Space); 7] = [
    // RFC 3986.
    (b"-_.~", Space::Percent),
    // A path: slashes stay.
    (b"-_.~/", Space::Percent),
    // A component, as browsers encode it.
    (b"-_.~!*'()", Space::Percent),
    // A whole address, as browsers encode it.
    (b"-_.~!*'();,/?:@&=+$#", Space::Percent),
    // The body of a form, as browsers and as scripts encode it.
    (b"-_.*", Space::Plus),
    (b"-_.~", Space::Plus),
    // A path in which a plus sign stays.
    (b"-_.~/+", Space::Percent),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Percent,
    Plus,
}

/// The percent-encoded forms of the bytes, with both cases of hex digits.
pub(super) fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for hex in HEX {
        for (kept, space) in ENCODERS {
            forms.push(encode(bytes, hex, |byte| match byte {
                b' ' if space == Space::Plus => Some(b'+'),
                byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => Some(byte),
                _ => None,
            }));
        }
        forms.push(encode(bytes, hex, |_| None));
    }
    forms
}

fn encode(bytes: &[u8], hex: &[u8; 16], plain: impl Fn(u8) -> Option<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 3);
    let digit = |value: u8| hex.get(usize::from(value)).copied().unwrap_or(b'0');
    for &byte in bytes {
        match plain(byte) {
            Some(byte) => out.push(byte),
            None => out.extend([b'%', digit(byte >> 4), digit(byte & 0xf)]),
        }
    }
    out
}

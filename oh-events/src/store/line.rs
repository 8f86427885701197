//! One line of a log: `<crc32 8 hex> <length 8 hex> {json}\n`.

/// Length of `<crc32 8 hex> <length 8 hex> `.
pub(in crate::store) const HEADER_BYTES: usize = 18;

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Parsed<'a> {
    /// A whole line.
    Line { json: &'a [u8], size: usize },
    /// The beginning of a line that goes on after the bytes at hand: it needs this many in all.
    Incomplete { size: usize },
    /// Anything else.
    Damaged,
}

/// Appends a line.
pub(in crate::store) fn write(out: &mut Vec<u8>, json: &[u8]) {
    let crc = crc32fast::hash(json);
    // Lengths are checked by `Encoded`.
    let len = u32::try_from(json.len()).unwrap_or(u32::MAX);
    out.reserve(HEADER_BYTES + json.len() + 1);
    push_hex(out, crc);
    out.push(b' ');
    push_hex(out, len);
    out.push(b' ');
    out.extend_from_slice(json);
    out.push(b'\n');
}

/// Reads the line that the bytes begin with.
pub(in crate::store) fn parse(bytes: &[u8], max_json_bytes: usize) -> Parsed<'_> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return if could_be_header(bytes) {
            Parsed::Incomplete { size: HEADER_BYTES }
        } else {
            Parsed::Damaged
        };
    };
    let [crc @ .., b' ', _, _, _, _, _, _, _, _, b' '] = header else {
        return Parsed::Damaged;
    };
    let [_, _, _, _, _, _, _, _, _, len @ .., _] = header;
    let (Some(crc), Some(len)) = (hex(crc), hex(len)) else {
        return Parsed::Damaged;
    };
    let len = len as usize;
    if len > max_json_bytes {
        return Parsed::Damaged;
    }
    let size = HEADER_BYTES + len + 1;
    let rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
    // Looked at first, so that a file full of wrong lengths costs no checksum for each of them.
    if rest.get(..len).unwrap_or(rest).contains(&b'\n') {
        return Parsed::Damaged;
    }
    let (Some(json), Some(end)) = (rest.get(..len), rest.get(len)) else {
        return Parsed::Incomplete { size };
    };
    if *end == b'\n' && crc32fast::hash(json) == crc {
        Parsed::Line { json, size }
    } else {
        Parsed::Damaged
    }
}

fn could_be_header(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(at, byte)| match at {
        8 | 17 => *byte == b' ',
        _ => digit(*byte).is_some(),
    })
}

pub(in crate::store) fn push_hex(out: &mut Vec<u8>, number: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = [28, 24, 20, 16, 12, 8, 4, 0].map(|shift| {
        let digit = (number >> shift) & 15;
        DIGITS.get(digit as usize).copied().unwrap_or(b'0')
    });
    out.extend_from_slice(&digits);
}

/// Reads eight lower-case digits.
pub(in crate::store) fn hex(digits: &[u8]) -> Option<u32> {
    if digits.len() != 8 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, byte| Some(number << 4 | digit(*byte)?))
}

fn digit(byte: u8) -> Option<u32> {
    match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'a'..=b'f' => Some(u32::from(byte - b'a') + 10),
        _ => None,
    }
}

//! How a value looks inside base64, wherever it stands in the encoded bytes.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Every form that the bytes can take: three alignments, two alphabets, and at the end of the
/// encoded data the last digit with and without padding.
///
/// A digit that also holds bits of a neighbouring byte is left out, as nobody knows it.
pub(super) fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for alphabet in [STANDARD, URL_SAFE] {
        for skipped_bytes in 0..3 {
            let digits = digits(bytes, skipped_bytes, alphabet);
            let bits = (skipped_bytes + bytes.len()) * 8;
            let known = bits / 6;
            // 1 and 2 bytes before leave 2 and 3 digits that are not the value's alone.
            let first = [0, 2, 3].get(skipped_bytes).copied().unwrap_or_default();
            let Some(core) = digits.get(first..known) else {
                continue;
            };
            forms.push(core.to_vec());
            if !bits.is_multiple_of(6) {
                let mut last = digits.get(first..).unwrap_or_default().to_vec();
                forms.push(last.clone());
                let padding = if bits % 6 == 2 { 2 } else { 1 };
                last.extend(std::iter::repeat_n(b'=', padding));
                forms.push(last);
            }
        }
    }
    forms
}

/// Base64 digits of the bytes after some zero bytes, without padding.
fn digits(bytes: &[u8], zeros: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(bytes.len() * 4 / 3 + 4);
    let mut held = 0_u32;
    let mut held_bits = 0;
    let zeros = std::iter::repeat_n(&0_u8, zeros);
    for byte in zeros.chain(bytes) {
        held = (held << 8) | u32::from(*byte);
        held_bits += 8;
        while held_bits >= 6 {
            held_bits -= 6;
            digits.push(digit(held >> held_bits, alphabet));
        }
    }
    if held_bits > 0 {
        digits.push(digit(held << (6 - held_bits), alphabet));
    }
    digits
}

fn digit(value: u32, alphabet: &[u8; 64]) -> u8 {
    let index = usize::try_from(value & 0x3f).unwrap_or_default();
    alphabet.get(index).copied().unwrap_or(b'A')
}

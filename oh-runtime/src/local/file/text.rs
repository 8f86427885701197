//! Bytes to text and back, in the encoding of the file.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, EncoderResult, Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes of a file that are looked at to find its encoding.
const DETECTED_BYTES: usize = 1 << 20;

/// The text of a file and how the file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) style: Style,
}

/// Encoding of a file and whether it begins with a byte-order mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) encoding: &'static Encoding,
    pub(super) byte_order_mark: bool,
}

impl Style {
    /// Of new files.
    pub(super) const UTF_8: Self = Self {
        encoding: UTF_8,
        byte_order_mark: false,
    };

    fn mark(&self) -> &'static [u8] {
        match self.byte_order_mark {
            false => &[],
            true if self.encoding == UTF_16LE => &[0xff, 0xfe],
            true if self.encoding == UTF_16BE => &[0xfe, 0xff],
            true => &[0xef, 0xbb, 0xbf],
        }
    }
}

/// Why bytes are no text, or a text cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TextFault {
    #[error("`{0}` is no encoding; use a label such as utf-8, utf-16le or windows-1252")]
    UnknownLabel(String),
    #[error("a binary file, not text; read it as bytes")]
    Binary,
    #[error(
        "byte {offset} is not valid {encoding}; read the file as bytes, or name the encoding that \
         it has"
    )]
    Malformed {
        offset: usize,
        encoding: &'static str,
    },
    #[error("{character:?} cannot be written in {encoding}, the encoding of the file")]
    Unmappable {
        character: char,
        encoding: &'static str,
    },
}

/// Decodes a file whose encoding is to be found out.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, TextFault> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        let content = bytes.get(length..).unwrap_or_default();
        let style = Style {
            encoding,
            byte_order_mark: true,
        };
        let decoded = decode_as(content, style, length)?;
        // UTF-32 begins like UTF-16 and then shows NUL characters.
        return if decoded.text.contains('\0') {
            Err(TextFault::Binary)
        } else {
            Ok(decoded)
        };
    }
    if bytes.contains(&0) {
        let encoding = utf_16_by_zeros(bytes).ok_or(TextFault::Binary)?;
        let style = plain(encoding);
        let decoded = decode_as(bytes, style, 0).map_err(|_| TextFault::Binary)?;
        return if decoded.text.chars().any(is_binary_control) {
            Err(TextFault::Binary)
        } else {
            Ok(decoded)
        };
    }
    let Err(error) = std::str::from_utf8(bytes) else {
        return decode_as(bytes, Style::UTF_8, 0);
    };
    if is_damaged_utf_8(bytes) {
        return Err(TextFault::Malformed {
            offset: error.valid_up_to(),
            encoding: UTF_8.name(),
        });
    }
    if bytes
        .iter()
        .any(|byte| is_binary_control(char::from(*byte)))
    {
        return Err(TextFault::Binary);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes.get(..DETECTED_BYTES).unwrap_or(bytes), true);
    let encoding = detector.guess(None, Utf8Detection::Allow);
    decode_as(bytes, plain(encoding), 0)
}

/// Decodes a file in an encoding that the caller names.
pub(super) fn decode_labelled(bytes: &[u8], label: &str) -> Result<Decoded, TextFault> {
    let encoding = Encoding::for_label(label.as_bytes())
        .filter(|encoding| *encoding != REPLACEMENT)
        .ok_or_else(|| TextFault::UnknownLabel(label.to_owned()))?;
    let (byte_order_mark, length) = match Encoding::for_bom(bytes) {
        Some((marked, length)) if marked == encoding => (true, length),
        // The bare name leaves the order of the bytes to the mark.
        Some((marked, length)) if marked == UTF_16BE && is_bare_utf_16(label) => {
            let style = Style {
                encoding: UTF_16BE,
                byte_order_mark: true,
            };
            return decode_as(bytes.get(length..).unwrap_or_default(), style, length);
        }
        _ => (false, 0),
    };
    let style = Style {
        encoding,
        byte_order_mark,
    };
    decode_as(bytes.get(length..).unwrap_or_default(), style, length)
}

fn is_bare_utf_16(label: &str) -> bool {
    label.trim().eq_ignore_ascii_case("utf-16")
}

/// Encodes a text as the file has it.
pub(super) fn encode(text: &str, style: Style) -> Result<Vec<u8>, TextFault> {
    let mut bytes = style.mark().to_vec();
    if style.encoding == UTF_8 {
        bytes.extend_from_slice(text.as_bytes());
    } else if style.encoding == UTF_16LE {
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    } else if style.encoding == UTF_16BE {
        bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    } else {
        encode_legacy(text, style.encoding, &mut bytes)?;
    }
    Ok(bytes)
}

fn encode_legacy(
    text: &str,
    encoding: &'static Encoding,
    bytes: &mut Vec<u8>,
) -> Result<(), TextFault> {
    let mut encoder = encoding.new_encoder();
    let mut rest = text;
    loop {
        let needed = encoder
            .max_buffer_length_from_utf8_without_replacement(rest.len())
            .unwrap_or(rest.len());
        bytes.reserve(needed.max(16));
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, bytes, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return Ok(()),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(character) => {
                return Err(TextFault::Unmappable {
                    character,
                    encoding: encoding.name(),
                });
            }
        }
    }
}

fn plain(encoding: &'static Encoding) -> Style {
    Style {
        encoding,
        byte_order_mark: false,
    }
}

/// `skipped` is the length of the mark before `bytes`.
fn decode_as(bytes: &[u8], style: Style, skipped: usize) -> Result<Decoded, TextFault> {
    let decoded = style
        .encoding
        .decode_without_bom_handling_and_without_replacement(bytes);
    match decoded {
        Some(text) => Ok(Decoded {
            text: Cow::into_owned(text),
            style,
        }),
        None => Err(TextFault::Malformed {
            offset: skipped + first_malformed(bytes, style.encoding),
            encoding: style.encoding.name(),
        }),
    }
}

fn first_malformed(bytes: &[u8], encoding: &'static Encoding) -> usize {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(8 << 10);
    let mut at = 0;
    loop {
        text.clear();
        let rest = bytes.get(at..).unwrap_or_default();
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        at += read;
        match result {
            DecoderResult::OutputFull => {}
            DecoderResult::InputEmpty => return at,
            DecoderResult::Malformed(length, after) => {
                return at.saturating_sub(usize::from(length) + usize::from(after));
            }
        }
    }
}

/// UTF-16 without a mark: nearly every character of most texts has one zero byte, always on the
/// same side.
fn utf_16_by_zeros(bytes: &[u8]) -> Option<&'static Encoding> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let first = units.iter().filter(|unit| unit[0] == 0).count();
    let second = units.iter().filter(|unit| unit[1] == 0).count();
    let enough = units.len().div_ceil(3);
    match (first, second) {
        (0, zeros) if zeros >= enough => Some(UTF_16LE),
        (zeros, 0) if zeros >= enough => Some(UTF_16BE),
        _ => None,
    }
}

/// Characters that texts do not have. Escape is one of coloured logs.
fn is_binary_control(character: char) -> bool {
    matches!(character, '\0'..='\x08' | '\x0e'..='\x1a' | '\x1c'..='\x1f' | '\x7f')
}

/// Text that was meant as UTF-8: where legacy encodings have bytes beyond ASCII, few of them form
/// valid sequences by chance.
fn is_damaged_utf_8(bytes: &[u8]) -> bool {
    let mut sequences = 0_usize;
    let mut faults = 0_usize;
    for chunk in bytes.utf8_chunks() {
        sequences += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        faults += usize::from(!chunk.invalid().is_empty());
    }
    sequences > 0 && sequences >= faults
}

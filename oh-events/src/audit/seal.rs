//! The value of a chain as it stands at the end of the JSON of an event.

use crate::hex;

/// The last top-level key of a chained event.
pub(crate) const KEY: &str = "oh_chain";

/// Most bytes that a value adds to an event.
pub(crate) const SEAL_BYTES: usize = 96;

const BEFORE: &str = ",\"oh_chain\":\"";
const AFTER: &str = "\"}";
const HEX_DIGITS: usize = 64;

/// What made a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Plain,
    Keyed,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "sha256",
            Self::Keyed => "hmac-sha256",
        }
    }
}

/// An event with the value that stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sealed<'a> {
    /// Its JSON without the value and without the last brace.
    pub(super) open_json: &'a [u8],
    pub(super) method: Method,
    pub(super) value: [u8; 32],
}

impl<'a> Sealed<'a> {
    /// Finds the value at the end of an event, if it has one.
    pub(super) fn find(json: &'a [u8]) -> Option<Self> {
        let rest = json.strip_suffix(AFTER.as_bytes())?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(HEX_DIGITS)?)?;
        let value = hex::parse(digits)?;
        [Method::Keyed, Method::Plain]
            .into_iter()
            .find_map(|method| {
                let open_json = rest
                    .strip_suffix(b":")?
                    .strip_suffix(method.name().as_bytes())?
                    .strip_suffix(BEFORE.as_bytes())?;
                Some(Self {
                    open_json,
                    method,
                    value,
                })
            })
    }

    /// The parts of the JSON that the value is made over.
    pub(super) fn parts(&self) -> [&'a [u8]; 2] {
        [self.open_json, b"}"]
    }
}

/// Writes a value as the last key of an event.
pub(super) fn write(json: &mut Vec<u8>, method: Method, value: &[u8; 32]) {
    // The last brace of the object.
    json.pop();
    json.extend_from_slice(BEFORE.as_bytes());
    json.extend_from_slice(method.name().as_bytes());
    json.push(b':');
    json.extend_from_slice(hex::lower(value).as_bytes());
    json.extend_from_slice(AFTER.as_bytes());
}

//! A JSON value that is kept as text, so that key order and number spelling survive.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::codec::DecodeError;
use crate::event::pieces::{Piece, Pieces, unquote};

/// Any JSON value, kept as compact text: the order of keys and the spelling of numbers stay as
/// they were written.
///
/// Two values are equal if they mean the same, whatever their texts.
#[derive(Clone)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// Takes a text that is one JSON value. White space between tokens is dropped.
    ///
    /// # Errors
    /// The text is no JSON value.
    pub fn parse(text: impl Into<String>) -> Result<Self, DecodeError> {
        RawValue::from_string(text.into())
            .map(Self::compact)
            .map_err(|error| DecodeError::new(error.to_string()))
    }

    /// Encodes a value.
    ///
    /// # Errors
    /// The value has no JSON form, for example a map whose keys are no texts.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, DecodeError> {
        serde_json::value::to_raw_value(value)
            .map(Self::compact)
            .map_err(|error| DecodeError::new(error.to_string()))
    }

    /// The value `{}`.
    pub fn object() -> Self {
        Self::from_valid("{}".to_owned())
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        self.as_str() == "null"
    }

    /// Decodes the text into a type.
    ///
    /// # Errors
    /// The value has another shape, or is nested deeper than 128 levels.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.as_str()).map_err(|error| DecodeError::json(&error))
    }

    /// The value as a tree; keys come in alphabetical order.
    ///
    /// # Errors
    /// The value is nested deeper than 128 levels or holds a number out of range.
    pub fn to_value(&self) -> Result<Value, DecodeError> {
        self.decode()
    }

    /// Wraps a text that this crate wrote; anything but JSON becomes `null`.
    fn from_valid(text: String) -> Self {
        RawValue::from_string(text).map_or_else(|_| Self::default(), Self)
    }

    fn compact(raw: Box<RawValue>) -> Self {
        // Only between the tokens of an object or a list can there be white space.
        if !raw.get().starts_with(['{', '[']) {
            return Self(raw);
        }
        let mut out = None::<String>;
        let mut done = 0;
        for piece in Pieces::new(raw.get()) {
            if let Piece::Other(text) = piece
                && text.contains(|c: char| c.is_ascii_whitespace())
            {
                let out = out.get_or_insert_with(|| raw.get().get(..done).unwrap_or("").to_owned());
                out.extend(text.chars().filter(|c| !c.is_ascii_whitespace()));
            } else if let Some(out) = &mut out {
                out.push_str(piece.text());
            }
            done += piece.text().len();
        }
        out.map_or(Self(raw), Self::from_valid)
    }

    pub(crate) fn visit_strings(&self, visit: &mut dyn FnMut(&str)) {
        for piece in Pieces::new(self.as_str()) {
            if let Piece::Quoted(literal) = piece {
                visit(&unquote(literal));
            }
        }
    }

    pub(crate) fn visit_strings_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        let mut out = None::<String>;
        let mut done = 0;
        for piece in Pieces::new(self.as_str()) {
            let mut replacement = None;
            if let Piece::Quoted(literal) = piece {
                let before = unquote(literal);
                let mut after = before.clone().into_owned();
                visit(&mut after);
                replacement = (after != before).then(|| Value::String(after).to_string());
            }
            match (&mut out, &replacement) {
                (None, None) => {}
                (None, Some(text)) => {
                    let mut started = self.as_str().get(..done).unwrap_or("").to_owned();
                    started.push_str(text);
                    out = Some(started);
                }
                (Some(out), _) => out.push_str(replacement.as_deref().unwrap_or(piece.text())),
            }
            done += piece.text().len();
        }
        if let Some(out) = out {
            *self = Self::from_valid(out);
        }
    }
}

impl Default for RawJson {
    /// `null`.
    fn default() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl From<Value> for RawJson {
    fn from(value: Value) -> Self {
        Self::from_valid(value.to_string())
    }
}

impl From<Box<RawValue>> for RawJson {
    fn from(json: Box<RawValue>) -> Self {
        Self::compact(json)
    }
}

impl From<&str> for RawJson {
    /// The JSON string with this text (not the text as JSON: that is [`parse`](Self::parse)).
    fn from(text: &str) -> Self {
        Value::from(text).into()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
            || matches!((self.to_value(), other.to_value()), (Ok(a), Ok(b)) if a == b)
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::compact)
    }
}

//! JSON that is kept as text, so that key order and number spelling survive.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::codec::DecodeError;

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

/// A JSON object in the order of its text. Of two equal keys the last value counts.
#[derive(Clone, Default)]
pub struct RawObject(Vec<(String, RawJson)>);

impl RawObject {
    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&RawJson> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets a key, in its place if it is there, at the end otherwise.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<RawJson>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<RawJson> {
        let at = self.0.iter().position(|(k, _)| k == key)?;
        Some(self.0.remove(at).1)
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// True if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes a field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, DecodeError> {
        let value = self.remove(key).ok_or_else(|| DecodeError::missing(key))?;
        value.decode().map_err(|error: DecodeError| error.at(key))
    }

    /// Takes a field that may be absent. `null` counts as absent where the type knows no null:
    /// the Python implementation writes `None` into any field.
    pub(crate) fn optional<T: DeserializeOwned>(
        &mut self,
        key: &str,
    ) -> Result<Option<T>, DecodeError> {
        let Some(value) = self.remove(key) else {
            return Ok(None);
        };
        match value.decode() {
            Ok(value) => Ok(Some(value)),
            Err(_) if value.is_null() => Ok(None),
            Err(error) => Err(error.at(key)),
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&str, &RawJson) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    pub(crate) fn visit_strings(&self, visit: &mut dyn FnMut(&str)) {
        for (key, value) in &self.0 {
            visit(key);
            value.visit_strings(visit);
        }
    }

    pub(crate) fn visit_strings_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        for (key, value) in &mut self.0 {
            visit(key);
            value.visit_strings_mut(visit);
        }
    }
}

impl PartialEq for RawObject {
    /// Order does not count, as in JSON.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(k, v)| other.value(k) == Some(v))
    }
}

impl fmt::Debug for RawObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut entries = Vec::<(String, RawJson)>::new();
                let mut places = HashMap::new();
                while let Some((key, value)) = map.next_entry::<String, RawJson>()? {
                    let place = *places.entry(key.clone()).or_insert(entries.len());
                    match entries.get_mut(place) {
                        Some(entry) => entry.1 = value,
                        None => entries.push((key, value)),
                    }
                }
                Ok(RawObject(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// A part of a valid JSON text: a string with its quotes, or what stands between strings.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Quoted(&'a str),
    Other(&'a str),
}

impl<'a> Piece<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Quoted(text) | Self::Other(text) => text,
        }
    }
}

/// Cuts a valid JSON text into [`Piece`]s. Needs no stack, so any depth will do.
pub(crate) struct Pieces<'a>(&'a str);

impl<'a> Pieces<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let quoted = self.0.starts_with('"');
        let end = if quoted {
            let mut escaped = false;
            self.0
                .bytes()
                .skip(1)
                .position(|byte| {
                    let ends = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                })
                .map_or(self.0.len(), |at| at + 2)
        } else {
            self.0.find('"').unwrap_or(self.0.len())
        };
        let (piece, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(if quoted {
            Piece::Quoted(piece)
        } else {
            Piece::Other(piece)
        })
    }
}

/// Text of a string literal. Halves of surrogate pairs, which Python writes, become U+FFFD.
pub(crate) fn unquote(literal: &str) -> Cow<'_, str> {
    let inner = literal
        .get(1..literal.len().saturating_sub(1))
        .unwrap_or("");
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    if let Ok(text) = serde_json::from_str::<String>(literal) {
        return Cow::Owned(text);
    }
    let mut mended = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('\\') {
        mended.push_str(before);
        let is_half = after.starts_with(['u'])
            && after.get(1..2).is_some_and(|d| d.eq_ignore_ascii_case("d"))
            && after
                .get(2..3)
                .is_some_and(|d| "89abcdefABCDEF".contains(d));
        let taken = if is_half { 5 } else { 1 };
        let escape = after.get(..taken).unwrap_or(after);
        mended.push('\\');
        mended.push_str(if is_half { "ufffd" } else { escape });
        rest = after.get(escape.len()..).unwrap_or("");
    }
    mended.push_str(rest);
    Cow::Owned(serde_json::from_str(&mended).unwrap_or_default())
}

//! The fields of a JSON object on their way into a struct, borrowed from its text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::codec::DecodeError;
use crate::event::{Entries, RawJson, RawObject};

/// Room for the fields of most objects.
const USUAL_FIELDS: usize = 10;

/// The fields that were not taken yet, in the order of the text. Of two equal keys the last value
/// counts.
#[derive(Default)]
pub(crate) struct Fields<'j>(Vec<(Cow<'j, str>, Field<'j>)>);

/// A value that was not decoded yet.
pub(crate) enum Field<'j> {
    /// As it stands in the text.
    Borrowed(&'j RawValue),
    /// Put in its place.
    Owned(RawJson),
}

impl Field<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(json) => json.get(),
            Self::Owned(json) => json.as_str(),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.as_str() == "null"
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.as_str()).map_err(|error| DecodeError::json(&error))
    }

    pub(crate) fn into_json(self) -> RawJson {
        match self {
            Self::Borrowed(json) => json.to_owned().into(),
            Self::Owned(json) => json,
        }
    }
}

impl<'j> Fields<'j> {
    pub(crate) fn parse(json: &'j str) -> Result<Self, DecodeError> {
        serde_json::from_str(json).map_err(|error| DecodeError::json(&error))
    }

    pub(crate) fn value(&self, key: &str) -> Option<&Field<'j>> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets a key, in its place if it is there, at the end otherwise.
    pub(crate) fn insert(&mut self, key: &str, value: impl Into<RawJson>) {
        let value = Field::Owned(value.into());
        match self.0.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((Cow::Owned(key.to_owned()), value)),
        }
    }

    /// Takes a field out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Field<'j>> {
        let at = self.0.iter().position(|(k, _)| k == key)?;
        Some(self.0.remove(at).1)
    }

    /// Takes a field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, DecodeError> {
        let value = self.remove(key).ok_or_else(|| DecodeError::missing(key))?;
        value.decode().map_err(|error: DecodeError| error.at(key))
    }

    /// Takes a text that must be there.
    pub(crate) fn text(&mut self, key: &str) -> Result<Cow<'j, str>, DecodeError> {
        let decoded = match self.remove(key) {
            None => return Err(DecodeError::missing(key)),
            Some(Field::Borrowed(json)) => serde_json::from_str(json.get())
                .map(|Text(text)| text)
                .map_err(|error| DecodeError::json(&error)),
            Some(Field::Owned(json)) => json.decode().map(Cow::Owned),
        };
        decoded.map_err(|error: DecodeError| error.at(key))
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

    /// What no one took, to be kept.
    pub(crate) fn into_object(self) -> RawObject {
        if self.0.is_empty() {
            return RawObject::default();
        }
        let rest = self.0.into_iter();
        rest.map(|(key, value)| (key.into_owned(), value.into_json()))
            .collect()
    }
}

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'j>(#[serde(borrow)] Cow<'j, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut entries = Entries::with_capacity(USUAL_FIELDS);
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    entries.put(key, Field::Borrowed(value));
                }
                Ok(Fields(entries.into_list()))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

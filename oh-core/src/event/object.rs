//! A JSON object whose values are kept as text.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::DecodeError;
use crate::event::RawJson;

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

impl FromIterator<(String, RawJson)> for RawObject {
    /// Of two equal keys the last value counts.
    fn from_iter<I: IntoIterator<Item = (String, RawJson)>>(entries: I) -> Self {
        let mut all = Entries::default();
        entries
            .into_iter()
            .for_each(|(key, value)| all.put(key, value));
        Self(all.into_list())
    }
}

/// Entries of an object as they come. Of two equal keys the last value counts, at the place of
/// the first.
pub(crate) struct Entries<K, V> {
    list: Vec<(K, V)>,
    /// Where each key stands; empty while the list is short enough to be searched.
    places: HashMap<K, usize>,
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Entries<K, V> {
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self {
            list: Vec::with_capacity(entries),
            places: HashMap::new(),
        }
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        const SEARCHED: usize = 32;
        if self.list.len() == SEARCHED && self.places.is_empty() {
            let keys = self.list.iter().map(|(key, _)| key.clone());
            self.places = keys.zip(0..).collect();
        }
        let place = if self.places.is_empty() {
            self.list.iter().position(|(known, _)| *known == key)
        } else {
            self.places.get(&key).copied()
        };
        match place.and_then(|place| self.list.get_mut(place)) {
            Some(entry) => entry.1 = value,
            None => {
                if !self.places.is_empty() {
                    self.places.insert(key.clone(), self.list.len());
                }
                self.list.push((key, value));
            }
        }
    }

    pub(crate) fn into_list(self) -> Vec<(K, V)> {
        self.list
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
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut entries = Entries::default();
                while let Some((key, value)) = map.next_entry::<String, RawJson>()? {
                    entries.put(key, value);
                }
                Ok(RawObject(entries.into_list()))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

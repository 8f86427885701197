//! Masks JSON values.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::secret::masker::Masker;

impl Masker {
    /// Masks every string of a JSON value, keys and nested lists included. Numbers stay.
    ///
    /// Keys that become the same get a number, so that no member is lost.
    pub fn mask_json(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Value::Object(members) => {
                members
                    .values_mut()
                    .for_each(|member| self.mask_json(member));
                if members
                    .keys()
                    .any(|key| matches!(self.mask(key), Cow::Owned(_)))
                {
                    *members = self.with_masked_keys(std::mem::take(members));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn with_masked_keys(&self, members: Map<String, Value>) -> Map<String, Value> {
        let mut masked = Map::new();
        for (key, member) in members {
            let name = self.mask(&key).into_owned();
            let mut free = name.clone();
            let mut number = 2;
            while masked.contains_key(&free) {
                free = format!("{name}_{number}");
                number += 1;
            }
            masked.insert(free, member);
        }
        masked
    }
}

//! Every text that an event carries, for masking and searching.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{BlobRef, RawJson, RawObject};
use crate::id::{EventId, IdempotencyKey, ProcessId, SessionName};
use crate::runtime::{Exit, Usage};

/// A value that holds texts. Each text is visited once, in the order of the fields.
pub(crate) trait Texts {
    fn texts(&self, visit: &mut dyn FnMut(&str));
    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String));
}

/// True for a text that is wholly one base64 data URL of an image, a sound, a film or a PDF.
///
/// Such a text is left alone: a chance match in it would only damage the picture. Text kinds are
/// not, since a secret in base64 is still a secret.
pub(crate) fn is_binary(text: &str) -> bool {
    let Some((media, data)) = text
        .strip_prefix("data:")
        .and_then(|t| t.split_once(";base64,"))
    else {
        return false;
    };
    let opaque = ["image/", "audio/", "video/", "application/pdf"];
    opaque.iter().any(|prefix| media.starts_with(prefix))
        && !media.starts_with("image/svg")
        && media.len() < 64
        && data
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
}

impl Texts for String {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        if !is_binary(self) {
            visit(self);
        }
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        if !is_binary(self) {
            visit(self);
        }
    }
}

macro_rules! raw_texts {
    ($($name:ty),*) => {$(
        impl Texts for $name {
            fn texts(&self, visit: &mut dyn FnMut(&str)) {
                self.visit_strings(&mut |text| {
                    if !is_binary(text) {
                        visit(text);
                    }
                });
            }

            fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
                self.visit_strings_mut(&mut |text| {
                    if !is_binary(text) {
                        visit(text);
                    }
                });
            }
        }
    )*};
}

raw_texts!(RawJson, RawObject);

impl<T: Texts> Texts for Option<T> {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        self.iter().for_each(|item| item.texts(visit));
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.iter_mut().for_each(|item| item.texts_mut(visit));
    }
}

impl<T: Texts> Texts for Box<T> {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        (**self).texts(visit);
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        (**self).texts_mut(visit);
    }
}

impl<T: Texts> Texts for Vec<T> {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        self.iter().for_each(|item| item.texts(visit));
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.iter_mut().for_each(|item| item.texts_mut(visit));
    }
}

impl<T: Texts> Texts for BTreeMap<String, T> {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        for (key, item) in self {
            visit(key);
            item.texts(visit);
        }
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        for (mut key, mut item) in std::mem::take(self) {
            visit(&mut key);
            item.texts_mut(visit);
            self.insert(key, item);
        }
    }
}

impl Texts for Exit {
    fn texts(&self, visit: &mut dyn FnMut(&str)) {
        if let Self::SpawnFailed(error) = self {
            visit(&error.program);
            visit(&error.message);
        }
    }

    fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        if let Self::SpawnFailed(error) = self {
            visit(&mut error.program);
            visit(&mut error.message);
        }
    }
}

/// Implements [`Texts`] for types without any text of people or programs in them.
macro_rules! no_texts {
    ($($name:ty),* $(,)?) => {$(
        impl $crate::event::text::Texts for $name {
            fn texts(&self, _: &mut dyn FnMut(&str)) {}
            fn texts_mut(&mut self, _: &mut dyn FnMut(&mut String)) {}
        }
    )*};
}
pub(crate) use no_texts;

no_texts!(
    bool,
    i64,
    u64,
    f64,
    Duration,
    EventId,
    SessionName,
    ProcessId,
    IdempotencyKey
);
no_texts!(BlobRef, Usage);

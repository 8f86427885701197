//! One declaration per kind: fields with their defaults become a struct, its JSON and its texts.

/// Declares the struct of a kind.
///
/// - `lead`: arguments of `new` that have their own place in the envelope;
/// - `required`: arguments of `new`, and JSON fields that must be there;
/// - `optional`: JSON fields with a default (`as "key"` where the key is no field name);
/// - `aside`: no JSON field here; the envelope's code writes it elsewhere.
///
/// Fields are written in the order of declaration. Fields that are not known stay in `extra`.
macro_rules! payload {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(lead { $($(#[$lead_meta:meta])* $lead:ident: $lead_type:ty,)* })?
            $(required { $($(#[$required_meta:meta])* $required:ident: $required_type:ty,)* })?
            $(optional { $(
                $(#[$optional_meta:meta])*
                $optional:ident: $optional_type:ty $(as $key:literal)? = $default:expr,
            )* })?
            $(aside { $($(#[$aside_meta:meta])* $aside:ident: $aside_type:ty,)* })?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($($(#[$lead_meta])* pub $lead: $lead_type,)*)?
            $($($(#[$required_meta])* pub $required: $required_type,)*)?
            $($($(#[$optional_meta])* pub $optional: $optional_type,)*)?
            $($($(#[$aside_meta])* pub $aside: $aside_type,)*)?
            /// Fields that this version does not know, kept for whoever wrote them.
            pub extra: $crate::event::RawObject,
        }

        impl $name {
            /// Creates it from what it cannot do without; the rest has its defaults.
            #[allow(clippy::too_many_arguments)]
            pub fn new(
                $($($lead: impl Into<$lead_type>,)*)?
                $($($required: impl Into<$required_type>,)*)?
            ) -> Self {
                Self {
                    $($($lead: $lead.into(),)*)?
                    $($($required: $required.into(),)*)?
                    $($($optional: $default,)*)?
                    $($($aside: Default::default(),)*)?
                    extra: Default::default(),
                }
            }

            $($(
                #[doc = concat!("Sets [`", stringify!($optional), "`](Self::", stringify!($optional), ").")]
                #[must_use]
                pub fn $optional(mut self, value: impl Into<$optional_type>) -> Self {
                    self.$optional = value.into();
                    self
                }
            )*)?

            $($(
                #[doc = concat!("Sets [`", stringify!($aside), "`](Self::", stringify!($aside), ").")]
                #[must_use]
                pub fn $aside(mut self, value: impl Into<$aside_type>) -> Self {
                    self.$aside = value.into();
                    self
                }
            )*)?

            #[allow(unused_mut)]
            pub(crate) fn take(
                mut fields: $crate::codec::fields::Fields<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self {
                    $($($lead: Default::default(),)*)?
                    $($($required: fields.required(stringify!($required))?,)*)?
                    $($($optional: fields
                        .optional($crate::codec::payload::key!($optional $($key)?))?
                        .unwrap_or_else(|| $default),)*)?
                    $($($aside: Default::default(),)*)?
                    extra: fields.into_object(),
                })
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($($lead: Default::default(),)*)?
                    $($($required: Default::default(),)*)?
                    $($($optional: $default,)*)?
                    $($($aside: Default::default(),)*)?
                    extra: Default::default(),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $($(map.serialize_entry(stringify!($required), &self.$required)?;)*)?
                $($(map.serialize_entry(
                    $crate::codec::payload::key!($optional $($key)?),
                    &self.$optional,
                )?;)*)?
                for (key, value) in self.extra.iter() {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Whatever it is read from, the fields are borrowed from a text.
                let json = <Box<serde_json::value::RawValue>>::deserialize(deserializer)?;
                $crate::codec::fields::Fields::parse(json.get())
                    .and_then(Self::take)
                    .map_err(serde::de::Error::custom)
            }
        }

        impl $crate::event::text::Texts for $name {
            fn texts(&self, visit: &mut dyn FnMut(&str)) {
                $($($crate::event::text::Texts::texts(&self.$lead, visit);)*)?
                $($($crate::event::text::Texts::texts(&self.$required, visit);)*)?
                $($($crate::event::text::Texts::texts(&self.$optional, visit);)*)?
                $($($crate::event::text::Texts::texts(&self.$aside, visit);)*)?
                $crate::event::text::Texts::texts(&self.extra, visit);
            }

            fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
                $($($crate::event::text::Texts::texts_mut(&mut self.$lead, visit);)*)?
                $($($crate::event::text::Texts::texts_mut(&mut self.$required, visit);)*)?
                $($($crate::event::text::Texts::texts_mut(&mut self.$optional, visit);)*)?
                $($($crate::event::text::Texts::texts_mut(&mut self.$aside, visit);)*)?
                $crate::event::text::Texts::texts_mut(&mut self.extra, visit);
            }
        }
    };
}
pub(crate) use payload;

macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}
pub(crate) use key;

/// Declares the enum over the structs of [`payload!`]: the kinds that OpenHands V0 has a class
/// for, with their discriminators, and the kinds that only we have.
macro_rules! kinds {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            v0 {
                $($(#[$variant_meta:meta])* $variant:ident($type:ty) = $kind:literal,)*
            }
            native {
                $($(#[$native_meta:meta])* $native:ident($native_type:ty),)*
            }
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant($type),)*
            $($(#[$native_meta])* $native($native_type),)*
        }

        $(impl From<$type> for $name {
            fn from(payload: $type) -> Self {
                Self::$variant(payload)
            }
        })*

        $(impl From<$native_type> for $name {
            fn from(payload: $native_type) -> Self {
                Self::$native(payload)
            }
        })*

        impl $name {
            /// Discriminators of the kinds that OpenHands V0 has a class for.
            pub const V0_KINDS: &'static [&'static str] = &[$($kind),*];

            pub(crate) fn v0_kind(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant(_) => Some($kind),)*
                    _ => None,
                }
            }

            /// Decodes the fields of a kind of [`V0_KINDS`](Self::V0_KINDS).
            pub(crate) fn take(
                kind: &str,
                fields: $crate::codec::fields::Fields<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                match kind {
                    $($kind => <$type>::take(fields).map(Self::$variant),)*
                    _ => Err($crate::codec::DecodeError::new("unknown kind")),
                }
            }

            pub(crate) fn serialize_fields<S: serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(payload) => serde::Serialize::serialize(payload, serializer),)*
                    _ => serde::Serialize::serialize(
                        &$crate::event::RawObject::default(),
                        serializer,
                    ),
                }
            }
        }

        impl $crate::event::text::Texts for $name {
            fn texts(&self, visit: &mut dyn FnMut(&str)) {
                match self {
                    $(Self::$variant(payload) => $crate::event::text::Texts::texts(payload, visit),)*
                    $(Self::$native(payload) => $crate::event::text::Texts::texts(payload, visit),)*
                }
            }

            fn texts_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
                match self {
                    $(Self::$variant(payload) => $crate::event::text::Texts::texts_mut(payload, visit),)*
                    $(Self::$native(payload) => $crate::event::text::Texts::texts_mut(payload, visit),)*
                }
            }
        }
    };
}
pub(crate) use kinds;

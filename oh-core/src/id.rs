//! Identifiers. All are opaque to callers; none may be taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Position of an event in its log: dense, from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EventId(pub u64);

impl EventId {
    /// The id after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! text_id {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text that came from the party that hands these ids out.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    };
}

text_id! {
    /// A process of one runtime, unique for the life of that runtime.
    ProcessId
}
text_id! {
    /// A runtime (one sandbox).
    RuntimeId
}
text_id! {
    /// A key chosen by the caller: the same key with the same command is the same process.
    IdempotencyKey
}
text_id! {
    /// A tool call, as the model named it.
    CallId
}

macro_rules! checked_name {
    ($(#[$docs:meta])* $name:ident, $operation:literal) => {
        $(#[$docs])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps a name: 1 to 128 of `A-Z a-z 0-9 - _ .`, not starting with a dot.
            ///
            /// # Errors
            /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for anything else.
            pub fn new(name: impl Into<String>) -> Result<Self> {
                let name = name.into();
                let fits = (1..=128).contains(&name.len())
                    && !name.starts_with('.')
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
                if fits {
                    Ok(Self(name))
                } else {
                    Err(Error::invalid(
                        $operation,
                        "a name is 1 to 128 of A-Z a-z 0-9 - _ . and does not start with a dot",
                    )
                    .with_object(name.chars().take(160).collect::<String>()))
                }
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(name: String) -> Result<Self> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    };
}

checked_name! {
    /// Name of a persistent shell of a runtime.
    SessionName, "session name"
}
checked_name! {
    /// Name of an event log: one agent session. Also a folder name.
    SessionId, "session id"
}

//! What is known about the danger of an action, and whether the user agreed to it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::text::no_texts;

/// Danger of an action as its author or an analyzer sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SecurityRisk {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// Reads, or changes the workspace.
    Low,
    /// Changes something outside of the workspace that can be undone.
    Medium,
    /// Cannot be undone, or sends data away.
    High,
}

impl SecurityRisk {
    /// The number in event logs: −1 to 2.
    pub const fn level(self) -> i64 {
        match self {
            Self::Unknown => -1,
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
        }
    }

    /// The risk with this number.
    pub const fn from_level(level: i64) -> Option<Self> {
        match level {
            -1 => Some(Self::Unknown),
            0 => Some(Self::Low),
            1 => Some(Self::Medium),
            2 => Some(Self::High),
            _ => None,
        }
    }

    /// The risk that a model names: `LOW`, `MEDIUM`, `HIGH` or `UNKNOWN`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "UNKNOWN" => Some(Self::Unknown),
            "LOW" => Some(Self::Low),
            "MEDIUM" => Some(Self::Medium),
            "HIGH" => Some(Self::High),
            _ => None,
        }
    }
}

impl Serialize for SecurityRisk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.level())
    }
}

impl<'de> Deserialize<'de> for SecurityRisk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_level(i64::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("a risk is -1, 0, 1 or 2"))
    }
}

/// Whether the user agreed to an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConfirmationState {
    /// Agreed, or nobody asked.
    #[default]
    Confirmed,
    /// Refused.
    Rejected,
    /// Asked, not answered.
    AwaitingConfirmation,
}

no_texts!(SecurityRisk, ConfirmationState);

//! What all arguments have in common.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::action::{Action, SecurityRisk};

/// Arguments that become an action.
pub(in crate::tool) trait Arguments: DeserializeOwned + JsonSchema {
    const TOOL: &'static str;

    /// Makes the action, or says which argument is wrong and what to send instead.
    fn into_action(self) -> Result<Action, Wrong>;
}

pub(in crate::tool) struct Wrong {
    pub(in crate::tool) argument: &'static str,
    pub(in crate::tool) advice: &'static str,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub(super) enum Risk {
    #[default]
    Unknown,
    Low,
    Medium,
    High,
}

impl From<Risk> for SecurityRisk {
    fn from(risk: Risk) -> Self {
        match risk {
            Risk::Unknown => Self::Unknown,
            Risk::Low => Self::Low,
            Risk::Medium => Self::Medium,
            Risk::High => Self::High,
        }
    }
}

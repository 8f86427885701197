//! Tools of MCP servers and of the host.

use std::time::Duration;

use crate::action::SecurityRisk;
use crate::codec::payload::payload;
use crate::event::RawJson;

payload! {
    /// Calls a tool by name.
    pub struct CallToolAction {
        required {
            /// Name of the tool.
            name: String,
        }
        optional {
            /// Its arguments, an object.
            arguments: RawJson = RawJson::object(),
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Danger of the call.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
        }
        aside {
            /// How long the call may take.
            timeout: Option<Duration>,
        }
    }
}

//! Web pages.

use std::time::Duration;

use crate::action::SecurityRisk;
use crate::codec::payload::payload;

payload! {
    /// Opens a page.
    pub struct BrowseAction {
        required {
            /// Address of the page.
            url: String,
        }
        optional {
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Danger of the visit.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
            /// Answer with the accessibility tree.
            return_axtree: bool = false,
        }
        aside {
            /// How long the visit may take.
            timeout: Option<Duration>,
        }
    }
}

payload! {
    /// Acts in the open page.
    pub struct BrowseInteractiveAction {
        required {
            /// Calls of the browser's action language, one per line.
            browser_actions: String,
        }
        optional {
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Message for the user that the browsing agent ends with.
            browsergym_send_msg_to_user: String = String::new(),
            /// Danger of the actions.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
            /// Answer with the accessibility tree.
            return_axtree: bool = false,
        }
        aside {
            /// How long the actions may take.
            timeout: Option<Duration>,
        }
    }
}

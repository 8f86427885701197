//! Words: of the user, of the agent, to itself.

use crate::action::SecurityRisk;
use crate::codec::payload::payload;
use crate::event::RawJson;

payload! {
    /// A message of the user or the agent.
    pub struct MessageAction {
        required {
            /// The text.
            content: String,
        }
        optional {
            /// Files that go with it.
            file_urls: Option<Vec<String>> = None,
            /// Pictures that go with it: addresses or data URLs.
            image_urls: Option<Vec<String>> = None,
            /// The agent stops until the user answers.
            wait_for_response: bool = false,
            /// Danger of the message.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
        }
    }
}

payload! {
    /// The system message, first event of a session.
    pub struct SystemAction {
        required {
            /// The text.
            content: String,
        }
        optional {
            /// Tools that the model is told of.
            tools: Option<Vec<RawJson>> = None,
            /// Version of the program that wrote the log.
            openhands_version: Option<String> = None,
            /// Name of the agent.
            agent_class: Option<String> = None,
        }
    }
}

payload! {
    /// A thought that is only logged.
    pub struct ThinkAction {
        optional {
            /// The thought.
            thought: String = String::new(),
        }
    }
}

//! Results of tools.

use crate::codec::payload::payload;
use crate::event::RawJson;

payload! {
    /// What a tool answered.
    pub struct CallToolObservation {
        lead {
            /// The answer.
            content: String,
        }
        optional {
            /// Name of the tool.
            name: String = String::new(),
            /// The arguments of the call.
            arguments: RawJson = RawJson::object(),
        }
    }
}

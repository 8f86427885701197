//! Answers that only acknowledge.

use crate::codec::payload::payload;

payload! {
    /// A thought was logged.
    pub struct ThinkObservation {
        lead {
            /// Text for the model.
            content: String,
        }
    }
}

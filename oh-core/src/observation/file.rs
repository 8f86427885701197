//! Results of file operations.

use crate::action::{EditSource, FileOperation, ReadSource};
use crate::codec::payload::payload;
use crate::event::RawJson;

payload! {
    /// Content of a file.
    pub struct ReadObservation {
        lead {
            /// The text, or a data URL for a picture.
            content: String,
        }
        required {
            /// The file.
            path: String,
        }
        optional {
            /// How it was read.
            impl_source: ReadSource = ReadSource::Default,
        }
    }
}

payload! {
    /// A file was written.
    pub struct WriteObservation {
        lead {
            /// Remarks.
            content: String,
        }
        required {
            /// The file.
            path: String,
        }
    }
}

payload! {
    /// A file was changed.
    pub struct EditObservation {
        lead {
            /// Text for the model: what was done, or why not.
            content: String,
        }
        optional {
            /// The file.
            path: String = String::new(),
            /// The file was there before.
            prev_exist: bool = false,
            /// Text before.
            old_content: Option<String> = None,
            /// Text afterwards.
            new_content: Option<String> = None,
            /// Who applied the edit.
            impl_source: EditSource = EditSource::LlmBasedEdit,
            /// The change in diff form.
            diff: Option<String> = None,
            /// A private field of the Python class that its logs hold.
            diff_cache: Option<String> as "_diff_cache" = None,
        }
    }
}

payload! {
    /// A file was downloaded.
    pub struct DownloadObservation {
        lead {
            /// Remarks.
            content: String,
        }
        required {
            /// Where it is now.
            file_path: String,
        }
    }
}

payload! {
    /// Result of a [`FileAction`](crate::action::FileAction); OpenHands V0 sees a command's output.
    pub struct FileObservation {
        lead {
            /// The result as text for the model.
            content: String,
        }
        required {
            /// What was done.
            operation: FileOperation,
        }
        optional {
            /// The result as data.
            result: RawJson = RawJson::default(),
        }
    }
}

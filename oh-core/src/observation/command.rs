//! Results of commands and Python cells.

use std::borrow::Cow;

use crate::codec::payload::payload;
use crate::event::text::no_texts;
use crate::event::{BlobRef, truncate_middle};
use crate::id::ProcessId;
use crate::runtime::{Exit, Pause, Usage};

no_texts!(Pause);

payload! {
    /// What a command wrote and how it stands.
    pub struct RunObservation {
        lead {
            /// Its output.
            content: String,
        }
        required {
            /// The command.
            command: String,
        }
        optional {
            /// The shell's view at the end.
            metadata: CommandMetadata = CommandMetadata::default(),
            /// Not shown to the model or the user.
            hidden: bool = false,
        }
        aside {
            /// What OpenHands V0 has no field for.
            details: Box<RunDetails>,
        }
    }
}

payload! {
    /// The shell's view at the end of a command. What is not known is −1 or `None`.
    pub struct CommandMetadata {
        optional {
            /// Exit code, −1 if it runs on or ended without one.
            exit_code: i64 = -1,
            /// Process id.
            pid: i64 = -1,
            /// User of the shell.
            username: Option<String> = None,
            /// Name of the machine.
            hostname: Option<String> = None,
            /// Directory of the shell afterwards.
            working_dir: Option<String> = None,
            /// The Python interpreter in its path.
            py_interpreter_path: Option<String> = None,
            /// Text for the model before the output.
            prefix: String = String::new(),
            /// Text for the model after the output.
            suffix: String = String::new(),
        }
    }
}

payload! {
    /// What is known about a command beyond the fields of OpenHands V0.
    pub struct RunDetails {
        optional {
            /// How it ended.
            exit: Option<Exit> = None,
            /// What it cost.
            usage: Option<Usage> = None,
            /// Why the wait ended while it runs on.
            pause: Option<Pause> = None,
            /// Name to attach to while it runs.
            process: Option<ProcessId> = None,
            /// Its standard error, where it is kept apart.
            stderr: Option<String> = None,
            /// Bytes it wrote to standard output.
            stdout_bytes: Option<u64> = None,
            /// Bytes it wrote to standard error.
            stderr_bytes: Option<u64> = None,
            /// All of standard output.
            stdout_blob: Option<BlobRef> = None,
            /// All of standard error.
            stderr_blob: Option<BlobRef> = None,
        }
    }
}

impl RunObservation {
    /// Describes a command that ended. The exit code for readers of OpenHands V0 is the one that a
    /// shell would show, −1 where no shell could know it.
    pub fn ended(content: impl Into<String>, command: impl Into<String>, exit: Exit) -> Self {
        let mut observation = Self::new(content, command);
        observation.metadata.exit_code = exit.shell_code().map_or(-1, i64::from);
        observation.details.exit = Some(exit);
        observation
    }

    /// Describes a command that runs on.
    pub fn paused(
        content: impl Into<String>,
        command: impl Into<String>,
        process: ProcessId,
        why: Pause,
    ) -> Self {
        let mut observation = Self::new(content, command);
        observation.details.process = Some(process);
        observation.details.pause = Some(why);
        observation
    }

    /// Cuts the output to `limit` characters with [`truncate_middle`].
    #[must_use]
    pub fn truncated(mut self, limit: usize) -> Self {
        if let Cow::Owned(text) = truncate_middle(&self.content, limit) {
            self.content = text;
        }
        self
    }
}

payload! {
    /// What a Python cell gave.
    pub struct RunPythonObservation {
        lead {
            /// Its output as text.
            content: String,
        }
        required {
            /// The code of the cell.
            code: String,
        }
        optional {
            /// Pictures, as data URLs.
            image_urls: Option<Vec<String>> = None,
        }
    }
}

//! Commands and Python cells.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{ConfirmationState, SecurityRisk};
use crate::codec::payload::payload;
use crate::id::{IdempotencyKey, SessionName};

payload! {
    /// Runs a shell command, or sends input to the one that runs.
    pub struct RunAction {
        required {
            /// The command line. Empty asks for new output of the command that runs.
            command: String,
        }
        optional {
            /// The text is input for the command that runs.
            is_input: bool = false,
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Wait without regard to quiet spells.
            blocking: bool = false,
            /// Run in a new shell that ends with the command.
            is_static: bool = false,
            /// Directory to run in; peers of OpenHands V0 heed it with `is_static` only.
            cwd: Option<String> = None,
            /// Not shown to the model or the user.
            hidden: bool = false,
            /// Whether the user agreed.
            confirmation_state: ConfirmationState = ConfirmationState::Confirmed,
            /// Danger of the command.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
        }
        aside {
            /// How long to wait for the command (it is not ended then).
            timeout: Option<Duration>,
            /// What OpenHands V0 has no field for.
            options: RunOptions,
        }
    }
}

payload! {
    /// What a command can be given beyond the fields of OpenHands V0.
    pub struct RunOptions {
        optional {
            /// Persistent shell to run in; without one the runtime's own rule decides.
            session: Option<SessionName> = None,
            /// Variables added to the environment.
            env: BTreeMap<String, String> = BTreeMap::new(),
            /// The command is ended when it has run this long.
            deadline: Option<Duration> = None,
            /// Same key, same command: it runs once however often it is sent.
            key: Option<IdempotencyKey> = None,
            /// Text for its standard input.
            stdin: Option<String> = None,
        }
    }
}

payload! {
    /// Runs Python code in the runtime's notebook kernel.
    pub struct RunPythonAction {
        required {
            /// The code of the cell.
            code: String,
        }
        optional {
            /// Why, in the agent's words.
            thought: String = String::new(),
            /// Add the working directory and the interpreter to the output.
            include_extra: bool = true,
            /// Whether the user agreed.
            confirmation_state: ConfirmationState = ConfirmationState::Confirmed,
            /// Danger of the code.
            security_risk: SecurityRisk = SecurityRisk::Unknown,
            /// Code to run first in a new kernel.
            kernel_init_code: String = String::new(),
        }
        aside {
            /// How long the cell may take.
            timeout: Option<Duration>,
        }
    }
}

//! Course of the work: state, tasks, delegation, memory.

use std::collections::BTreeMap;

use crate::action::{RecallKind, TaskItem};
use crate::codec::payload::payload;
use crate::event::RawJson;

payload! {
    /// Nothing to say.
    pub struct NullObservation {
        lead {
            /// As a rule empty.
            content: String,
        }
    }
}

payload! {
    /// The user refused an action.
    pub struct UserRejectedObservation {
        lead {
            /// Text for the model.
            content: String,
        }
    }
}

payload! {
    /// The agent is in another state.
    pub struct AgentStateChangedObservation {
        lead {
            /// As a rule empty.
            content: String,
        }
        required {
            /// Name of the state, of [`AgentState`](crate::AgentState) as a rule; logs may hold
            /// others.
            agent_state: String,
        }
        optional {
            /// Why, for an error.
            reason: String = String::new(),
        }
    }
}

payload! {
    /// What another agent gave back.
    pub struct DelegateObservation {
        lead {
            /// Text for the model.
            content: String,
        }
        required {
            /// Its results, as a rule an object.
            outputs: RawJson,
        }
    }
}

payload! {
    /// Events were condensed.
    pub struct CondenseObservation {
        lead {
            /// The summary.
            content: String,
        }
    }
}

payload! {
    /// A note that the words of a message called up.
    pub struct Knowledge {
        required {
            /// Name of the note.
            name: String,
            /// The word.
            trigger: String,
            /// The note.
            content: String,
        }
    }
}

payload! {
    /// What the memory answered.
    pub struct RecallObservation {
        lead {
            /// Text for the log.
            content: String,
        }
        required {
            /// What was looked for.
            recall_type: RecallKind,
        }
        optional {
            /// Repository, as `owner/name`.
            repo_name: String = String::new(),
            /// Its directory.
            repo_directory: String = String::new(),
            /// Its branch.
            repo_branch: String = String::new(),
            /// What it says about working on it.
            repo_instructions: String = String::new(),
            /// Hosts that the runtime serves, with their ports.
            runtime_hosts: BTreeMap<String, i64> = BTreeMap::new(),
            /// More instructions.
            additional_agent_instructions: String = String::new(),
            /// The day.
            date: String = String::new(),
            /// Names of secrets and what they are for.
            custom_secrets_descriptions: BTreeMap<String, String> = BTreeMap::new(),
            /// Instructions for this conversation.
            conversation_instructions: String = String::new(),
            /// Directory to work in.
            working_dir: String = String::new(),
            /// Notes called up.
            microagent_knowledge: Vec<Knowledge> = Vec::new(),
        }
    }
}

payload! {
    /// The task list was shown or replaced.
    pub struct TaskTrackingObservation {
        lead {
            /// Text for the model.
            content: String,
        }
        optional {
            /// `view` or `plan`.
            command: String = String::new(),
            /// The list.
            task_list: Vec<TaskItem> = Vec::new(),
        }
    }
}

payload! {
    /// The agent goes round in circles.
    pub struct LoopDetectionObservation {
        lead {
            /// Text for the user.
            content: String,
        }
    }
}

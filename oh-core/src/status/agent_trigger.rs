//! What moves an agent from one state to another.

use crate::status::named::named;

named! {
    /// What moves an [`AgentState`](crate::status::AgentState) to another.
    pub enum AgentTrigger ("agent trigger") {
        /// A controller opened the log again.
        Reload = "reload",
        /// Set-up is complete; the agent waits for its first message.
        Loaded = "loaded",
        /// A user message arrived.
        UserMessage = "user_message",
        /// The user asked to go on.
        Resume = "resume",
        /// The user asked to hold.
        Pause = "pause",
        /// The user or the host asked to end.
        Stop = "stop",
        /// The agent said that the task is done.
        Finish = "finish",
        /// The agent said that it will not do the task.
        Reject = "reject",
        /// The agent asked the user something.
        AwaitInput = "await_input",
        /// An action needs the user's approval.
        AwaitConfirmation = "await_confirmation",
        /// The user approved the action.
        Confirm = "confirm",
        /// The user refused the action.
        RejectByUser = "reject_by_user",
        /// The observation of the action that was approved or refused arrived.
        ActionResolved = "action_resolved",
        /// The model's provider refused for want of quota, and no further try is under way.
        RateLimited = "rate_limited",
        /// Something failed that the agent cannot go on from.
        Fail = "fail",
    }
}

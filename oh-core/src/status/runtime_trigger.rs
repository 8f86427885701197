//! What moves a runtime from one status to another.

use crate::status::named::named;

named! {
    /// What moves a [`RuntimeStatus`](crate::status::RuntimeStatus) to another.
    pub enum RuntimeTrigger ("runtime trigger") {
        /// The image of the sandbox is being built.
        Build = "build",
        /// The sandbox is being started.
        Start = "start",
        /// The sandbox runs; it was not reached yet.
        Started = "started",
        /// The workspace is being prepared.
        SetUpWorkspace = "set_up_workspace",
        /// Git hooks are being installed.
        SetUpGitHooks = "set_up_git_hooks",
        /// The runtime accepts work, or does so again.
        BecomeReady = "become_ready",
        /// The runtime was closed.
        Stop = "stop",
        /// Something failed that no other trigger names.
        Fail = "fail",
        /// The connection to the sandbox was lost.
        Disconnect = "disconnect",
        /// The model's provider refused the credentials.
        LlmAuthenticationFailed = "llm_authentication_failed",
        /// The model's provider cannot be reached.
        LlmUnavailable = "llm_unavailable",
        /// The model's provider reported a defect of its own.
        LlmInternalError = "llm_internal_error",
        /// The account at the model's provider is used up.
        LlmOutOfCredits = "llm_out_of_credits",
        /// The model's provider refused the content.
        LlmContentRefused = "llm_content_refused",
        /// The model's provider refused for want of quota, and no further try is under way.
        LlmRateLimited = "llm_rate_limited",
        /// A request to the model is being repeated.
        LlmRetry = "llm_retry",
        /// The git provider refused the credentials.
        GitAuthenticationFailed = "git_authentication_failed",
        /// The agent's memory (knowledge, recall) failed.
        MemoryFailed = "memory_failed",
    }
}

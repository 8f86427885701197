//! What a runtime does.

use crate::status::fold::Folded;
use crate::status::machine::{self, InvalidTransition, Machine, Transition};
use crate::status::named::named;
use crate::status::runtime_trigger::RuntimeTrigger;

named! {
    /// Status of a runtime, under the names of OpenHands V0.
    ///
    /// The statuses of model, git and memory say what the *session* suffers from; the sandbox
    /// runs on in them.
    pub enum RuntimeStatus ("runtime status") {
        /// Not started, or closed.
        Stopped = "STATUS$STOPPED",
        /// The image is being built.
        BuildingRuntime = "STATUS$BUILDING_RUNTIME",
        /// The sandbox is being started.
        StartingRuntime = "STATUS$STARTING_RUNTIME",
        /// The sandbox runs; it was not reached yet.
        RuntimeStarted = "STATUS$RUNTIME_STARTED",
        /// The workspace is being prepared.
        SettingUpWorkspace = "STATUS$SETTING_UP_WORKSPACE",
        /// Git hooks are being installed.
        SettingUpGitHooks = "STATUS$SETTING_UP_GIT_HOOKS",
        /// Ready for work.
        Ready = "STATUS$READY",
        /// Something failed.
        Error = "STATUS$ERROR",
        /// The connection to the sandbox was lost.
        ErrorRuntimeDisconnected = "STATUS$ERROR_RUNTIME_DISCONNECTED",
        /// The model's provider refused the credentials.
        ErrorLlmAuthentication = "STATUS$ERROR_LLM_AUTHENTICATION",
        /// The model's provider cannot be reached.
        ErrorLlmServiceUnavailable = "STATUS$ERROR_LLM_SERVICE_UNAVAILABLE",
        /// The model's provider reported a defect of its own.
        ErrorLlmInternalServerError = "STATUS$ERROR_LLM_INTERNAL_SERVER_ERROR",
        /// The account at the model's provider is used up.
        ErrorLlmOutOfCredits = "STATUS$ERROR_LLM_OUT_OF_CREDITS",
        /// The model's provider refused the content.
        ErrorLlmContentPolicyViolation = "STATUS$ERROR_LLM_CONTENT_POLICY_VIOLATION",
        /// The agent stopped because the model's provider limits its rate.
        AgentRateLimitedStopped = "CHAT_INTERFACE$AGENT_RATE_LIMITED_STOPPED_MESSAGE",
        /// The git provider refused the credentials.
        GitProviderAuthenticationError = "STATUS$GIT_PROVIDER_AUTHENTICATION_ERROR",
        /// A request to the model is being repeated.
        LlmRetry = "STATUS$LLM_RETRY",
        /// The agent's memory failed.
        ErrorMemory = "STATUS$ERROR_MEMORY",
    }
}

type Row = Transition<RuntimeStatus, RuntimeTrigger>;

/// The sandbox runs. Everything that a session can suffer from is reported in these.
const ALIVE: &[RuntimeStatus] = {
    use RuntimeStatus as S;
    &[
        S::RuntimeStarted,
        S::SettingUpWorkspace,
        S::SettingUpGitHooks,
        S::Ready,
        S::Error,
        S::ErrorLlmAuthentication,
        S::ErrorLlmServiceUnavailable,
        S::ErrorLlmInternalServerError,
        S::ErrorLlmOutOfCredits,
        S::ErrorLlmContentPolicyViolation,
        S::AgentRateLimitedStopped,
        S::GitProviderAuthenticationError,
        S::LlmRetry,
        S::ErrorMemory,
    ]
};

/// Everything but stopped: there is work that can be lost, or a sandbox that can become ready.
const STARTED: &[RuntimeStatus] = {
    use RuntimeStatus as S;
    &[
        S::BuildingRuntime,
        S::StartingRuntime,
        S::RuntimeStarted,
        S::SettingUpWorkspace,
        S::SettingUpGitHooks,
        S::Ready,
        S::Error,
        S::ErrorRuntimeDisconnected,
        S::ErrorLlmAuthentication,
        S::ErrorLlmServiceUnavailable,
        S::ErrorLlmInternalServerError,
        S::ErrorLlmOutOfCredits,
        S::ErrorLlmContentPolicyViolation,
        S::AgentRateLimitedStopped,
        S::GitProviderAuthenticationError,
        S::LlmRetry,
        S::ErrorMemory,
    ]
};

impl RuntimeStatus {
    /// Status of a new runtime.
    pub const INITIAL: Self = Self::Stopped;

    /// Every accepted step. Set-up comes before or after ready; building is optional.
    pub const TRANSITIONS: &'static [Row] = {
        use RuntimeStatus as S;
        use RuntimeTrigger as T;
        &[
            Row::new(
                &[
                    S::Stopped,
                    S::StartingRuntime,
                    S::Error,
                    S::ErrorRuntimeDisconnected,
                ],
                T::Build,
                S::BuildingRuntime,
            ),
            Row::new(
                &[
                    S::Stopped,
                    S::BuildingRuntime,
                    S::Error,
                    S::ErrorRuntimeDisconnected,
                ],
                T::Start,
                S::StartingRuntime,
            ),
            Row::new(
                &[S::BuildingRuntime, S::StartingRuntime],
                T::Started,
                S::RuntimeStarted,
            ),
            Row::new(ALIVE, T::SetUpWorkspace, S::SettingUpWorkspace),
            Row::new(ALIVE, T::SetUpGitHooks, S::SettingUpGitHooks),
            Row::new(STARTED, T::BecomeReady, S::Ready),
            Row::new(S::ALL, T::Stop, S::Stopped),
            Row::new(S::ALL, T::Fail, S::Error),
            Row::new(STARTED, T::Disconnect, S::ErrorRuntimeDisconnected),
            Row::new(ALIVE, T::LlmAuthenticationFailed, S::ErrorLlmAuthentication),
            Row::new(ALIVE, T::LlmUnavailable, S::ErrorLlmServiceUnavailable),
            Row::new(ALIVE, T::LlmInternalError, S::ErrorLlmInternalServerError),
            Row::new(ALIVE, T::LlmOutOfCredits, S::ErrorLlmOutOfCredits),
            Row::new(
                ALIVE,
                T::LlmContentRefused,
                S::ErrorLlmContentPolicyViolation,
            ),
            Row::new(ALIVE, T::LlmRateLimited, S::AgentRateLimitedStopped),
            Row::new(ALIVE, T::LlmRetry, S::LlmRetry),
            Row::new(
                ALIVE,
                T::GitAuthenticationFailed,
                S::GitProviderAuthenticationError,
            ),
            Row::new(ALIVE, T::MemoryFailed, S::ErrorMemory),
        ]
    };

    /// The status after a trigger.
    ///
    /// # Errors
    /// [`InvalidTransition`] where [`TRANSITIONS`](Self::TRANSITIONS) lists none: it names the
    /// status, the trigger and what is possible instead.
    pub fn next(self, trigger: RuntimeTrigger) -> Result<Self, InvalidTransition> {
        machine::next(self, trigger)
    }

    /// Triggers that this status accepts.
    pub fn possible(self) -> impl Iterator<Item = RuntimeTrigger> {
        machine::possible(self)
    }

    /// Whether a log may record this status and then that one: some trigger leads there, or it is
    /// the same.
    pub fn leads_to(self, next: Self) -> bool {
        machine::leads_to(self, next)
    }

    /// Folds recorded statuses, beginning at [`INITIAL`](Self::INITIAL). Never fails: a step
    /// that is not listed is followed and marked.
    pub fn fold(recorded: impl IntoIterator<Item = Self>) -> Folded<Self> {
        machine::fold(recorded)
    }

    /// The transition table in Markdown.
    pub fn transitions_markdown() -> String {
        machine::markdown::<Self>()
    }
}

impl Machine for RuntimeStatus {
    type Trigger = RuntimeTrigger;

    const NAME: &'static str = "runtime status";
    const STATES: &'static [Self] = Self::ALL;
    const INITIAL: Self = Self::INITIAL;
    const TABLE: &'static [Row] = Self::TRANSITIONS;

    fn name(self) -> &'static str {
        self.as_str()
    }

    fn trigger_name(trigger: RuntimeTrigger) -> &'static str {
        trigger.as_str()
    }
}

//! What an agent does.

use crate::status::agent_trigger::AgentTrigger;
use crate::status::fold::Folded;
use crate::status::machine::{self, InvalidTransition, Machine, Transition};
use crate::status::named::named;

named! {
    /// State of an agent, under the names of OpenHands V0.
    pub enum AgentState ("agent state") {
        /// Being set up.
        Loading = "loading",
        /// Taking steps.
        Running = "running",
        /// Waiting for a message of the user.
        AwaitingUserInput = "awaiting_user_input",
        /// Held by the user.
        Paused = "paused",
        /// Ended by the user or the host.
        Stopped = "stopped",
        /// The task is done.
        Finished = "finished",
        /// The agent refused the task.
        Rejected = "rejected",
        /// Something failed.
        Error = "error",
        /// Waiting for the user to approve an action.
        AwaitingUserConfirmation = "awaiting_user_confirmation",
        /// The action was approved and has not been answered yet.
        UserConfirmed = "user_confirmed",
        /// The action was refused and has not been answered yet.
        UserRejected = "user_rejected",
        /// Waiting until the model's provider accepts requests again.
        RateLimited = "rate_limited",
    }
}

type Row = Transition<AgentState, AgentTrigger>;

impl AgentState {
    /// State of a new agent.
    pub const INITIAL: Self = Self::Loading;

    /// Every accepted step. `Stop`, `Pause` and `Resume` are accepted where they change nothing,
    /// so that a request that was sent twice is no error.
    pub const TRANSITIONS: &'static [Row] = {
        use AgentState as S;
        use AgentTrigger as T;
        &[
            Row::new(S::ALL, T::Reload, S::Loading),
            Row::new(&[S::Loading], T::Loaded, S::AwaitingUserInput),
            Row::new(S::ALL, T::UserMessage, S::Running),
            Row::new(
                &[
                    S::Loading,
                    S::Running,
                    S::AwaitingUserInput,
                    S::Paused,
                    S::Stopped,
                    S::Finished,
                    S::Rejected,
                    S::Error,
                    S::RateLimited,
                ],
                T::Resume,
                S::Running,
            ),
            Row::new(
                &[
                    S::Loading,
                    S::Running,
                    S::AwaitingUserInput,
                    S::Paused,
                    S::AwaitingUserConfirmation,
                    S::UserConfirmed,
                    S::UserRejected,
                    S::RateLimited,
                ],
                T::Pause,
                S::Paused,
            ),
            Row::new(S::ALL, T::Stop, S::Stopped),
            Row::new(&[S::Running], T::Finish, S::Finished),
            Row::new(&[S::Running], T::Reject, S::Rejected),
            Row::new(
                &[S::Running, S::Paused],
                T::AwaitInput,
                S::AwaitingUserInput,
            ),
            // From loading and paused: an approval that was open survives a restart and a pause.
            // From awaiting input: what the agent still sends after a refusal is asked about too.
            Row::new(
                &[S::Loading, S::Running, S::Paused, S::AwaitingUserInput],
                T::AwaitConfirmation,
                S::AwaitingUserConfirmation,
            ),
            Row::new(&[S::AwaitingUserConfirmation], T::Confirm, S::UserConfirmed),
            Row::new(
                &[S::AwaitingUserConfirmation],
                T::RejectByUser,
                S::UserRejected,
            ),
            Row::new(&[S::UserConfirmed], T::ActionResolved, S::Running),
            Row::new(&[S::UserRejected], T::ActionResolved, S::AwaitingUserInput),
            Row::new(
                &[S::Running, S::RateLimited],
                T::RateLimited,
                S::RateLimited,
            ),
            Row::new(S::ALL, T::Fail, S::Error),
        ]
    };

    /// The state after a trigger.
    ///
    /// # Errors
    /// [`InvalidTransition`] where [`TRANSITIONS`](Self::TRANSITIONS) lists none: it names the
    /// state, the trigger and what is possible instead.
    pub fn next(self, trigger: AgentTrigger) -> Result<Self, InvalidTransition> {
        machine::next(self, trigger)
    }

    /// Triggers that this state accepts.
    pub fn possible(self) -> impl Iterator<Item = AgentTrigger> {
        machine::possible(self)
    }

    /// Whether a log may record this state and then that one: some trigger leads there, or it is
    /// the same.
    pub fn leads_to(self, next: Self) -> bool {
        machine::leads_to(self, next)
    }

    /// Folds recorded states, beginning at [`INITIAL`](Self::INITIAL). Never fails: a step that
    /// is not listed is followed and marked.
    pub fn fold(recorded: impl IntoIterator<Item = Self>) -> Folded<Self> {
        machine::fold(recorded)
    }

    /// The transition table in Markdown.
    pub fn transitions_markdown() -> String {
        machine::markdown::<Self>()
    }
}

impl Machine for AgentState {
    type Trigger = AgentTrigger;

    const NAME: &'static str = "agent state";
    const STATES: &'static [Self] = Self::ALL;
    const INITIAL: Self = Self::INITIAL;
    const TABLE: &'static [Row] = Self::TRANSITIONS;

    fn name(self) -> &'static str {
        self.as_str()
    }

    fn trigger_name(trigger: AgentTrigger) -> &'static str {
        trigger.as_str()
    }
}

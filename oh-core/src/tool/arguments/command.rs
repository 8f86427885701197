//! Commands, Python cells, the browser.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::action::{Action, BrowseInteractiveAction, RunAction, RunPythonAction};
use crate::tool::arguments::into_action::{Arguments, Risk, Wrong};

#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Flag {
    True,
    #[default]
    False,
}

/// Runs a command in a persistent bash shell and returns its output and exit code. The working
/// directory and variables stay for the next command. Send one command at a time; join several
/// with && or ;.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct ExecuteBash {
    /// The command. Empty to see new output of a command that still runs; C-c, C-d or C-z to send
    /// that key to it.
    command: String,
    /// "true" if the text is input for the command that still runs.
    is_input: Option<Flag>,
    /// Seconds to wait for the command.
    #[schemars(range(min = 1, max = 86400))]
    timeout: Option<f64>,
    /// How dangerous the command is: LOW reads or changes the workspace, MEDIUM changes something
    /// outside of it, HIGH cannot be undone or sends data away.
    security_risk: Option<Risk>,
}

impl Arguments for ExecuteBash {
    const TOOL: &'static str = "execute_bash";

    fn into_action(self) -> Result<Action, Wrong> {
        let timeout = self
            .timeout
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|_| Wrong {
                argument: "timeout",
                advice: "send a number of seconds from 1 to 86400",
            })?;
        Ok(RunAction::new(self.command)
            .is_input(self.is_input == Some(Flag::True))
            .blocking(timeout.is_some())
            .timeout(timeout)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

/// Runs Python code in a persistent IPython kernel and returns its output.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct ExecuteIpythonCell {
    /// The code. Magic commands as %pip are possible.
    code: String,
    /// How dangerous the code is: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for ExecuteIpythonCell {
    const TOOL: &'static str = "execute_ipython_cell";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(RunPythonAction::new(self.code)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

/// Acts in a web browser by Python calls, as goto('https://example.org') or click('12'), and
/// returns what the page shows.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tool) struct Browser {
    /// The calls, one per line.
    code: String,
    /// How dangerous the calls are: LOW, MEDIUM or HIGH.
    security_risk: Option<Risk>,
}

impl Arguments for Browser {
    const TOOL: &'static str = "browser";

    fn into_action(self) -> Result<Action, Wrong> {
        Ok(BrowseInteractiveAction::new(self.code)
            .security_risk(self.security_risk.unwrap_or_default())
            .into())
    }
}

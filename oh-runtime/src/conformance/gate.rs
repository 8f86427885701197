//! A named pipe at which a command waits until the check lets it go on.

use std::time::Duration;

use super::expect::{Checked, expect_code};
use super::trial::Trial;

/// Far longer than a waiting command needs to be there.
const OPENING_TIME: Duration = Duration::from_secs(30);

impl Trial<'_> {
    /// Makes a gate. A script waits at it with `read x <NAME`, once: the next to come might still
    /// find it open.
    pub(super) async fn gate(&self, name: &str) -> Checked {
        self.ok(&format!("mkfifo {name}")).await?;
        Ok(())
    }

    /// Lets the command at the gate go on; waits until one is there.
    pub(super) async fn open_gate(&self, name: &str) -> Checked {
        let script = self.script(&format!("echo go >{name}"))?;
        let opened = self.run(script.deadline(OPENING_TIME)).await?;
        expect_code(&opened, 0).map_err(|failure| failure.at("no command waits at the gate"))
    }
}

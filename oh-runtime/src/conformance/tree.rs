//! A tree of processes that is hard to end, and a way to see from inside whether it is gone.

use std::time::Duration;

use oh_core::Exit;

use super::expect::{Checked, ensure};
use super::trial::Trial;

/// Processes that [`TREE`] starts, itself included.
pub(super) const TREE_SIZE: usize = 5;

/// Every process holds the named pipe `alive` open and says `up`: a plain child, one that ignores
/// polite signals, one in a session of its own after a double fork, and one that does both.
pub(super) const TREE: &str = r#"
exec 9<>alive
hold='echo up; while :; do sleep 1; done'
deaf='trap "" TERM INT HUP QUIT; '
sh -c "$hold" &
sh -c "$deaf$hold" &
(setsid sh -c "$hold" &)
(setsid sh -c "$deaf$hold" &)
echo up
wait
"#;

/// As [`TREE`], with one process that nobody would call hard to end.
pub(super) const LEAF: &str = "exec 9<>alive; echo up; while :; do sleep 1; done";

/// Time after which a survivor counts as one.
const FAREWELL: Duration = Duration::from_secs(20);

/// Ends when no other process holds the pipe any more.
const WATCH: &str = "exec 3<>alive; exec 4<alive; exec 3>&-; exec cat <&4";

impl Trial<'_> {
    /// Makes the pipe.
    pub(super) async fn plant(&self) -> Checked {
        self.ok("mkfifo alive").await?;
        Ok(())
    }

    /// Waits until the last process of the tree is gone.
    pub(super) async fn expect_felled(&self) -> Checked {
        let watch = self.run(self.script(WATCH)?.deadline(FAREWELL)).await?;
        ensure!(
            watch.exit() != Some(&Exit::TimedOut),
            "a process of the tree is still there after {FAREWELL:?}"
        );
        super::expect::expect_code(&watch, 0)
    }
}

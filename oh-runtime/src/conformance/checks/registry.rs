//! All checks in their fixed order.

use super::super::check::Check;

/// All checks in their fixed order, grouped by family.
pub fn checks() -> impl Iterator<Item = Check> {
    [
        super::process::CHECKS,
        super::output::CHECKS,
        super::stdin::CHECKS,
        super::pty::CHECKS,
        super::deadline_and_cancel::CHECKS,
        super::session::CHECKS,
        super::session_shell_state::CHECKS,
        super::env::CHECKS,
        super::file_read::CHECKS,
        super::file_write::CHECKS,
        super::edit::CHECKS,
        super::list_stat::CHECKS,
        super::glob_grep::CHECKS,
        super::manage::CHECKS,
        super::copy::CHECKS,
        super::hostile_archives::CHECKS,
        super::attach::CHECKS,
        super::limits::CHECKS,
        super::errors::CHECKS,
        super::lifecycle::CHECKS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

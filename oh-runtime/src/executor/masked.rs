//! Actions that lost a secret on their way.

use oh_core::action::Action;
use oh_core::secret::MASK;
use oh_core::{Error, ErrorKind, EventBody, Result};

/// Refuses an action in which the mask stands: what was meant is not known any more, a shell reads
/// the mask as redirections, and a file would hold it. Only the thought about it may hold one.
pub(super) fn check(action: &Action) -> Result<()> {
    if !action.is_runnable() {
        return Ok(());
    }
    let thought = action.thought();
    let mut is_masked = false;
    EventBody::from(action.clone()).visit_text(&mut |text| {
        is_masked = is_masked || (text.contains(MASK) && thought != Some(text));
    });
    if !is_masked {
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::InvalidInput, action.kind().to_owned()).with_detail(format!(
            "a secret was written out and is masked as {MASK}, so that this cannot be carried \
             out: name the environment variable or the file that holds it"
        )),
    )
}
